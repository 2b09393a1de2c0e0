"""The working directory: one pipeline's, one run at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.paths import WorkDir
from schema.errors import Refused


def test_two_runs_never_share_it(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path / "work"))
    with work_dir.locked("one"), pytest.raises(Refused, match="another run is at work"), work_dir.locked("one"):
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


def test_runs_are_named_by_time_and_never_twice(tmp_path: Path) -> None:
    work_dir = WorkDir(str(tmp_path))
    first, second = work_dir.new_run(), work_dir.new_run()
    assert first.name < second.name
