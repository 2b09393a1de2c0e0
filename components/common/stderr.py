"""Redirection of stderr that also catches what C++ libraries write."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from schema.errors import Refused


@contextmanager
def redirected_stderr(file: IO[bytes]) -> Iterator[None]:
    """Send what is written to stderr, from Python or from C++, to an open file.

    Args:
        file: File with a descriptor of its own; written to at its position.
    """
    sys.stderr.flush()
    original = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(original, 2)
        os.close(original)


@contextmanager
def quiet(shown_after: type[BaseException] = Exception) -> Iterator[None]:
    """Keep what libraries write to stderr, from Python or from C++, off the terminal unless something breaks.

    Args:
        shown_after: Errors before which it is printed after all; a refusal explains itself.
    """
    with TemporaryFile() as kept:
        try:
            with redirected_stderr(kept):
                yield
        except Refused:
            raise
        except shown_after:
            kept.seek(0)
            sys.stderr.write(kept.read().decode(errors="replace"))
            raise
