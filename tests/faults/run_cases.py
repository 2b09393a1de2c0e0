"""Cases about whole runs with a tiny BERT: each is ended by a signal as soon as one of its steps has begun."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from components.registry import check_registry, latest
from components.report.summary import Summary
from pipeline.history import read_history
from tests.faults.injection import FAULTS
from tests.faults.registry_cases import DAMAGES
from tests.faults.table import Row, normalize
from tests.support.hook import Hook
from tests.support.small_project import Project, make_project

RUN = "run, "
"""Beginning of what these rows are about."""

WHAT = f"{RUN}during "

_ROOT = Path(__file__).parents[2]
_STEP = re.compile(r"\[\d+/(\d+)\] (\w+) \.\.\.")
_QUICK = ("training.max_steps=2", "evaluation.gates=[]", "evaluation.slices=[]", "evaluation.label_slices=false")


def signal_rows(folder: Path, *, signals: tuple[int, ...] = (signal.SIGKILL, signal.SIGTERM)) -> Iterator[Row]:
    """End runs of one project by each signal in each step in turn; finished steps are taken from the cache."""
    for number in signals:
        project = make_project(folder / signal.Signals(number).name, rows=200)
        with Hook() as hook:
            project.configure(notify={"url": hook.url, "retries": 0})
            step = 1
            while True:
                row, steps = _signal_row(project, hook, number, step)
                yield row
                step += 1
                if step > steps:
                    break
            yield _last_row(project, signal.Signals(number).name)


def disk_rows(folder: Path, library: Path, fault: str, *, every: int = 1) -> Iterator[Row]:
    """Let the disk of one project fail from the beginning of every so many steps.

    Python's and ML Metadata's writes fail. TensorFlow's own do not: they are buffered within the C library.
    """
    project = make_project(folder / fault, rows=200)
    trigger = folder / f"{fault}.begins"
    with Hook() as hook:
        project.configure(notify={"url": hook.url, "retries": 0})
        step, steps = 1, 1
        while step <= steps:
            row, steps = _disk_row(project, hook, library, trigger, fault, step)
            yield row
            step += every
        yield _last_row(project, "a full disk" if fault == "ENOSPC" else fault)


def clock_rows(folder: Path, library: Path) -> Iterator[Row]:
    """Run again after the clock was set back by two days, and again after it was put right; each run trains anew."""
    project = make_project(folder / "clock", rows=200)
    for number, (fault, shift) in enumerate((("none", 0), ("set back", -172_800), ("put right", 0)), start=1):
        before = _served(project)
        change = f"training.learning_rate={number}e-4"
        process = _start(project, change, LD_PRELOAD=str(library), FAULT_CLOCK=str(shift))
        said = process.communicate()[1].strip()
        assert process.returncode == 0, said
        served = _served(project)
        changed = "the new version, whole" if served not in (None, before) else "BROKEN: the version before"
        if _broken(project):
            changed = f"BROKEN: {_broken(project)}"
        if shift or number == 3:
            yield Row(f"{WHAT}all of its steps", f"clock {fault}", changed, said, "0", "succeeds")


def memory_row(folder: Path, megabytes: int = 2_400) -> Row:
    """Run in less memory than TensorFlow takes; what allocates then, in C++, aborts the process."""
    project = make_project(folder / "memory", rows=200)
    process = _start(project, memory_mb=megabytes)
    process.communicate()
    assert process.returncode != 0
    changed = "nothing" if _served(project) is None and not _broken(project) else "BROKEN"
    past, *_ = read_history(project.folder / "work")
    again = _start(project)
    said = again.communicate()[1]
    assert again.returncode == 0, said
    status = "killed" if process.returncode < 0 else str(process.returncode)
    told = f"(history: {past.outcome})"
    return Row(f"{WHAT}its first steps", f"{megabytes} MiB of address space", changed, told, status, "succeeds")


def small_disk_rows(folder: Path) -> Iterator[Row]:
    """Run where less is free than the last run took."""
    project = make_project(folder / "small", rows=200)
    process = _start(project)
    assert process.wait() == 0, process.communicate()
    (run,) = project.runs.iterdir()
    summary = Summary.read(str(run))
    assert summary.disk is not None
    huge = summary.disk.model_copy(update={"work_dir_mb": 2**40})
    summary.model_copy(update={"disk": huge}).write(str(run))
    before = _served(project)
    process = _start(project)
    said = process.communicate()[1].strip()
    assert process.returncode == 1, said
    assert said.count("\n") == 0, said
    changed = "the version before, whole" if _served(project) == before and not _broken(project) else "BROKEN"
    said = re.sub(r"[\d,]+ MiB", "N MiB", normalize(said, project.folder))
    summary.write(str(run))
    yield Row(f"{WHAT}none of its steps", "less free than the last run took", changed, said, "1", "succeeds")
    process = _start(project)
    assert process.wait() == 0, process.communicate()


def cache_rows(folder: Path) -> Iterator[Row]:
    """Damage each output that a run left in the cache, from the last step to the first, and run again."""
    project = make_project(folder / "cache", rows=200)
    _run_whole(project)
    outputs = _outputs(project)
    damages = cycle(DAMAGES.items())
    for step, key in reversed([(step, key) for step, found in outputs.items() for key in found]):
        uri = Path(_outputs(project)[step][key])
        files = [path for path in sorted(uri.rglob("*")) if path.is_file() and path.stat().st_size]
        if files:
            fault, damage = next(damages)
            files[0].write_bytes(damage(files[0].read_bytes()))
            yield _cache_row(project, step, key, fault)


def _cache_row(project: Project, step: str, key: str, fault: str) -> Row:
    before = _outputs(project)[step][key]
    summary, said = _run_whole(project)
    assert _outputs(project)[step][key] != before, f"{step} {key} was taken from the cache"
    served = "the version of the run, whole"
    if summary.pushed != _served(project) or _broken(project):
        served = f"BROKEN: {_broken(project)}"
    what = f"{RUN}with {key} of {step} in the cache"
    return Row(what, fault, served, said, "0", "it was made anew by this one")


def _outputs(project: Project) -> dict[str, dict[str, str]]:
    """Return the URIs of the outputs of the newest run, by step and key, in the order of the steps."""
    found: dict[str, dict[str, str]] = json.loads((max(project.runs.iterdir()) / "artifacts.json").read_text())
    return found


def _wait_for_step(process: subprocess.Popen[str], step: int) -> tuple[str, int]:
    """Wait until a run begins a step; return its name, empty if the run ended before, and the number of steps."""
    assert process.stdout is not None
    for line in process.stdout:
        match = _STEP.match(line)
        if match and line.startswith(f"[{step}/"):
            return match[2], int(match[1])
    return "", step


def _disk_row(project: Project, hook: Hook, library: Path, trigger: Path, fault: str, step: int) -> tuple[Row, int]:
    received, before = len(hook.received), _served(project)
    trigger.unlink(missing_ok=True)
    process = _start(
        project,
        LD_PRELOAD=str(library),
        FAULT_UNDER=str(project.folder),
        FAULT_ERROR=str(FAULTS[fault]),
        FAULT_WHEN=str(trigger),
    )
    name, steps = _wait_for_step(process, step)
    if name:
        trigger.touch()
    said = process.communicate()[1].strip().splitlines()
    trigger.unlink(missing_ok=True)
    assert name, f"the run ended before its step {step}: {said}"
    assert "Traceback" not in "\n".join(said), said
    assert process.returncode == 1, said
    assert len(hook.received) == received + 1, "a webhook is owed"
    served = _served(project)
    # A push that an earlier run finished is taken from the cache, and told again.
    assert hook.received[-1]["summary"]["pushed"] in ((served,) if served != before else (None, before))
    changed = "the version before, whole" if served == before else "the new version, whole"
    if _broken(project):
        changed = f"BROKEN: {_broken(project)}"
    told = f"{normalize(said[-1], project.folder)} (also the webhook)"
    return Row(f"{WHAT}{name}", f"{fault} from its beginning", changed, told, "1", "continues from there"), steps


def _signal_row(project: Project, hook: Hook, number: int, step: int) -> tuple[Row, int]:
    """Run until a step has begun, and send the signal; return the row and the number of steps of a run."""
    received, before = len(hook.received), _served(project)
    process = _start(project)
    name, steps = _wait_for_step(process, step)
    if name:
        os.kill(process.pid, number)
    said = process.communicate()[1].strip().splitlines()
    assert name, f"the run ended before its step {step}: {said}"
    assert "Traceback" not in "\n".join(said), said
    run = max(project.runs.iterdir())
    served = _served(project)
    changed = "the version before, whole" if served == before else "the new version, whole"
    told = ""
    if number == signal.SIGTERM:
        assert process.returncode == 143, said
        summary = Summary.read(str(run))
        assert summary.pushed == (served if served != before else summary.pushed)
        assert len(hook.received) == received + 1, "a webhook is owed"
        assert hook.received[-1]["summary"] == json.loads(summary.model_dump_json())
        told = f"{said[-1]} (also summary and webhook)"
    if _broken(project):
        changed = f"BROKEN: {_broken(project)}"
    status = "killed" if process.returncode == -signal.SIGKILL else str(process.returncode)
    what = signal.Signals(number).name
    return Row(f"{WHAT}{name}", what, changed, normalize(told, project.folder), status, "continues from there"), steps


def _last_row(project: Project, cause: str) -> Row:
    """Run once more, to the end."""
    summary, said = _run_whole(project)
    served = "the new version, whole" if summary.pushed == _served(project) and not _broken(project) else "BROKEN"
    what = f"{WHAT}none of its steps"
    fault = f"after {cause} in each of them"
    return Row(what, fault, served, said, "0", "succeeds")


def _run_whole(project: Project) -> tuple[Summary, str]:
    """Run to the end; return the summary, and what was written to stderr."""
    process = _start(project)
    said = process.communicate()[1].strip()
    assert process.returncode == 0, said
    return Summary.read(str(max(project.runs.iterdir()))), said


def _start(project: Project, *changes: str, memory_mb: int = 0, **environment: str) -> subprocess.Popen[str]:
    def limit() -> None:
        if memory_mb:
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 2**20, memory_mb * 2**20))

    options = [word for change in (*_QUICK, *changes) for word in ("--set", change)]
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--config", str(project.configuration), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONUNBUFFERED": "1", "COLUMNS": "300", **environment},
        preexec_fn=limit,
    )  # fmt: skip


def _served(project: Project) -> str | None:
    newest = latest(str(project.registry))
    return None if newest is None else newest.path


def _broken(project: Project) -> str:
    return next((f"{each.where} {each.what}" for each in check_registry(str(project.registry)) if each.broken), "")
