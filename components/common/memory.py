"""Check that there is memory for what loads TensorFlow.

Where there is too little, TensorFlow ends in a traceback, aborts the process from C++, or tries again for ever, before
it has computed anything. So the limits of the process are compared first with what loading takes.
"""

import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_MB = 1 << 20
_OF_PROCESS = Path("/proc/self/cgroup")
# Address space, and data in it, in MiB, of a process that has imported TensorFlow 2.21 alone, and with TFX 1.21 and
# TFMA 0.52, on 2 cores; more cores take no less. The latter has 1,071 MiB in memory, of which the pages of libraries
# can be dropped and read again.
_TENSORFLOW, _WITH_TFX = (1_855, 468), (2_264, 668)
_CGROUPS = Path("/sys/fs/cgroup")


class TooLittleMemory(MemoryError):  # noqa: N818 - it reads as what happened
    """Limit on the process's memory below what loading TensorFlow takes; the message says which, and what to do."""


@dataclass(frozen=True)
class _Limit:
    """Limit on the memory of this process.

    Attributes:
        allowed: What the process may take, in bytes.
        needed_mb: What loading TensorFlow takes of it, in MiB.
        what: What is limited.
        where: Where the limit is set.
    """

    allowed: int
    needed_mb: int
    what: str
    where: str


def check_memory(*, tfx: bool = True) -> None:
    """Check that the limits on this process's memory leave room for TensorFlow.

    Args:
        tfx: Whether TFX or Beam are loaded as well.

    Raises:
        TooLittleMemory: They do not.
    """
    name = "TensorFlow and TFX" if tfx else "TensorFlow"
    for limit in _limits(*(_WITH_TFX if tfx else _TENSORFLOW)):
        if limit.allowed < limit.needed_mb * _MB:
            raise TooLittleMemory(
                f"this process may take {limit.allowed // _MB:,} MiB of {limit.what} ({limit.where}), and loading"
                f" {name} alone takes {limit.needed_mb:,} MiB; raise the limit, or use a larger machine"
            )


def _limits(address_space_mb: int, data_mb: int) -> Iterator[_Limit]:
    for number, needed_mb, what, where in (
        (resource.RLIMIT_AS, address_space_mb, "address space", "ulimit -v"),
        (resource.RLIMIT_DATA, data_mb, "data", "ulimit -d"),
    ):
        allowed, _ = resource.getrlimit(number)
        if allowed != resource.RLIM_INFINITY:
            yield _Limit(allowed, needed_mb, what, where)
    for file in _cgroup_files():
        try:
            yield _Limit(int(file.read_text()), data_mb, "memory", str(file))
        except (OSError, ValueError):  # there is no such group, or its limit is "max"
            continue


def _cgroup_files() -> Iterator[Path]:
    """Yield the files that may hold a memory limit of this process's control groups, of version 1 and 2."""
    try:
        lines = _OF_PROCESS.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        below, name = ("", "memory.max") if not controllers else ("memory", "memory.limit_in_bytes")
        if controllers and "memory" not in controllers.split(","):
            continue
        path = PurePosixPath(group)
        # In a container, the group is the root of what is mounted, whatever its name outside is.
        for each in (path, *path.parents):
            yield _CGROUPS / below / str(each).lstrip("/") / name
