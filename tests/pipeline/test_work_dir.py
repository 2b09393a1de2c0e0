"""Tests of the working directory: it belongs to one pipeline and holds one run at a time."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.config.concurrency import ConcurrencySettings
from pipeline.work_dir import WorkDir
from schema.errors import Refused
from tests.support.small_project import make_project


def test_refuses_a_second_run_while_one_is_in_progress(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path / "work"))
    with (
        work_dir.locked("one"),
        pytest.raises(Refused, match=r"another run .* is in progress there"),
        work_dir.locked("one"),
    ):
        pass
    with work_dir.locked("one"):
        pass


def test_refuses_the_directory_of_another_pipeline(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path / "work"))
    with work_dir.locked("one"):
        pass
    with pytest.raises(Refused, match="belongs to pipeline 'one', not 'two'"), work_dir.locked("two"):
        pass


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pipeline.work_dir import WorkDir\n"
        "with WorkDir(sys.argv[1]).locked('one'): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "work")], check=False)
    assert killed.returncode == -9
    with WorkDir(str(tmp_path / "work")).locked("one"):
        pass


_HOLDER = (
    "import sys; from pipeline.work_dir import WorkDir\n"
    "with WorkDir(sys.argv[1]).locked('one'): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another run of the pipeline, in progress until its standard input is closed."""
    command = [sys.executable, "-c", _HOLDER, str(tmp_path / "work")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_refusal_names_the_process_in_progress(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    work_dir = WorkDir(str(tmp_path / "work"))
    message = rf"another run \(process {holder.pid}, since 20\d\d-.*\+00:00\) is in progress there; wait for it, set"
    with pytest.raises(Refused, match=message), work_dir.locked("one"):
        pass


def test_a_waiting_run_starts_when_the_other_has_died(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    lines: list[str] = []

    def kill_holder(line: str) -> None:
        lines.append(line)
        holder.kill()

    waiting = ConcurrencySettings(when_busy="wait", longest_wait_s=30)
    with WorkDir(str(tmp_path / "work")).locked("one", waiting, kill_holder) as waited:
        assert waited
        assert f"process {os.getpid()}, since" in (tmp_path / "work" / ".lock").read_text()
    assert len(lines) == 1
    assert lines[0].startswith(f"Waiting for another run (process {holder.pid}, since ")
    assert (tmp_path / "work" / ".lock").read_text() == "one\n"


def test_a_waiting_run_gives_up_after_the_longest_wait(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    waiting = ConcurrencySettings(when_busy="wait", longest_wait_s=0.2)
    message = rf"process {holder.pid}, since .*is still in progress there after 0.2 s$"
    with pytest.raises(Refused, match=message), WorkDir(str(tmp_path / "work")).locked("one", waiting):
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


def test_new_runs_are_named_by_time_and_uniquely(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path))
    first, second = work_dir.new_run(), work_dir.new_run()
    assert first.name < second.name


@pytest.mark.parametrize("content", [b"not a database, though long enough to be taken for the head of one" * 9, None])
def test_names_a_damaged_metadata_file(tmp_path: Path, content: bytes | None) -> None:
    work_dir = WorkDir(str(tmp_path))
    work_dir.check_metadata()
    with closing(sqlite3.connect(work_dir.metadata)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 50)
        connection.commit()
    work_dir.check_metadata()
    whole = work_dir.metadata.read_bytes()
    work_dir.metadata.write_bytes(content or whole[: len(whole) // 2])
    with pytest.raises(Refused) as refused:
        work_dir.check_metadata()
    assert str(refused.value).startswith(f"{work_dir.metadata}: is damaged (")
    assert "; restore it, or delete it: every step then runs anew" in str(refused.value)


@pytest.mark.parametrize(("umask", "exists"), [(0o022, False), (0o077, False), (0o022, True)])
def test_what_holds_texts_is_readable_by_its_owner_only(tmp_path: Path, umask: int, exists: bool) -> None:
    work_dir = WorkDir(str(tmp_path / "work"))
    if exists:
        Path(work_dir.root).mkdir(mode=0o755)
    previous = os.umask(umask)
    try:
        with work_dir.locked("one"):
            work_dir.new_run()
            work_dir.metadata.touch(mode=0o666)
    finally:
        os.umask(previous)
    modes = {path.name: path.stat().st_mode & 0o777 for path in Path(work_dir.root).iterdir()}
    assert modes == {"artifacts": 0o700, "runs": 0o700, ".lock": 0o600, "metadata.sqlite": 0o600}
    assert Path(work_dir.root).stat().st_mode & 0o777 == (0o755 if exists else 0o700), "one that exists keeps its mode"


def test_rolls_back_what_a_killed_run_had_begun_to_write(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path))
    code = (
        "import os, signal, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "connection.execute('CREATE TABLE t (x)')\n"
        "connection.execute('PRAGMA cache_size = 1')\n"  # so that pages are written before the commit
        "connection.commit()\n"
        "connection.executemany('INSERT INTO t VALUES (?)', [('x' * 1000,)] * 500)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(work_dir.metadata)], check=False)
    assert Path(f"{work_dir.metadata}-journal").exists()
    work_dir.check_metadata()
    with closing(sqlite3.connect(work_dir.metadata)) as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_lock_file_that_cannot_be_written_hides_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    work_dir = WorkDir(str(tmp_path / "work"))

    def run() -> None:
        with work_dir.locked("one"):
            monkeypatch.setattr("pipeline.work_dir._write_lines", fail)
            raise Refused("of the run")

    with pytest.raises(Refused, match="of the run"):
        run()
    with pytest.raises(OSError, match="No space left") as full, work_dir.locked("one"):
        pass
    assert full.value.filename == str(tmp_path / "work" / ".lock")
