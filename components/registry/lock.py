"""Lock of a local registry, held by whatever changes it. Object stores have no locks."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.common.files import is_remote

_FILE = ".lock"


@contextmanager
def locked(base: str) -> Iterator[None]:
    """Hold the lock of a registry, which is created if it does not exist; the lock of a killed process ends with it.

    Args:
        base: The registry. A remote one has no lock: concurrent runs must be excluded elsewhere.
    """
    if is_remote(base):
        yield
        return
    Path(base).mkdir(parents=True, exist_ok=True)
    with Path(base, _FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def locked_if_free(base: str) -> Iterator[bool]:
    """Hold the lock of an existing local registry unless another process holds it; yield whether it is held."""
    try:
        file = Path(base, _FILE).open("r+")  # noqa: SIM115 - closed below
    except OSError:  # nothing was pushed yet, or it is read-only: nothing can be changed either
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
