"""Virtual environments for packages that cannot be in the tests' own: below build/, created once."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

_BUILD = Path(__file__).parents[2] / "build"


def python_of(name: str, lock: Path) -> Path:
    """Return the Python of an environment, which is created if there is none; skip the test where that fails.

    Args:
        name: Name and version of the package, which is the environment's folder.
        lock: Its packages, with hashes.
    """
    environment = _BUILD / name
    python = environment / "bin" / "python"
    if python.exists():
        return python
    environment.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=environment.parent) as folder:
        new = Path(folder, "environment")
        uv = Path(sys.executable).with_name("uv")
        install = ["pip", "install", "--python", str(new / "bin" / "python"), "--require-hashes", "--no-build"]
        for command in (["venv", "--python", "3.11", "--relocatable", str(new)], [*install, "-r", str(lock)]):
            ended = subprocess.run([uv, *command], capture_output=True, text=True, check=False)
            if ended.returncode:
                pytest.skip(f"{name} cannot be installed: {' '.join(ended.stderr.split())[-300:]}")
        try:
            new.rename(environment)
        except OSError:  # another process was faster
            assert python.exists()
    return python
