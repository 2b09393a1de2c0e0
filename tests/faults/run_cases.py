"""Cases about whole runs with a tiny BERT: ended by signals, with a failing disk, from a damaged cache, and so on."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.registry import check_registry, latest
from components.report.summary import Summary
from pipeline.history import read_history
from tests.faults.injection import FAULTS
from tests.faults.registry_cases import DAMAGES, newer_schema
from tests.faults.run_server import (
    BEFORE_EXECUTOR,
    END,
    EXECUTOR_REACHED,
    NOT_REACHED,
    START,
    STEP_MARK,
    STOPPED,
    Run,
    RunServer,
)
from tests.faults.table import Row, normalize, tried
from tests.support.hook import Hook
from tests.support.small_project import Project, make_project

RUN = "run, "
"""Beginning of what these rows are about."""

WHAT = f"{RUN}during "
CACHE = f"{RUN}with "

_ROOT = Path(__file__).parents[2]
_STEP = re.compile(r"\[(\d+)/(\d+)\] (\w+) \.\.\.")
QUICK = (
    "training.max_steps=2", "evaluation.gates=[]", "evaluation.slices=[]", "evaluation.label_slices=false",
    "canary.latency_ratio=null",
)  # fmt: skip
"""Changes of the configuration for runs of seconds, whose end does not depend on how busy the machine is."""

_VARYING = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}|\d+|(?<=/Split-)\w+|(?<=/)(train|eval|test)(?=-)"
)
_UNFINISHED = re.compile(r"\.\*\.partial$|\.tmp\*$|\.tempstat.*$|(?<=^beam-temp-).*")
_FOLDERS_OF_TFX = 2  # OUTPUT/NUMBER
_ERRORS = [name for name, number in FAULTS.items() if number > 0]
# In these, every kind counts, though an earlier step writes it too: what is told of a push depends on it.
_PUBLISHING = ("RegistryPusher", START, END)


def signal_rows(
    server: RunServer, folder: Path, *, signals: tuple[int, ...] = (signal.SIGKILL, signal.SIGTERM)
) -> Iterator[Row]:
    """End runs of one project by each signal in each step in turn; finished steps are taken from the cache."""
    for number in signals:
        project = make_project(folder / signal.Signals(number).name, rows=200)
        with Hook() as hook:
            project.configure(notify={"url": hook.url, "retries": 0})
            step, steps = 1, 1
            while step <= steps:
                row, steps = _signal_row(server, project, hook, number, step)
                yield row
                step += 1
            yield _last_row(server, project, f"after {signal.Signals(number).name} in each of them")


def disk_rows(server: RunServer, folder: Path) -> Iterator[Row]:
    """Let the disk fail from the first write of each kind of file in each step on, mostly by ENOSPC.

    A run without a fault says which files each step writes. The other runs are of one project: each continues where the
    one before ended, has to get as far as its own file, and must stop for the reason of its own error, which is never
    that of the run before. The last one, without a fault, gets to the end.
    """
    project = make_project(folder / "disk", rows=200)
    trace = folder / "disk.trace"
    _run_whole(server, project, under=str(project.folder), trace=str(trace))
    with project.data.open("a") as file:  # otherwise the steps that read data would come from the cache
        file.write("new,money refund,refund,chat\n")
    faults = cycle(name for other in _ERRORS if other != "ENOSPC" for name in ("ENOSPC", other))
    with Hook() as hook:
        project.configure(notify={"url": hook.url, "retries": 0})
        for step, patterns in kinds_of_files(trace).items():
            for pattern in patterns:
                yield from _disk_row(server, project, hook, step, pattern, next(faults))
        fault = "after a failing disk in each of them"
        yield tried(f"{WHAT}none of its steps", fault, partial(_last_row, server, project, fault))


def kinds_of_files(trace: Path) -> dict[str, list[str]]:
    """Return a pattern of a path for each kind of file that a run wrote, by the step that wrote it, in order.

    Files of a step are of one kind if their names differ in numbers, times, random parts, splits or endings of
    unfinished files only. What every step writes alike, such as ML Metadata and the folders that TFX creates, counts in
    the first step, and in those that publish.
    """
    found: dict[str, list[str]] = {}
    known: set[tuple[str, str]] = set()
    step = ""
    for line in trace.read_text(encoding="utf-8").splitlines():
        if line.startswith(STEP_MARK):
            step = line.removeprefix(STEP_MARK)
            found[step] = []
            continue
        pattern = _VARYING.sub("*", line.replace("[", "?"))
        name = _UNFINISHED.sub("", pattern.rpartition("/")[2])
        _, is_artifact, below = pattern.partition(f"artifacts/{step}")
        depth = below.count("/")
        if step in _PUBLISHING or (depth > _FOLDERS_OF_TFX and not below.startswith("/.system/")):
            kind = (step, name)
        else:
            kind = ("", f"{depth}" if is_artifact else name)
        if kind not in known:
            found[step].append(pattern)
            known.add(kind)
    return found


def _disk_row(server: RunServer, project: Project, hook: Hook, step: str, pattern: str, fault: str) -> Iterator[Row]:
    """Let the disk fail at a file; yield no row if it was not written this time, as not every file is in every run."""
    received, before = len(hook.received), _served(project)
    run = _start(server, project, under=str(project.folder), step=step, pattern=pattern, error=FAULTS[fault])
    status, said = run.wait(), run.last_words()
    if status == NOT_REACHED:
        sys.stdout.write(f"{step} has not written {pattern} this time\n")
        _spoil(project, step)
        return
    what = f"{RUN}{step}" if step in (START, END) else f"{WHAT}{step}"
    event = f"{fault} from each kind of file on"

    def check() -> Row:
        check_stopped_by(fault, pattern, status, said)
        assert len(hook.received) == received + 1, f"{pattern}: a webhook is owed"
        served = _served(project)
        # A push that an earlier run finished is taken from the cache, and told again.
        pushed = (hook.received[-1]["summary"] or {}).get("pushed")  # there is none before the run has a folder
        assert pushed in ((served,) if served != before else (None, before)), pattern
        assert not _broken(project), _broken(project)
        changed = "the version before, whole" if served == before else "the new version, whole"
        told = f"{_without_file(normalize(said[-1], project.folder))} (also the webhook)"
        return Row(what, event, changed, told, "1", "continues from there")

    yield tried(what, event, check)


def check_stopped_by(fault: str, pattern: str, status: int, said: Sequence[str]) -> None:
    """Check that a run stopped in one line because of its own fault.

    Args:
        fault: Name of the error.
        pattern: File that failed first.
        status: Exit status of the case.
        said: Lines of stderr.

    Raises:
        AssertionError: It stopped for something else, such as what an earlier fault left behind.
    """
    assert "Traceback" not in "\n".join(said), (pattern, said)
    assert status != STOPPED, f"{pattern}: an earlier fault stops the run again: {said}"
    assert status == 1, (pattern, fault, status, said)
    assert os.strerror(FAULTS[fault]) in said[-1], f"{pattern}: {fault} is not why it stopped: {said}"


def _without_file(line: str) -> str:
    """Return a message without the name of its file or step: each case is about another one."""
    return f"error: FILE: {line.rpartition(': ')[2]}"


def _spoil(project: Project, step: str) -> None:
    """Damage what a step has left, so that the next run makes it anew."""
    for uri in _outputs(project).get(step, {}).values():
        for path in _files(Path(uri))[:1]:
            path.write_bytes(path.read_bytes() + b"x")


def cache_rows(server: RunServer, folder: Path) -> Iterator[Row]:
    """Damage each output that a run left in the cache in each way, and run again as far as its step."""
    project = make_project(folder / "cache", rows=200)
    _run_whole(server, project)
    whole = folder / "cache.whole"
    shutil.copytree(project.folder, whole)
    outputs = _outputs(project)
    for step, found in outputs.items():
        for key, uri in found.items():
            for fault, damage, file in _damages(Path(uri)):
                file.write_bytes(damage(file.read_bytes()))
                what = f"{CACHE}{key} of {step} in the cache"
                yield tried(what, fault, partial(_cache_row, server, project, step, key, fault))
                shutil.rmtree(project.folder)
                shutil.copytree(whole, project.folder)
    yield from all_damaged_rows(server, project)


def all_damaged_rows(server: RunServer, project: Project) -> Iterator[Row]:
    """Damage every output that a run left in the cache, and run to the end."""
    what, fault = f"{CACHE}every output in the cache", "one damage each"
    yield tried(what, fault, partial(_all_damaged_row, server, project, _outputs(project)))


def _damages(folder: Path) -> Iterator[tuple[str, Callable[[bytes], bytes], Path]]:
    """Yield each damage of an output, and the file that gets it: a different one each time, as far as there are."""
    files = cycle(_files(folder))
    for (fault, damage), file in zip(DAMAGES.items(), files, strict=False):
        yield fault, damage, file
    records = [path for path in _files(folder) if path.suffix == ".json"]
    if records:
        yield "of a newer schema", newer_schema, records[0]


def _cache_row(server: RunServer, project: Project, step: str, key: str, fault: str) -> Row:
    before = _served(project)
    uri = Path(_outputs(project)[step][key])
    run = _start(server, project, step=step, end=BEFORE_EXECUTOR)
    status, said = run.wait(), run.last_words()
    assert status == EXECUTOR_REACHED, f"{step} {key} was taken from the cache ({fault}): {status} {said}"
    assert not said, said
    assert _states(project)[str(uri)] == mlmd.Artifact.DELETED
    assert not uri.exists()
    served = "the version before, whole"
    if before != _served(project) or _broken(project):
        served = f"BROKEN: {_broken(project)}"
    return Row(f"{CACHE}{key} of {step} in the cache", fault, served, "", "-", "the step made it anew")


def _all_damaged_row(server: RunServer, project: Project, outputs: Mapping[str, Mapping[str, str]]) -> Row:
    damages, damaged = cycle(DAMAGES.items()), set()
    for found in outputs.values():
        for uri in found.values():
            for path in _files(Path(uri))[:1]:
                _, damage = next(damages)
                path.write_bytes(damage(path.read_bytes()))
                damaged.add(uri)
    summary, said = _run_whole(server, project)
    anew = _outputs(project)
    old = {uri for step in anew.values() for uri in step.values()}.intersection(damaged)
    assert not old, f"damaged, and taken from the cache: {old}"
    served = "the version of the run, whole"
    if summary.pushed != _served(project) or _broken(project):
        served = f"BROKEN: {_broken(project)}"
    return Row(f"{CACHE}every output in the cache", "one damage each", served, said, "0", "all steps ran anew")


def _states(project: Project) -> dict[str, int]:
    connection = mlmd.ConnectionConfig()
    connection.sqlite.filename_uri = str(project.folder / "work" / "metadata.sqlite")
    return {each.uri: each.state for each in metadata_store.MetadataStore(connection).get_artifacts()}


def clock_rows(server: RunServer, folder: Path) -> Iterator[Row]:
    """Run again after the clock was set back by two days, and again after it was put right; each run trains anew."""
    project = make_project(folder / "clock", rows=200)
    for number, (fault, shift) in enumerate((("none", 0), ("set back", -172_800), ("put right", 0)), start=1):
        before = _served(project)
        run = _start(server, project, f"training.learning_rate={number}e-4", clock_s=shift)
        status, said = run.wait(), run.last_words()
        assert status == 0, said
        served = _served(project)
        changed = "the new version, whole" if served not in (None, before) else "BROKEN: the version before"
        if _broken(project):
            changed = f"BROKEN: {_broken(project)}"
        if number > 1:
            yield Row(f"{WHAT}all of its steps", f"clock {fault}", changed, " ".join(said), "0", "succeeds")


def memory_rows(server: RunServer, folder: Path, megabytes: tuple[int, ...] = (1_400, 2_000, 2_600)) -> Iterator[Row]:
    """Run in less memory than loading TensorFlow takes, and in less than a run takes, where C++ may abort it."""
    project = make_project(folder / "memory", rows=200)
    for limit in megabytes:
        process = _start_limited(project, limit)
        said = process.communicate()[1].strip()
        assert process.returncode != 0
        changed = "nothing" if _served(project) is None and not _broken(project) else "BROKEN"
        past, *_ = read_history(project.folder / "work")
        status = "killed" if process.returncode < 0 else str(process.returncode)
        is_told = said.startswith("error: ") and "\n" not in said
        assert is_told or process.returncode < 0, said
        told = normalize(said, project.folder) if is_told else f"(history: {past.outcome})"
        yield Row(f"{WHAT}its first steps", f"{limit} MiB of address space", changed, told, status, "succeeds")
    _run_whole(server, project)


def small_disk_rows(server: RunServer, folder: Path) -> Iterator[Row]:
    """Run where less is free than the last run took."""
    project = make_project(folder / "small", rows=200)
    summary, _ = _run_whole(server, project)
    (folder_of_run,) = project.runs.iterdir()
    assert summary.disk is not None
    huge = summary.disk.model_copy(update={"work_dir_mb": 2**40})
    summary.model_copy(update={"disk": huge}).write(str(folder_of_run))
    before = _served(project)
    run = _start(server, project)
    status, (said,) = run.wait(), run.last_words()
    assert status == 1, said
    changed = "the version before, whole" if _served(project) == before and not _broken(project) else "BROKEN"
    said = re.sub(r"[\d,]+ MiB", "N MiB", normalize(said, project.folder))
    summary.write(str(folder_of_run))
    yield Row(f"{WHAT}none of its steps", "less free than the last run took", changed, said, "1", "succeeds")
    _run_whole(server, project)


def _wait_for_step(run: Run, step: int) -> tuple[str, int]:
    """Wait until a run begins a step; return its name, empty if the run ended before, and the number of steps."""
    for line in run.lines():
        match = _STEP.match(line)
        if match and int(match[1]) == step:
            return match[3], int(match[2])
    return "", step


def _signal_row(server: RunServer, project: Project, hook: Hook, number: int, step: int) -> tuple[Row, int]:
    """Run until a step has begun, and send the signal; return the row and the number of steps of a run."""
    received, before = len(hook.received), _served(project)
    run = _start(server, project)
    name, steps = _wait_for_step(run, step)
    if name:
        os.kill(run.pid, number)
    status, said = run.wait(), run.last_words()
    assert name, f"the run ended before its step {step}: {said}"
    assert "Traceback" not in "\n".join(said), said
    folder = max(project.runs.iterdir())
    served = _served(project)
    changed = "the version before, whole" if served == before else "the new version, whole"
    told = ""
    if number == signal.SIGTERM:
        assert status == 143, said
        summary = Summary.read(str(folder))
        assert summary.pushed == (served if served != before else summary.pushed)
        assert len(hook.received) == received + 1, "a webhook is owed"
        assert hook.received[-1]["summary"] == json.loads(summary.model_dump_json())
        told = f"{said[-1]} (also summary and webhook)"
    if _broken(project):
        changed = f"BROKEN: {_broken(project)}"
    ended = "killed" if status == -signal.SIGKILL else str(status)
    what = signal.Signals(number).name
    return Row(f"{WHAT}{name}", what, changed, normalize(told, project.folder), ended, "continues from there"), steps


def _last_row(server: RunServer, project: Project, fault: str) -> Row:
    """Run once more, to the end."""
    summary, said = _run_whole(server, project)
    served = "the new version, whole" if summary.pushed == _served(project) and not _broken(project) else "BROKEN"
    return Row(f"{WHAT}none of its steps", fault, served, said, "0", "succeeds")


def _run_whole(server: RunServer, project: Project, **what: str | int) -> tuple[Summary, str]:
    """Run to the end; return the summary, and what was written to stderr."""
    run = _start(server, project, **what)
    status, said = run.wait(), "\n".join(run.last_words())
    assert status == 0, said
    return Summary.read(str(max(project.runs.iterdir()))), said


def _arguments(project: Project, *changes: str) -> list[str]:
    options = [word for change in (*QUICK, *changes) for word in ("--set", change)]
    return ["run", "--config", str(project.configuration), *options]


def _start(server: RunServer, project: Project, *changes: str, **what: str | int) -> Run:
    return server.start(_arguments(project, *changes), **what)


def _start_limited(project: Project, megabytes: int) -> subprocess.Popen[str]:
    """Start a run in a process of its own, whose memory is limited before it imports anything."""
    limit = (megabytes * 2**20, megabytes * 2**20)
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *_arguments(project)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT), "COLUMNS": "300"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit),
    )  # fmt: skip


def _outputs(project: Project) -> dict[str, dict[str, str]]:
    """Return the URIs of the outputs of the newest run that has any, by step and key, in the order of the steps."""
    found: dict[str, dict[str, str]] = json.loads(max(project.runs.glob("*/artifacts.json")).read_text())
    return found


def _files(folder: Path) -> list[Path]:
    """Return the files of an output that hold something."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]


def _served(project: Project) -> str | None:
    newest = latest(str(project.registry))
    return None if newest is None else newest.path


def _broken(project: Project) -> str:
    return next((f"{each.where} {each.what}" for each in check_registry(str(project.registry)) if each.broken), "")
