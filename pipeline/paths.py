"""Where a run writes: everything lies under the working directory, and one run at a time writes there."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config.concurrency import ConcurrencySettings
from schema.errors import Refused

_BETWEEN_TRIES_S = 0.5


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

    @property
    def code(self) -> Path:
        """This project's own, for Beam's workers elsewhere; `pipeline.beam.pack_code` writes it."""
        return Path(self.root, "code.zip")

    def new_run(self) -> Path:
        """Makes the folder of a new run, named by the time it began in UTC."""
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        folder = self.runs / started
        folder.mkdir(parents=True)
        return folder

    @contextmanager
    def locked(
        self,
        pipeline_name: str,
        concurrency: ConcurrencySettings | None = None,
        say: Callable[[str], object] = str,
    ) -> Iterator[bool]:
        """Holds the working directory for one run; the lock goes with the process, however it ends.

        Args:
            pipeline_name: Whose directory it is.
            concurrency: What to do where another run is at work.
            say: Told, in a line, what is waited for.

        Yields:
            Whether another run was waited for.

        Raises:
            Refused: Another run is at work here, or the directory belongs to another pipeline or cannot be written.
        """
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(Path(self.root, ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise Refused(f"work_dir {self.root}: cannot be written: {error.strerror}") from None
        with os.fdopen(descriptor, "r+b", buffering=0):
            waited = self._take(descriptor, concurrency or ConcurrencySettings(), say)
            owner, *_ = _lines(descriptor)
            if owner and owner != pipeline_name:
                raise Refused(
                    f"work_dir {self.root}: belongs to pipeline '{owner}', not '{pipeline_name}'; choose another"
                )
            since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
            _rewrite(descriptor, pipeline_name, f"process {os.getpid()}, since {since}")
            try:
                yield waited
            finally:
                _rewrite(descriptor, pipeline_name)

    def _take(self, descriptor: int, concurrency: ConcurrencySettings, say: Callable[[str], object]) -> bool:
        """Locks the open file; whether that meant to wait."""
        until = time.monotonic() + (concurrency.longest_wait_s if concurrency.when_busy == "wait" else 0)
        waited = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return waited
            except BlockingIOError:
                _, *holder = _lines(descriptor)
                who = f"another run ({holder[0]})" if holder else "another run"
            if time.monotonic() >= until:
                still = f" still, after {concurrency.longest_wait_s:g} s" if waited else ""
                what = "" if waited else "; wait, set concurrency.when_busy to wait, or choose another work_dir"
                raise Refused(f"work_dir {self.root}: {who} is at work there{still}{what}")
            if not waited:
                say(f"Waiting for {who} at work in {self.root}, {concurrency.longest_wait_s:g} s at most ...")
                waited = True
            time.sleep(min(_BETWEEN_TRIES_S, max(0.0, until - time.monotonic())))


def _lines(descriptor: int) -> list[str]:
    """Of the lock's file: the pipeline it belongs to, and while it is held, by whom. At least one, maybe empty."""
    return os.pread(descriptor, 4096, 0).decode(errors="replace").splitlines() or [""]


def _rewrite(descriptor: int, *lines: str) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))
