"""Tests of how errors end a run."""

import pytest

from pipeline.errors import StepFailed, errors_in_one_line
from schema.errors import Refused


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (Refused("rows.csv: no such file"), 2, "error: rows.csv: no such file"),
        (StepFailed("Trainer", MemoryError("no memory")), 1, "error: Trainer failed: MemoryError: no memory"),
        (
            KeyboardInterrupt(),
            130,
            "error: interrupted; finished steps are kept, and the next run continues from there",
        ),
    ],
)
def test_ends_with_one_line_and_the_status_of_the_error(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, errors_in_one_line():
        raise error
    assert ended.value.code == status
    assert capsys.readouterr().err == f"{line}\n"


def test_lets_other_errors_pass() -> None:
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
