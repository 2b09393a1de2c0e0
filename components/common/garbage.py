"""Garbage collection around imports."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Iterator[None]:
    """Collect no garbage in the block, which imports large packages, and leave what it creates alone afterwards.

    Importing TensorFlow creates hundreds of thousands of objects that all stay. Python would look through them again
    and again, and once more when it exits, which takes a quarter of the processor time of a short command.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
