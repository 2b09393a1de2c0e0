"""Refusals of scripts/flink.sh: one line each, before it downloads or starts anything."""

import os
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / "scripts" / "flink.sh"


def _refused(*arguments: str, path: Path, folder: Path) -> str:
    environment = {"PATH": str(path), "FLINK_DIR": str(folder)}
    ended = subprocess.run(
        ["/bin/bash", _SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert not folder.exists()
    return ended.stderr


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with basic tools, and without Java."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("basename", "cmp", "dirname", "head", "realpath", "sed"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return folder


def _java(tools: Path, version: str) -> None:
    java = tools / "java"
    java.write_text(f"#!/bin/bash\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)


def test_refuses_an_unknown_command(tools: Path, tmp_path: Path) -> None:
    assert "give fetch, start, stop or status" in _refused("begin", path=tools, folder=tmp_path / "flink")


def test_refuses_to_run_without_java(tools: Path, tmp_path: Path) -> None:
    assert "java is missing; install OpenJDK 11 or 17" in _refused("fetch", path=tools, folder=tmp_path / "flink")


def test_refuses_a_version_of_java_that_flink_does_not_support(tools: Path, tmp_path: Path) -> None:
    _java(tools, "21.0.4")
    assert "java is version 21; Flink 1.19.3 runs on 11 and 17" in _refused(
        "start", path=tools, folder=tmp_path / "flink"
    )


def test_refuses_to_fetch_without_maven(tools: Path, tmp_path: Path) -> None:
    _java(tools, "17.0.15")
    assert "mvn is missing" in _refused("fetch", path=tools, folder=tmp_path / "flink")


def test_reports_that_nothing_runs(tmp_path: Path) -> None:
    environment = os.environ | {"FLINK_DIR": str(tmp_path / "flink")}
    ended = subprocess.run([_SCRIPT, "status"], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (3, "flink: nothing runs\n")
