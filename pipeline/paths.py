"""Where a run writes: everything lies under the working directory, and one run at a time writes there."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from schema.errors import Refused


@dataclass(frozen=True)
class WorkDir:
    """The layout of a working directory."""

    root: str

    @property
    def artifacts(self) -> Path:
        return Path(self.root, "artifacts")

    @property
    def metadata(self) -> Path:
        return Path(self.root, "metadata.sqlite")

    @property
    def runs(self) -> Path:
        return Path(self.root, "runs")

    @property
    def resume(self) -> Path:
        """What is kept of trainings under way, for after a kill; `training.checkpoint_every`."""
        return Path(self.root, "resume")

    def new_run(self) -> Path:
        """Makes the folder of a new run, named by the time it began in UTC."""
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        folder = self.runs / started
        folder.mkdir(parents=True)
        return folder

    @contextmanager
    def locked(self, pipeline_name: str) -> Iterator[None]:
        """Holds the working directory for one run; the lock goes with the process, however it ends.

        Raises:
            Refused: Another run is at work here, or the directory belongs to another pipeline or cannot be written.
        """
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(Path(self.root, ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Refused(f"work_dir {self.root}: cannot be written: {error.strerror}") from None
        with os.fdopen(descriptor, "r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(f"work_dir {self.root}: another run is at work there; wait, or choose another") from None
            owner = file.read().strip()
            if owner and owner != pipeline_name:
                raise Refused(
                    f"work_dir {self.root}: belongs to pipeline '{owner}', not '{pipeline_name}'; choose another"
                )
            if not owner:
                file.write(pipeline_name + "\n")
                file.flush()
            yield
