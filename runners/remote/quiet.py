"""Keep what libraries write off the terminal."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from components.common.stderr import redirected_stderr
from schema.errors import Refused


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries write to stderr, from Python or from C++, off the terminal unless something breaks."""
    with tempfile.TemporaryFile() as kept:
        try:
            with redirected_stderr(kept):
                yield
        except Refused:
            raise
        except Exception:
            kept.seek(0)
            sys.stderr.write(kept.read().decode(errors="replace"))
            raise
