"""Processes whose file operations fail: compiling the preloaded library, and a server that forks a process a case."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_SOURCE = Path(__file__).with_name("inject.c")
_ROOT = Path(__file__).parents[2]

KILL = -9
"""Fault at which the process is killed."""

FAULTS = {
    "SIGKILL": KILL,
    "ENOSPC": errno.ENOSPC,
    "EROFS": errno.EROFS,
    "EACCES": errno.EACCES,
    "EIO": errno.EIO,
}
"""What happens at a file operation, by name; an error stays for all later ones, as that of a disk does."""


def compile_library(folder: Path) -> Path | None:
    """Compile the library; return its path, or None if there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "inject.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl"], check=True)
    return library


@dataclass(frozen=True)
class Ended:
    """How the process of a case ended.

    Attributes:
        status: Exit status; negative: the signal that killed it.
        said: What it wrote to stderr.
        shown: What it wrote to stdout.
        operations: Number of file operations that changed something below the folder; 0 if it was killed.
    """

    status: int
    said: str
    shown: str
    operations: int

    @property
    def last_line(self) -> str:
        """Last line of stderr."""
        return next(reversed(self.said.strip().splitlines()), "")


class Server:
    """Process with the preloaded library that has imported the command line, and forks a process for each case.

    Args:
        library: Path of the library; None: cases run without faults.
        folder: Folder for what the processes write to stdout and stderr.
    """

    def __init__(self, library: Path | None, folder: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(_ROOT), "COLUMNS": "400"}
        if library is not None:
            environment["LD_PRELOAD"] = str(library)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.child", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, cwd=_ROOT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def run(
        self, *commands: Sequence[str], under: Path | None = None, at: int = 0, fault: int = 0, memory_mb: int = 0
    ) -> list[Ended]:
        """Run commands at once, each in a process of its own.

        Args:
            commands: Command lines of `tests.faults.child`.
            under: Folder whose changes count, and fail.
            at: Number of the operation that fails first, from 1; 0: none.
            fault: Error number, or `KILL`.
            memory_mb: Limit of each process's memory, on top of what it has, in MiB; 0: none.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        case = {"commands": commands, "under": str(under or ""), "at": at, "fault": fault, "memory_mb": memory_mb}
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        return [Ended(**each) for each in json.loads(self._process.stdout.readline())]
