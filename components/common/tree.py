"""Contents of a folder, local or remote, and the checksums of its files."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import cast

from components.common.files import is_remote, open_seekable

_THREADS = 4


@dataclass(frozen=True)
class Tree:
    """Contents of a folder, by path in it.

    Attributes:
        files: Regular files, sorted.
        folders: Folders, sorted.
        others: Links, named pipes, sockets and devices, sorted; opening one may wait for ever.
    """

    files: list[str]
    folders: list[str]
    others: list[str]


def walk(folder: str) -> Tree:
    """Return the contents of a folder, which must exist."""
    if not is_remote(folder):
        return _walk_local(Path(folder))
    from tfx.dsl.io import fileio

    root = folder.rstrip("/")
    files, folders = [], []
    for parent, below, names in fileio.walk(root):
        inner = f"{parent.rstrip('/')}/".removeprefix(f"{root}/")
        files += [f"{inner}{name}" for name in names]
        folders += [f"{inner}{name.rstrip('/')}" for name in below]
    return Tree(sorted(files), sorted(folders), [])


def checksums(folder: str, names: Sequence[str]) -> dict[str, str]:
    """Compute the SHA-256, in hex, of files of a folder, several at once.

    Args:
        folder: The folder, local or remote.
        names: Paths in the folder.

    Returns:
        Checksum by path, in the order of `names`.
    """
    root = folder.rstrip("/")
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing releases the interpreter's lock
        return dict(zip(names, pool.map(lambda name: _checksum(f"{root}/{name}"), names), strict=True))


def _checksum(path: str) -> str:
    with open_seekable(path) as file:
        return hashlib.file_digest(cast(BufferedReader, file), "sha256").hexdigest()


def _walk_local(folder: Path) -> Tree:
    found: dict[str, list[str]] = {"files": [], "folders": [], "others": []}
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                name = Path(entry.path).relative_to(folder).as_posix()
                if entry.is_dir(follow_symlinks=False):
                    found["folders"].append(name)
                    waiting.append(Path(entry.path))
                else:
                    found["files" if entry.is_file(follow_symlinks=False) else "others"].append(name)
    return Tree(*(sorted(found[kind]) for kind in ("files", "folders", "others")))
