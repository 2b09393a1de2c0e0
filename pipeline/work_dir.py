"""Layout and lock of a working directory. A run writes below it, and one run at a time does."""

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.common.files import make_private_folder
from pipeline.config.concurrency import ConcurrencySettings
from schema.errors import Refused

_POLL_S = 0.5
_FULL = (errno.ENOSPC, errno.EDQUOT)  # `pipeline.errors` says what to do
# `is_busy` holds the lock for an instant, which must not end a run that starts just then.
_TRIES, _TRY_S = 4, 0.05


@dataclass(frozen=True)
class WorkDir:
    """Working directory of a pipeline."""

    root: str

    @property
    def artifacts(self) -> Path:
        """Root of the artifacts of local runs."""
        return Path(self.root, "artifacts")

    @property
    def metadata(self) -> Path:
        """Sqlite file of ML Metadata."""
        return Path(self.root, "metadata.sqlite")

    @property
    def runs(self) -> Path:
        """Folder of the runs' own folders."""
        return Path(self.root, "runs")

    @property
    def resume(self) -> Path:
        """Folder of interrupted trainings, which `training.checkpoint_every` asks for."""
        return Path(self.root, "resume")

    @property
    def code(self) -> Path:
        """Zip of this project's code for Beam workers on other machines; `pipeline.code.pack_code` writes it."""
        return Path(self.root, "code.zip")

    def check_metadata(self) -> None:
        """Refuse a metadata file that sqlite cannot read: ML Metadata's own error names neither file nor remedy.

        What a killed run had begun to write is rolled back, which needs the file to be opened for writing.
        """
        if not self.metadata.exists():
            return
        try:
            with closing(sqlite3.connect(f"{self.metadata.resolve().as_uri()}?mode=rw", uri=True)) as connection:
                (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # a run writes to it just now
                return
            result = str(error)
        if result != "ok":
            raise Refused(
                f"{self.metadata}: is damaged ({' '.join(str(result).split())}); restore it, or delete it: every step"
                " then runs anew, artifacts/ is emptied, and the history has what is in the folders of the runs"
            )

    def exists(self) -> bool:
        """Return whether the working directory exists."""
        return Path(self.root).is_dir()

    def is_busy(self) -> bool:
        """Return whether a run is in progress here; the lock is held for an instant to find out.

        True also if that cannot be found out, because the lock is another user's.
        """
        try:
            descriptor = os.open(Path(self.root, ".lock"), os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def new_run(self) -> Path:
        """Create the folder of a new run, named by the current time in UTC, and return its path."""
        started = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        # Private also in a directory that somebody else created, since what TFX writes follows the umask.
        for parent in (self.artifacts, self.runs):
            make_private_folder(str(parent))
        folder = self.runs / started
        folder.mkdir()
        return folder

    @contextmanager
    def locked(
        self,
        pipeline_name: str,
        concurrency: ConcurrencySettings | None = None,
        notify: Callable[[str], object] = str,
    ) -> Iterator[bool]:
        """Hold the working directory for one run; the lock is gone when the process is, however that ends.

        Args:
            pipeline_name: Name of the pipeline that the directory belongs to.
            concurrency: What to do if another run is in progress; None: refuse.
            notify: Function that is called with a line about what the run waits for.

        Yields:
            Whether the run had to wait for another one.

        Raises:
            Refused: Another run is in progress here, or the directory belongs to another pipeline or cannot be written.
        """
        try:
            make_private_folder(self.root)
            descriptor = os.open(Path(self.root, ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            if error.errno in _FULL:
                raise
            raise Refused(f"work_dir {self.root}: cannot be written: {error.strerror}; choose another") from None
        with os.fdopen(descriptor, "r+b", buffering=0):
            waited = self._lock(descriptor, concurrency or ConcurrencySettings(), notify)
            owner, *_ = _read_lines(descriptor)
            if owner and owner != pipeline_name:
                raise Refused(
                    f"work_dir {self.root}: belongs to pipeline '{owner}', not '{pipeline_name}'; choose another"
                )
            since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
            try:
                _write_lines(descriptor, pipeline_name, f"process {os.getpid()}, since {since}")
            except OSError as error:
                raise _of(error, Path(self.root, ".lock")) from None
            try:
                yield waited
            finally:
                with suppress(OSError):  # such as a full disk, which must not hide how the run ended
                    if self.metadata.exists():  # sqlite creates it by the umask; it holds the configuration
                        self.metadata.chmod(self.metadata.stat().st_mode & 0o700)
                    _write_lines(descriptor, pipeline_name)

    def _lock(self, descriptor: int, concurrency: ConcurrencySettings, notify: Callable[[str], object]) -> bool:
        """Lock the open file; return whether that took waiting for another run."""
        limit_s = concurrency.longest_wait_s if concurrency.when_busy == "wait" else 0
        deadline = time.monotonic() + limit_s
        waited = False
        while True:
            if _try_lock(descriptor, tries=1 if limit_s else _TRIES):
                return waited
            _, *holder = _read_lines(descriptor)
            other = f"another run ({holder[0]})" if holder else "another run"
            if time.monotonic() >= deadline and waited:
                raise Refused(f"work_dir {self.root}: {other} is still in progress there after {limit_s:g} s")
            if time.monotonic() >= deadline:
                raise Refused(
                    f"work_dir {self.root}: {other} is in progress there; wait for it, set concurrency.when_busy to"
                    " wait, or choose another work_dir"
                )
            if not waited:
                notify(f"Waiting for {other} in {self.root}, at most {limit_s:g} s ...")
                waited = True
            time.sleep(min(_POLL_S, max(0.0, deadline - time.monotonic())))


def _try_lock(descriptor: int, *, tries: int) -> bool:
    """Lock the open file, unless it is locked at each of several tries; return whether it is held."""
    for number in range(tries):
        if number:
            time.sleep(_TRY_S)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            continue
    return False


def _of(error: OSError, path: Path) -> OSError:
    """Return an error of a descriptor with the name of its file, which the kernel does not tell."""
    return OSError(error.errno, error.strerror, str(path))


def _read_lines(descriptor: int) -> list[str]:
    """Read the lock's file: the name of its pipeline, and while it is held, its holder. At least one, maybe empty."""
    return os.pread(descriptor, 4096, 0).decode(errors="replace").splitlines() or [""]


def _write_lines(descriptor: int, *lines: str) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))
