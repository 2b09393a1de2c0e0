"""The wheel, installed in a folder of its own and used from an empty one."""

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("cli", "components", "pipeline", "runners", "schema", "serving")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from copies of what the Dockerfile copies."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(_ROOT / name, source)
    for package in _PACKAGES:
        shutil.copytree(_ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    built = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(built), str(source)], check=True, capture_output=True)
    (path,) = built.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*command, "--target", str(folder), str(wheel)], check=True, capture_output=True)
    return folder


def _run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder, with nothing of the checkout in sight."""
    return subprocess.run(
        [str(installed / "bin" / "bert-multilabel"), *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(installed), "COLUMNS": "200"},
    )  # fmt: skip


def test_wheel_has_every_module_and_its_data(wheel: Path) -> None:
    files = [path.relative_to(_ROOT) for package in _PACKAGES for path in (_ROOT / package).rglob("*")]
    expected = {str(file) for file in files if file.suffix in {".py", ".pbtxt", ".j2", ".css", ".js", ".html"}}
    expected |= {f"{package}/py.typed" for package in _PACKAGES}
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == expected


def test_wheel_has_metadata_of_both_files(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == "<3.12,>=3.11"
    requirements = metadata.get_all("Requires-Dist", [])
    assert any(requirement.startswith("tensorflow<") for requirement in requirements)
    assert any(requirement.startswith("pytest<") and "extra" in requirement for requirement in requirements)
    assert any(name.endswith("/licenses/LICENSE") for name in archive.namelist())


def test_command_is_that_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", "import cli, schema; print(cli.__file__, schema.__file__)"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(path.startswith(str(installed)) for path in asked.stdout.split())
    helped = _run(installed, tmp_path, "--help")
    assert helped.returncode == 0, helped.stderr
    assert "schedule" in helped.stdout


def test_project_is_initialised_and_checked_anywhere(installed: Path, tmp_path: Path) -> None:
    rows = "".join(f"{row},message number {row},{'a|b' if row % 2 else 'a'}\n" for row in range(40))
    (tmp_path / "data.csv").write_text(f"id,text,labels\n{rows}")
    made = _run(installed, tmp_path, "init", "--data", "data.csv", "--output", "my")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "my" / "schema.pbtxt").is_file()

    (tmp_path / "data.csv").unlink()
    checked = _run(installed, tmp_path, "check", "--config", "my/pipeline.yaml")
    assert checked.returncode == 2, checked.stderr
    (line,) = checked.stderr.splitlines()
    assert line.startswith("error: ")
    assert "data.csv" in line
