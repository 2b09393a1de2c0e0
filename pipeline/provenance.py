"""Provenance of a run: command, machine, user and git commit of the code."""

import getpass
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from components.common.secrets import without_secret_value
from components.report.summary import Provenance

_ROOT = Path(__file__).parents[1]
_GIT_TIMEOUT_S = 5


def find_provenance(arguments: Sequence[str] | None = None, *, runner: str = "") -> Provenance:
    """Return what is known of this process.

    Args:
        arguments: The command line; None: this process's.
        runner: Service that runs the steps, and the image that it runs; empty: this machine.
    """
    commit = _git("rev-parse", "HEAD")
    return Provenance(
        command=_command(sys.argv if arguments is None else arguments),
        host=socket.gethostname(),
        user=_user(),
        cores=None if runner else len(os.sched_getaffinity(0)),
        commit=commit,
        is_modified=bool(commit and _git("status", "--porcelain", "--untracked-files=no")),
        runner=runner,
    )


def _command(arguments: Sequence[str]) -> str:
    """Return the command line as a shell takes it, without values of `--set` that may grant access."""
    program = Path(arguments[0]).name if arguments else ""
    words = [f"python -m {Path(arguments[0]).parent.name}" if program == "__main__.py" else shlex.quote(program)]
    for word in arguments[1:]:
        option = "--set=" if word.startswith("--set=") else ""
        words.append(shlex.quote(option + without_secret_value(word.removeprefix(option))))
    return " ".join(words)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an id without a name, as in a container
        return str(os.getuid())


def _git(*arguments: str) -> str | None:
    """Return what git prints about the repository of this code; None without git or repository."""
    command = ["git", "-C", str(_ROOT), *arguments]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_GIT_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ended.stdout.strip() if ended.returncode == 0 else None
