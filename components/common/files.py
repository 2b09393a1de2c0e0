"""Local files without TensorFlow and remote files through TFX's file systems, by the same functions.

TFX's `fileio` imports TensorFlow, which takes seconds. The configuration is checked without it, so it is imported only
for paths that have a scheme. Of object stores, TensorFlow opens `gs://` alone.
"""

import errno
import glob
import gzip
import io
import os
import shutil
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

# Errors of reading a *.gz file that is cut short or is not gzip at all.
DECOMPRESSION_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)

_BUFFER_BYTES = 1 << 20


def is_remote(path: str) -> bool:
    """Return whether a path has a scheme, such as `gs://`."""
    return "://" in path


def url_scheme(path: str) -> str:
    """Return the scheme of a path, without `://`; empty for a local path."""
    return path.partition("://")[0] if is_remote(path) else ""


def display(path: str) -> str:
    """Return a path for messages: relative if it is below the working directory."""
    return path if is_remote(path) or not Path(path).is_relative_to(Path.cwd()) else os.path.relpath(path)


def escape_glob(path: str) -> str:
    """Return a glob pattern that matches this path alone."""
    return path if is_remote(path) else glob.escape(path)


def list_files(pattern: str) -> list[str]:
    """Return the files, without folders, that match a glob pattern, sorted."""
    if is_remote(pattern):
        return sorted(path for path in _fileio().glob(pattern) if not _fileio().isdir(path))
    return sorted(path for path in glob.glob(pattern) if Path(path).is_file())  # noqa: PTH207 - as TFX's driver does


def file_size(path: str) -> int:
    """Return the size of a file in bytes, as stored."""
    return int(_fileio().stat(path).length) if is_remote(path) else Path(path).stat().st_size


def modification_time(path: str) -> float:
    """Return the time of a file's last change, in seconds since 1970. Some file systems keep whole seconds only."""
    return float(_fileio().stat(path).mtime_nsec) / 1e9 if is_remote(path) else Path(path).stat().st_mtime


def open_input(path: str) -> BinaryIO:
    """Open a file to be read once, front to back; *.gz is decompressed."""
    if not is_remote(path):
        return cast(BinaryIO, gzip.open(path)) if path.endswith(".gz") else Path(path).open("rb")
    stream = io.BufferedReader(_RemoteReader(path), _BUFFER_BYTES)
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream) if path.endswith(".gz") else stream)


def open_seekable(path: str) -> BinaryIO:
    """Open a file, as stored, to be read in any order."""
    if not is_remote(path):
        return Path(path).open("rb")
    return cast(BinaryIO, io.BufferedReader(_RemoteReader(path), _BUFFER_BYTES))


def exists(path: str) -> bool:
    """Return whether a file or a folder exists."""
    return bool(_fileio().exists(path)) if is_remote(path) else Path(path).exists()


def is_folder(path: str) -> bool:
    """Return whether a folder exists. In an object store, one exists if there is anything below it."""
    return bool(_fileio().isdir(path)) if is_remote(path) else Path(path).is_dir()


def list_folder(folder: str) -> list[str]:
    """Return the names in a folder, in no order; none if the folder does not exist."""
    if not exists(folder):
        return []
    return list(_fileio().listdir(folder)) if is_remote(folder) else [path.name for path in Path(folder).iterdir()]


def read_bytes(path: str) -> bytes:
    """Read a whole file, as stored.

    Raises:
        FileNotFoundError: The file does not exist.
    """
    if is_remote(path):
        if not exists(path):  # every remote file system has an error of its own; raise the local one
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        with _fileio().open(path, "rb") as file:
            return cast(bytes, file.read())
    return Path(path).read_bytes()


def write_whole(path: str, content: Any, *, private: bool = False) -> None:
    """Write a file atomically: into a temporary file beside it, which is then renamed.

    Args:
        path: Path of the file, which is replaced if it exists.
        content: Bytes, or any object that has a buffer of bytes.
        private: As of `create_whole`.
    """
    with create_whole(path, private=private) as file:
        file.write(content)


@contextmanager
def create_whole(path: str, *, private: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears, complete, when the context is left without an error.

    A local file that it replaces keeps its permissions, and a symbolic link to it stays one.

    Args:
        path: Path of the file.
        private: Make a new local file readable by its owner only, for texts of the data.
    """
    target = path if is_remote(path) else os.path.realpath(path)
    unfinished = f"{target}.{uuid.uuid4().hex}.partial"
    try:
        with _create(unfinished, private=private) as file:
            yield file
            if not is_remote(target):  # otherwise a power cut could leave the new name with an empty file
                file.flush()
                os.fsync(file.fileno())
        if not is_remote(target) and Path(target).exists():
            shutil.copymode(target, unfinished)
        rename(unfinished, target)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # an error of a write does not name its file
            error.filename = target
        with suppress(Exception):  # the partial file may not exist; report the first error
            remove_file(unfinished)
        raise


def rename(source: str, target: str) -> None:
    """Rename a file, and replace the target if it exists."""
    if is_remote(target):
        _fileio().rename(source, target, overwrite=True)
    else:
        os.replace(source, target)  # noqa: PTH105 - symmetrical, and these are strings


def make_folder(path: str) -> None:
    """Create a folder and its parents; do nothing if it exists."""
    if is_remote(path):
        _fileio().makedirs(path)
    else:
        Path(path).mkdir(parents=True, exist_ok=True)


def make_private_folder(path: str) -> None:
    """Create a folder and its parents, itself readable by its owner only; leave it as it is if it exists.

    For what holds texts of the data. A remote folder has the permissions of its bucket.
    """
    if is_remote(path):
        make_folder(path)
    elif not Path(path).is_dir():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).mkdir(mode=0o700, exist_ok=True)  # less what the umask takes away


def remove_file(path: str) -> None:
    """Remove a file, which must exist."""
    if is_remote(path):
        _fileio().remove(path)
    else:
        Path(path).unlink()


def remove_folder(path: str) -> None:
    """Remove a folder with its contents; do nothing if it does not exist."""
    if not is_remote(path):
        shutil.rmtree(path, ignore_errors=True)
    elif _fileio().exists(path):
        _fileio().rmtree(path)


def remove_tree(path: Path) -> None:
    """Remove a local file or a folder with its contents; do nothing if it does not exist.

    Raises:
        OSError: Something of it cannot be removed.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _create(path: str, *, private: bool) -> BinaryIO:
    if is_remote(path):
        return cast(BinaryIO, io.BufferedWriter(_RemoteWriter(path), _BUFFER_BYTES))
    mode = 0o600 if private else 0o666  # less what the umask takes away
    return cast(BinaryIO, open(path, "wb", opener=partial(os.open, mode=mode)))


def _fileio() -> Any:
    from tfx.dsl.io import fileio

    return fileio


class _RemoteReader(io.RawIOBase):
    """File of TFX's `fileio` with the interface that Python's buffering and decompression need."""

    def __init__(self, path: str) -> None:
        self._file = _fileio().open(path, "rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


class _RemoteWriter(io.RawIOBase):
    """File of TFX's `fileio` for writing. TensorFlow's file takes bytes only; Python's own take any buffer."""

    def __init__(self, path: str) -> None:
        self._file = _fileio().open(path, "wb")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._file.write(content)
        return len(content)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()
