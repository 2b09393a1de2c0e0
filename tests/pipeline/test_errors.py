"""Tests of how errors end a run."""

import errno
import os
import signal

import pytest

from components.common.memory import TooLittleMemory
from components.common.outcome import Untried
from pipeline.errors import StepFailed, Terminated, errors_in_one_line, termination_raised
from schema.errors import Refused


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (Refused("rows.csv: no such file"), 2, "error: rows.csv: no such file"),
        (StepFailed("Trainer", MemoryError("no memory")), 1, "error: Trainer failed: MemoryError: no memory"),
        (Untried("canary: no time"), 1, "error: canary: no time"),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/log.txt"),
            1,
            "error: runs/log.txt: No space left on device; free some disk space, then run again",
        ),
        (
            StepFailed("Trainer", OSError(errno.ENOMEM, "Cannot allocate memory", "/model")),
            1,
            "error: Trainer failed: /model: Cannot allocate memory; free some memory, then run again",
        ),
        (Refused(f"key '{'x' * 9000}'; remove it"), 2, f"error: key '{'x' * 995} ... {'x' * 988}'; remove it"),
        (Refused("two\n\x1b[2Jlines"), 2, "error: two\\n\\x1b[2Jlines"),
        (
            Terminated(),
            143,
            "error: terminated by SIGTERM; finished steps are kept, and the next run continues from there",
        ),
        (
            KeyboardInterrupt(),
            130,
            "error: interrupted; finished steps are kept, and the next run continues from there",
        ),
        (MemoryError(), 1, "error: out of memory; free some, raise the limit, or use a larger machine"),
        (
            ImportError("libtensorflow_cc.so.2: failed to map segment from shared object"),
            1,
            "error: out of memory; free some, raise the limit, or use a larger machine",
        ),
        (TooLittleMemory("this process may take 1 MiB"), 1, "error: this process may take 1 MiB"),
    ],
)
def test_ends_with_one_line_and_the_status_of_the_error(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, errors_in_one_line():
        raise error
    assert ended.value.code == status
    assert capsys.readouterr().err == f"{line}\n"


def test_raises_the_first_sigterm_only() -> None:
    previous = signal.getsignal(signal.SIGTERM)
    told = []

    def end() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            told.append("the second is ignored")

    with pytest.raises(Terminated), termination_raised():
        end()
    assert told
    assert signal.getsignal(signal.SIGTERM) == previous


def test_lets_other_errors_pass() -> None:
    with pytest.raises(FileNotFoundError), errors_in_one_line():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "of a bug")
    with pytest.raises(ImportError), errors_in_one_line():
        raise ImportError("cannot import name 'x' from 'y'")
    with pytest.raises(ZeroDivisionError), errors_in_one_line():
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("message", "last_line"),
    [
        ("Traceback (most recent call last):\n  File x\nValueError: nan\n\n", "ValueError: nan"),
        ("out of memory\n\t [[{{node gradient}}]]\n", "out of memory"),
        ("", "no message"),
    ],
)
def test_a_failed_step_quotes_the_line_that_states_the_error(message: str, last_line: str) -> None:
    assert str(StepFailed("Trainer", ValueError(message))) == f"Trainer failed: ValueError: {last_line}"
