"""Local files without TensorFlow, remote ones through TFX's file systems: the same few functions for both.

TFX's `fileio` imports TensorFlow, which takes seconds; the configuration is checked without it, so it is imported only
where a path has a scheme. Of object stores TensorFlow opens `gs://` alone.
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
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

# What reading a *.gz that is cut short or is no gzip at all raises.
DECOMPRESSION_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)


def is_remote(path: str) -> bool:
    return "://" in path


def scheme_of(path: str) -> str:
    """What stands before `://`; empty for a local path."""
    return path.partition("://")[0] if is_remote(path) else ""


def display(path: str) -> str:
    """The path as a user would write it: relative, where it lies below the working directory."""
    return path if is_remote(path) or not Path(path).is_relative_to(Path.cwd()) else os.path.relpath(path)


def literal(path: str) -> str:
    """A pattern that matches this path alone, where it holds characters that mean something in patterns."""
    return path if is_remote(path) else glob.escape(path)


def list_files(pattern: str) -> list[str]:
    """The files, never folders, that match a glob pattern, sorted."""
    if is_remote(pattern):
        return sorted(path for path in _fileio().glob(pattern) if not _fileio().isdir(path))
    return sorted(path for path in glob.glob(pattern) if Path(path).is_file())  # noqa: PTH207 - as TFX's driver does


def size_of(path: str) -> int:
    """Bytes, as stored."""
    return int(_fileio().stat(path).length) if is_remote(path) else Path(path).stat().st_size


def modified(path: str) -> float:
    """When a file was last changed, in seconds since 1970; more than one file system keeps whole seconds only."""
    return float(_fileio().stat(path).mtime_nsec) / 1e9 if is_remote(path) else Path(path).stat().st_mtime


def open_input(path: str) -> BinaryIO:
    """Opens a file to be read once, front to back; *.gz is decompressed."""
    if not is_remote(path):
        return cast(BinaryIO, gzip.open(path)) if path.endswith(".gz") else Path(path).open("rb")
    stream = io.BufferedReader(_RemoteFile(path), 1 << 20)
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream) if path.endswith(".gz") else stream)


def open_seekable(path: str) -> BinaryIO:
    """Opens a file, as stored, to be read in any order."""
    return cast(BinaryIO, io.BufferedReader(_RemoteFile(path), 1 << 20)) if is_remote(path) else Path(path).open("rb")


def exists(path: str) -> bool:
    return bool(_fileio().exists(path)) if is_remote(path) else Path(path).exists()


def list_folder(folder: str) -> list[str]:
    """The names in a folder, none if it is not there."""
    if not exists(folder):
        return []
    return list(_fileio().listdir(folder)) if is_remote(folder) else [path.name for path in Path(folder).iterdir()]


def read_bytes(path: str) -> bytes:
    """The whole file as stored.

    Raises:
        FileNotFoundError: There is none.
    """
    if is_remote(path):
        if not exists(path):  # each file system has an error of its own; this is the local one's
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        with _fileio().open(path, "rb") as file:
            return cast(bytes, file.read())
    return Path(path).read_bytes()


def write_whole(path: str, content: Any) -> None:
    """Writes a file that is there complete or not at all: beside its place, then renamed."""
    with create_whole(path) as file:
        file.write(content)


@contextmanager
def create_whole(path: str) -> Iterator[BinaryIO]:
    """Opens a file for writing that is there complete, when the context is left without an error, or not at all."""
    partial = f"{path}.{uuid.uuid4().hex}.partial"
    with io.BufferedWriter(_RemoteSink(partial), 1 << 20) if is_remote(path) else Path(partial).open("wb") as file:
        yield cast(BinaryIO, file)
    rename(partial, path)


def rename(source: str, target: str) -> None:
    """Puts a finished file in its place, over what may be there."""
    if is_remote(target):
        _fileio().rename(source, target, overwrite=True)
    else:
        os.replace(source, target)  # noqa: PTH105 - symmetrical, and these are strings


def make_folder(path: str) -> None:
    if is_remote(path):
        _fileio().makedirs(path)
    else:
        Path(path).mkdir(parents=True, exist_ok=True)


def remove_file(path: str) -> None:
    """Removes a file that is there."""
    if is_remote(path):
        _fileio().remove(path)
    else:
        Path(path).unlink()


def remove_folder(path: str) -> None:
    """Removes a folder and what it holds, if it is there."""
    if not is_remote(path):
        shutil.rmtree(path, ignore_errors=True)
    elif _fileio().exists(path):
        _fileio().rmtree(path)


def _fileio() -> Any:
    from tfx.dsl.io import fileio

    return fileio


class _RemoteFile(io.RawIOBase):
    """What TFX opens, as Python's own buffering and decompression want it."""

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


class _RemoteSink(io.RawIOBase):
    """Likewise for writing: TensorFlow's file takes bytes, and not what else Python's own files take."""

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
