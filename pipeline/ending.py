"""End a process in one line on stderr where a user can mend what went wrong."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from components.common.outcome import EXIT_STATUS
from pipeline.running import StepFailed
from schema.errors import Refused

_INTERRUPTED = 130


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn refusals, failed steps and interruptions into one line on stderr and the exit status of their kind."""
    try:
        yield
    except Refused as refusal:
        _end(str(refusal), EXIT_STATUS["refused"])
    except StepFailed as failure:
        _end(str(failure), EXIT_STATUS["failed"])
    except KeyboardInterrupt:
        _end("interrupted; what was finished is kept, the next run goes on from there", _INTERRUPTED)


def _end(message: str, status: int) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(Text(f"error: {message}"))
    sys.exit(status)
