"""Disk that a run takes: measured at its end, and compared with the free space before the next one begins."""

import os
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from components.common.files import is_remote
from components.common.outcome import Untried
from components.report.summary import DiskUse, Summary
from pipeline.config.configuration import Configuration
from pipeline.work_dir import WorkDir
from schema.errors import Refused

_RUNS = 5  # the last runs, of which one may have taken everything from the cache
_MIB = 2**20


@dataclass(frozen=True)
class Usage:
    """Bytes on disk.

    Attributes:
        work_dir: Of the working directory.
        registry: Of the registry; 0 if it is remote.
    """

    work_dir: int
    registry: int

    @classmethod
    def measure(cls, config: Configuration) -> "Usage":
        """Return what the folders of a pipeline take now; a file with several links counts once."""
        is_local = not is_remote(config.registry)
        return cls(_used(config.work_dir), _used(config.registry) if is_local else 0)

    def grown_since(self, before: "Usage") -> DiskUse:
        """Return what was added since another measurement, in MiB, rounded up."""
        return DiskUse(
            work_dir_mb=_in_mib(self.work_dir - before.work_dir), registry_mb=_in_mib(self.registry - before.registry)
        )


def check_disk(config: Configuration) -> None:
    """Check that there is as much free space as the largest of the last runs took.

    Raises:
        Untried: There is not; the message has both numbers, and what to do.
    """
    if not config.retention.check_disk:
        return
    needed: defaultdict[int, int] = defaultdict(int)
    folders: dict[int, str] = {}
    taken = _taken(WorkDir(config.work_dir))
    for folder, megabytes in ((config.work_dir, taken.work_dir_mb), (config.registry, taken.registry_mb)):
        if not is_remote(folder):
            device = _existing(folder).stat().st_dev
            needed[device] += megabytes
            folders.setdefault(device, folder)
    for device, folder in folders.items():
        free = shutil.disk_usage(_existing(folder)).free // _MIB
        if needed[device] > free:
            raise Untried(
                f"{folder}: a run needs {needed[device]:,} MiB there, as the last ones took, and {free:,} MiB are free;"
                " free some, for example with `bert-multilabel clean --keep-runs 1 --older-than 0d`, or set"
                " retention.check_disk to false"
            )


def _taken(work_dir: WorkDir) -> DiskUse:
    """Return the most that any of the last runs took."""
    found: list[DiskUse] = []
    for run in sorted(work_dir.runs.glob("*"), reverse=True):
        try:
            disk = Summary.read(str(run)).disk
        except (OSError, Refused):
            continue
        if disk is not None:
            found.append(disk)
        if len(found) == _RUNS:
            break
    return DiskUse(
        work_dir_mb=max((each.work_dir_mb for each in found), default=0),
        registry_mb=max((each.registry_mb for each in found), default=0),
    )


def _existing(folder: str) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in [Path(folder), *Path(folder).parents] if path.exists())


def _used(folder: str) -> int:
    blocks: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - strings, as walk's are
            except OSError:  # gone meanwhile
                continue
            blocks[status.st_dev, status.st_ino] = status.st_blocks
    return 512 * sum(blocks.values())


def _in_mib(size: int) -> int:
    return max(0, -(-size // _MIB))
