"""The order of the house: what may import what, and what the set-up refuses."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
# Each may import itself and what stands after it.
_ORDER = ("cli", "runners", "pipeline", "components", "schema")


def _imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", _ORDER)
def test_imports_point_one_way(package: str) -> None:
    above = set(_ORDER[: _ORDER.index(package)]) | {"tests", "benchmarks"}
    for path in (_ROOT / package).rglob("*.py"):
        # `python -m pipeline` is an entry point, and so above everything.
        assert path.name == "__main__.py" or not _imported(path) & above, path


def test_no_module_is_longer_than_a_sitting() -> None:
    for package in _ORDER:
        for path in (_ROOT / package).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_help_answers_without_tensorflow() -> None:
    code = (
        "import sys; from cli import main as cli; sys.argv[1:] = ['--help']\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras', 'pyarrow'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    for command in ("run", "init", "predict", "labels", "models", "compile", "schedule"):
        assert command in ended.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["quarantine", "/nowhere"],
        ["report", "/nowhere"],
        ["history", "/nowhere"],
        ["labels", "list", "--schema", "/nowhere"],
        ["models", "list", "--registry", "/nowhere"],
    ],
)
def test_what_reads_files_only_needs_no_tensorflow(arguments: list[str]) -> None:
    code = (
        f"import sys; from cli import main as cli; sys.argv[1:] = {arguments}\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("error: /nowhere: no ")


def test_every_tfx_component_can_be_imported() -> None:
    # tfx.components swallows ImportErrors and leaves None.
    from tfx.v1 import components

    for name in ("StatisticsGen", "ExampleValidator", "Transform", "Trainer", "Evaluator", "Pusher"):
        assert getattr(components, name) is not None


def _set_up(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    shutil.copytree(_ROOT / "scripts", folder / "scripts")
    return subprocess.run(
        ["bash", str(folder / "scripts" / "setup.sh")],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("#!/bin/sh\nexit 127\n", "Python 3.11 is missing"),
        # A Python without its ensurepip, as Debian ships it.
        ('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', "lacks a standard module"),
        (
            '#!/bin/sh\ncase "$2" in *Python.h*) exit 1;; esac\n',
            "a C++ compiler or the headers of Python 3.11 are missing",
        ),
    ],
)
def test_set_up_says_in_one_line_what_is_missing(tmp_path: Path, python: str, message: str) -> None:
    fake = tmp_path / "python3.11"
    fake.write_text(python)
    fake.chmod(0o755)
    ended = _set_up(tmp_path / "clone", PYTHON=str(fake))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert message in line
    assert "Dockerfile" in line
    assert not (tmp_path / "clone" / ".venv").exists()
