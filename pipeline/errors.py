"""Errors that end a run: what they mean for its outcome, and how a process ends with them in one line on stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from components.common.outcome import EXIT_STATUS, Outcome
from schema.errors import Refused

_INTERRUPTED = 130  # as a shell reports SIGINT


class StepFailed(Exception):  # noqa: N818 - it reads as what happened
    """Failure of a component that the user cannot fix in the data or the configuration.

    Attributes:
        step: Name of the component.
    """

    def __init__(self, step: str, cause: Exception) -> None:
        super().__init__(f"{step} failed: {type(cause).__name__}: {_last_line(str(cause))}")
        self.step = step


def outcome_of(error: Exception) -> Outcome:
    """Return the outcome of a run that an error has ended.

    Example:
        >>> outcome_of(Refused("rows.csv: no such file")), outcome_of(StepFailed("Trainer", MemoryError()))
        ('refused', 'failed')
    """
    return "refused" if isinstance(error, Refused) else "failed"


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn refusals, failed steps and interruptions into one line on stderr and the exit status of their kind.

    Raises:
        SystemExit: The block raised such an error.
    """
    try:
        yield
    except (Refused, StepFailed) as error:
        _exit(str(error), EXIT_STATUS[outcome_of(error)])
    except KeyboardInterrupt:
        _exit("interrupted; finished steps are kept, and the next run continues from there", _INTERRUPTED)


def _exit(message: str, status: int) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, soft_wrap=True, highlight=False).print(Text(f"error: {message}"))
    sys.exit(status)


def _last_line(message: str) -> str:
    """Return the line that states the error: TensorFlow and Beam put tracebacks into messages, the error last."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not line.startswith("[[")), "no message")
