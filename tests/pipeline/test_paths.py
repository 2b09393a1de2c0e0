"""The working directory: one pipeline's, one run at a time."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.concurrency import ConcurrencySettings
from pipeline.paths import WorkDir
from schema.errors import Refused
from tests.support.small_project import make_project


def test_two_runs_never_share_it(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path / "work"))
    with (
        work_dir.locked("one"),
        pytest.raises(Refused, match=r"another run .* is at work there"),
        work_dir.locked("one"),
    ):
        pass
    with work_dir.locked("one"):
        pass


def test_two_pipelines_never_share_it(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path / "work"))
    with work_dir.locked("one"):
        pass
    with pytest.raises(Refused, match="belongs to pipeline 'one', not 'two'"), work_dir.locked("two"):
        pass


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pipeline.paths import WorkDir\n"
        "with WorkDir(sys.argv[1]).locked('one'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "work")], check=False)
    assert killed.returncode == -9
    with WorkDir(str(tmp_path / "work")).locked("one"):
        pass


_HOLDER = (
    "import sys; from pipeline.paths import WorkDir\n"
    "with WorkDir(sys.argv[1]).locked('one'): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another run of the pipeline, at work until its standard input is closed."""
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "work")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_comes_second_is_told_who_is_at_work(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    work_dir = WorkDir(str(tmp_path / "work"))
    at_work = rf"another run \(process {holder.pid}, since 20\d\d-.*\+00:00\) is at work there; wait, set"
    with pytest.raises(Refused, match=at_work), work_dir.locked("one"):
        pass


def test_who_waits_begins_when_the_other_has_died(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    said: list[str] = []

    def kill(line: str) -> None:
        said.append(line)
        holder.kill()

    waiting = ConcurrencySettings(when_busy="wait", longest_wait_s=30)
    with WorkDir(str(tmp_path / "work")).locked("one", waiting, kill) as waited:
        assert waited
        assert f"process {os.getpid()}, since" in (tmp_path / "work" / ".lock").read_text()
    assert len(said) == 1
    assert said[0].startswith(f"Waiting for another run (process {holder.pid}, since ")
    assert (tmp_path / "work" / ".lock").read_text() == "one\n"


def test_nobody_waits_for_ever(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    waiting = ConcurrencySettings(when_busy="wait", longest_wait_s=0.2)
    still = rf"process {holder.pid}, since .*is at work there still, after 0.2 s$"
    with pytest.raises(Refused, match=still), WorkDir(str(tmp_path / "work")).locked("one", waiting):
        pass


def test_a_second_command_ends_with_one_line_and_the_status_of_a_refusal(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    project = make_project(tmp_path / "project", rows=40)
    project.configure(name="one", work_dir=str(tmp_path / "work"))
    for name in ("run", "check"):
        second = subprocess.run(
            [sys.executable, "-m", "pipeline", name, "--config", str(project.configuration)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert second.returncode == 2
        (line,) = second.stderr.splitlines()
        assert f"another run (process {holder.pid}, since " in line
    assert not (tmp_path / "work" / "runs").exists()


def test_runs_are_named_by_time_and_never_twice(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path))
    first, second = work_dir.new_run(), work_dir.new_run()
    assert first.name < second.name
