"""Runs of the command line in processes that have imported TensorFlow and TFX already: most cases then take seconds."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

_ROOT = Path(__file__).parents[2]
_POLL_S = 0.05

BEFORE_EXECUTOR = "before its executor"
"""End of a case: the process ends when the case's step is about to make its outputs anew."""

EXECUTOR_REACHED, NOT_REACHED, STOPPED = 77, 78, 79
"""Exit statuses: the case ended there; the step ended, and has written no file that the fault waited for; the run
failed before the fault began, so by something that an earlier fault left behind."""

START, END = "before its first step", "after its last step"
"""Instead of a step: the time before the first one and that after the last one."""

STEP_MARK = "== "
"""Beginning of the lines of a trace that name the step whose operations follow."""


@dataclass(frozen=True)
class Case:
    """Run, and what happens to it.

    Attributes:
        arguments: Arguments of the command line.
        shown: File for what it writes to stdout.
        said: File for what it writes to stderr.
        under: Folder whose changes fail, or are written down.
        step: Step in which a fault begins, `START` or `END`; or before whose executor the process ends.
        pattern: Path below `under`, with `*`, at whose first change the fault begins; it then stays for all files.
        error: Error number; 0: none.
        end: `BEFORE_EXECUTOR`, or empty.
        trace: File for the path of every change, after the name of its step; empty: none.
        clock_s: Seconds that the clock is ahead.
    """

    arguments: Sequence[str]
    shown: str
    said: str
    under: str = ""
    step: str = ""
    pattern: str = ""
    error: int = 0
    end: str = ""
    trace: str = ""
    clock_s: int = 0


@dataclass
class Run:
    """Run in progress.

    Attributes:
        pid: Process.
        shown: File with what it has written to stdout so far.
        said: File with what it has written to stderr so far.
    """

    pid: int
    shown: Path
    said: Path
    _server: "RunServer" = field(repr=False)

    def lines(self) -> Iterator[str]:
        """Yield each line of stdout as soon as it is there, until the process has ended."""
        with self.shown.open(encoding="utf-8") as file:
            line = ""
            while True:
                line += file.readline()
                if line.endswith("\n"):
                    yield line
                    line = ""
                elif self._has_ended():
                    return
                else:
                    time.sleep(_POLL_S)

    def wait(self) -> int:
        """Wait for the end; return the exit status, negative: the signal that killed it."""
        return self._server.wait(self.pid)

    def last_words(self) -> list[str]:
        """Return the lines of stderr."""
        return self.said.read_text(encoding="utf-8", errors="replace").strip().splitlines()

    def _has_ended(self) -> bool:
        # A process that nobody has waited for is a zombie.
        state = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        return state == "Z"


class RunServer:
    """Process with the preloaded library that has imported what a run imports, and forks a process for each run.

    Args:
        library: Path of the library; None: no fault can be injected.
        folder: Folder for what the processes write to stdout and stderr.

    Attributes:
        injects: Whether faults can be injected.
    """

    def __init__(self, library: Path | None, folder: Path) -> None:
        self.injects = library is not None
        self._folder = folder
        self._count = 0
        environment = os.environ | {"PYTHONPATH": str(_ROOT), "COLUMNS": "300"}
        if library is not None:
            environment["LD_PRELOAD"] = str(library)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.run_child", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, cwd=_ROOT,
        )  # fmt: skip
        assert self._read() == "ready"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def start(self, arguments: Sequence[str], **what: str | int) -> Run:
        """Start a run.

        Args:
            arguments: Arguments of the command line.
            what: Further attributes of the `Case`.
        """
        self._count += 1
        shown, said = self._folder / f"{self._count}.out", self._folder / f"{self._count}.err"
        shown.touch()
        case = Case(arguments, str(shown), str(said), **what)  # type: ignore[arg-type]
        return Run(int(self._ask(asdict(case))), shown, said, self)

    def wait(self, pid: int) -> int:
        """Wait for a process; return its exit status."""
        return int(self._ask({"wait": pid}))

    def _ask(self, request: dict[str, object]) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
