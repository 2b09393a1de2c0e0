"""Keep what libraries write off the terminal."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from schema.errors import Refused


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries write to stderr, from Python or from C++, off the terminal unless something breaks."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Refused:
            raise
        except Exception:
            sys.stderr.flush()
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
