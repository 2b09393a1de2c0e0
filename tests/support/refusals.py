"""Checks that a command refuses in one line, and early."""

import subprocess
import sys
from collections.abc import Iterable

import pytest

from tests.end_to_end.command import command


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must exit with status 2; return the one line that it wrote to stderr."""
    status = command(*arguments)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert status == 2
    assert line.startswith("error: ")
    return line


def refused_without(modules: Iterable[str], *arguments: str) -> str:
    """Run a command in a process of its own that must exit with status 2 and must not import any of some modules.

    Args:
        modules: Names of the modules.
        arguments: The command and its arguments.

    Returns:
        The one line that it wrote to stderr.
    """
    code = (
        f"import sys; from cli import main as cli; sys.argv[1:] = {list(arguments)}\n"
        "try: cli.main()\n"
        f"finally: assert not {set(modules)} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    (line,) = ended.stderr.strip().splitlines()
    assert ended.returncode == 2
    return line
