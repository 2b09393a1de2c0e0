"""Request log: answers are queued in memory and written by a thread of its own, never in the way of an answer."""

import hashlib
import hmac
import io
import logging
import os
import random
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pyarrow.parquet as pq

from components.common.files import is_remote, make_private_folder, write_whole
from schema.errors import Refused
from serving.request_log.rows import HEADER_KEY, KEY_FILE, LoggedAnswer, table_of
from serving.request_log.settings import RequestLogSettings

_LOG = logging.getLogger(__name__)
_KEY_BYTES = 32
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}/\d{2}/[^/]+\.parquet")
_MB = 1 << 20


@dataclass(frozen=True)
class LogCounts:
    """What became of the rows so far.

    Attributes:
        written: Rows in files.
        dropped: Rows that did not fit into the queue, or that could not be written.
        waiting: Rows that are not written yet.
        bytes: Size of the log's files.
    """

    written: int
    dropped: int
    waiting: int
    bytes: int


class RequestLog:
    """Log in a folder, which several servers may share. Use it as a context manager: leaving it writes what waits.

    Rows that wait are lost if the process is killed. A file appears whole or not at all.

    Args:
        settings: What is logged, and where.

    Raises:
        Refused: The folder cannot be used.
    """

    def __init__(self, settings: RequestLogSettings) -> None:
        if is_remote(settings.folder):
            raise Refused(
                f"{settings.folder}: the request log needs a local folder; copy its files to a bucket from there"
            )
        self._settings = settings
        self._folder = Path(settings.folder)
        try:
            make_private_folder(settings.folder)
            self._key = _read_key(self._folder / KEY_FILE)
            self._bytes = sum(path.stat().st_size for path in self._files())
        except OSError as error:
            raise Refused(
                f"{settings.folder}: cannot be used for the request log ({error.strerror or error})"
            ) from None
        self._lock = threading.Lock()
        self._answers: list[LoggedAnswer] = []
        self._waiting = self._written = self._dropped = self._reported_dropped = 0
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_stopping = True
        self._wake.set()
        self._thread.join()

    @property
    def counts(self) -> LogCounts:
        with self._lock:
            return LogCounts(self._written, self._dropped, self._waiting, self._bytes)

    @property
    def keeps_slices(self) -> bool:
        return self._settings.slices

    def takes(self) -> bool:
        """Return whether the next answer is of the sample."""
        return self._settings.sample >= 1 or random.random() < self._settings.sample

    def offer(self, answer: LoggedAnswer) -> None:
        """Queue an answer of the sample, if there is room; return at once."""
        rows = len(answer.texts)
        with self._lock:
            if self._waiting + rows > self._settings.queue_rows:
                self._dropped += rows
                return
            self._answers.append(answer)
            self._waiting += rows
            is_full = self._waiting >= self._settings.rows_per_file
        if is_full:
            self._wake.set()

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.wait(self._settings.flush_s)
            self._wake.clear()
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        with self._lock:
            answers, self._answers = self._answers, []
        for group in _grouped(answers):
            rows = sum(len(answer.texts) for answer in group)
            try:
                size = self._write(group)
            except Exception as error:  # above all a full disk; the log must never end the server
                _LOG.error("request log: %d rows could not be written (%s)", rows, error)
                size = None
            with self._lock:
                self._waiting -= rows
                self._written += rows if size is not None else 0
                self._dropped += rows if size is None else 0
                self._bytes += size or 0
        if answers:
            self._remove_oldest()

    def _write(self, answers: Sequence[LoggedAnswer]) -> int:
        """Write answers of one version and hour; return the size of the file."""
        with self._lock:
            dropped, self._reported_dropped = self._dropped - self._reported_dropped, self._dropped
        update = {"sample": self._settings.sample, "dropped": dropped}
        header = answers[0].header.model_copy(update=update)
        table = table_of(
            answers, [self._logged_id(answer) for answer in answers], texts=self._settings.texts,
            languages=self._settings.languages,
        )  # fmt: skip
        buffer = io.BytesIO()
        metadata = {HEADER_KEY: header.model_dump_json().encode()}
        pq.write_table(table.replace_schema_metadata(metadata), buffer, compression="zstd")
        hour = datetime.fromtimestamp(answers[0].time, UTC)
        folder = self._folder / f"{hour:%Y-%m-%d}" / f"{hour:%H}"
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(str(folder / f"{header.version}-{secrets.token_hex(8)}.parquet"), buffer.getvalue())
        return buffer.tell()

    def _logged_id(self, answer: LoggedAnswer) -> str:
        if answer.request_id is None:
            return secrets.token_hex(16)
        return hmac.new(self._key, answer.request_id.encode(), hashlib.sha256).hexdigest()[:32]

    def _remove_oldest(self) -> None:
        """Remove the oldest files while the log is larger than it may be; the newest file stays."""
        if self.counts.bytes <= self._settings.max_mb * _MB:
            return
        files = sorted(self._files())
        sizes = {path: _size(path) for path in files}
        total = sum(sizes.values())  # again, because other servers may write to the folder
        for path in files[:-1]:
            if total <= self._settings.max_mb * _MB:
                break
            path.unlink(missing_ok=True)
            total -= sizes[path]
            for folder in path.parents[:2]:
                if not any(folder.iterdir()):
                    folder.rmdir()
        with self._lock:
            self._bytes = total

    def _files(self) -> Iterator[Path]:
        """Yield the files of the log; anything else in its folder is left alone."""
        for path in self._folder.glob("*/*/*.parquet"):
            if _NAME.fullmatch(path.relative_to(self._folder).as_posix()):
                yield path


def _grouped(answers: Sequence[LoggedAnswer]) -> list[list[LoggedAnswer]]:
    """Return the answers by version and hour, in order."""
    groups: dict[tuple[int, str, int], list[LoggedAnswer]] = {}
    for answer in answers:
        groups.setdefault((answer.header.version, answer.header.model_id, int(answer.time // 3600)), []).append(answer)
    return list(groups.values())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # removed by another server
        return 0


def _read_key(path: Path) -> bytes:
    """Return the key of the hashes, which is created with the log: without it, ids cannot be found by trying."""
    if not path.exists():
        _create_key(path)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise Refused(f"{path}: is damaged; remove it, then ids are hashed with a new key")
    return key


def _create_key(path: Path) -> None:
    """Create a key, whole from the first moment on; keep that of a server that creates one at the same time."""
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    try:
        write_whole(str(unfinished), secrets.token_bytes(_KEY_BYTES), private=True)
        os.link(unfinished, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links, such as a mounted bucket
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
