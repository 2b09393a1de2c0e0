"""Whether what lies in the registry is what was pushed."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import cast

from components.common.files import exists, is_remote, list_folder, open_seekable
from components.registry.record import ModelRecord
from schema.errors import Refused

GRAPH = "saved_model.pb"
INCOMING = ".incoming-"


@dataclass(frozen=True)
class Finding:
    """What is to be said of something in the registry.

    Attributes:
        where: its name there.
        what: in words.
        broken: whether a server may fail on it, or serve what was never pushed.
    """

    where: str
    what: str
    broken: bool = True


def check_registry(base: str) -> Iterator[Finding]:
    """Goes through all that is there, oldest version first; says nothing of what is right."""
    for name in sorted(list_folder(base)):
        if name.startswith(INCOMING):
            yield Finding(name, "a push under way, or one that was killed: then the next push removes it", broken=False)
    for _, name in numbered(base):
        folder = f"{base.rstrip('/')}/{name}"
        if not exists(f"{folder}/{GRAPH}"):
            yield Finding(name, f"has no {GRAPH}: a push that was killed, or a folder that lost it; remove it")
        elif not exists(f"{folder}/{ModelRecord.FILE}"):
            yield Finding(name, f"has no {ModelRecord.FILE}: another tool pushed it", broken=False)
        else:
            yield from _check_version(name, folder)


def what_differs(model_dir: str, record: ModelRecord) -> list[str]:
    """Which files are not as they were when the version was pushed; empty also where that was not recorded."""
    if not record.files:
        return []
    now = checksums(model_dir)
    lost = [f"{name} is missing" for name in record.files if name not in now]
    changed = [
        f"{name} has changed since the push" for name in record.files if name in now and now[name] != record.files[name]
    ]
    return lost + changed + [f"{name} was not pushed" for name in now if name not in record.files]


def checksums(model_dir: str) -> dict[str, str]:
    """Path in the folder -> SHA-256, in hex, of every file but the record, sorted."""
    folder = model_dir.rstrip("/")
    found = {}
    for path in sorted(_files(folder)):
        name = path.removeprefix(f"{folder}/")
        if name != ModelRecord.FILE:
            with open_seekable(path) as file:
                found[name] = hashlib.file_digest(cast(BufferedReader, file), "sha256").hexdigest()
    return found


def numbered(base: str) -> list[tuple[int, str]]:
    """Numbers and names of the folders that a server takes for versions, ascending."""
    names = (name.rstrip("/") for name in list_folder(base))
    return sorted((int(name), name) for name in names if name.isascii() and name.isdigit())


def _check_version(name: str, folder: str) -> Iterator[Finding]:
    try:
        record = ModelRecord.read(folder)
    except Refused as refused:
        yield Finding(name, str(refused).removeprefix(f"{folder}/"))
        return
    if not record.files:
        yield Finding(name, "was pushed before checksums were kept: its files cannot be compared", broken=False)
    yield from (Finding(name, differs) for differs in what_differs(folder, record))


def _files(folder: str) -> Iterator[str]:
    if is_remote(folder):
        from tfx.dsl.io import fileio

        walked = fileio.walk(folder)
    else:
        walked = os.walk(folder)
    for parent, _, names in walked:
        yield from (f"{parent.rstrip('/')}/{name}" for name in names)
