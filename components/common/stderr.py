"""Redirection of stderr that also catches what C++ libraries write."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO


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
