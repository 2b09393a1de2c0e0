"""Checks that the registry holds what was pushed."""

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
    """Something in the registry that a person should know of.

    Attributes:
        where: Name of the folder in the registry.
        what: Description.
        broken: Whether a server may fail on it, or serve what was never pushed.
    """

    where: str
    what: str
    broken: bool = True


def check_registry(base: str) -> Iterator[Finding]:
    """Check every folder of the registry, oldest version first, and yield a finding for each that is not in order."""
    for name in sorted(list_folder(base)):
        if name.startswith(INCOMING):
            yield Finding(name, "a push in progress, or a killed one, which the next push removes", broken=False)
    for _, name in numbered(base):
        folder = f"{base.rstrip('/')}/{name}"
        if not exists(f"{folder}/{GRAPH}"):
            yield Finding(name, f"has no {GRAPH}: the push was killed, or the file was deleted; remove the folder")
        elif not exists(f"{folder}/{ModelRecord.FILE}"):
            yield Finding(name, f"has no {ModelRecord.FILE}: it was pushed by another tool", broken=False)
        else:
            yield from _check_version(name, folder)


def differences(model_dir: str, record: ModelRecord) -> list[str]:
    """Compare the files of a version with those that were pushed.

    Args:
        model_dir: The version's folder.
        record: Its record.

    Returns:
        One line for each file that is missing, changed or new; empty also if the record has no checksums.
    """
    if not record.files:
        return []
    present = checksums(model_dir)
    missing = [f"{name} is missing" for name in record.files if name not in present]
    changed = [
        f"{name} has changed since the push"
        for name, checksum in record.files.items()
        if present.get(name, checksum) != checksum
    ]
    return missing + changed + [f"{name} was not pushed" for name in present if name not in record.files]


def checksums(model_dir: str) -> dict[str, str]:
    """Compute the SHA-256, in hex, of every file of a folder but the record.

    Returns:
        Checksum by path in the folder, sorted by path.
    """
    folder = model_dir.rstrip("/")
    found = {}
    for path in sorted(_files(folder)):
        name = path.removeprefix(f"{folder}/")
        if name != ModelRecord.FILE:
            with open_seekable(path) as file:
                found[name] = hashlib.file_digest(cast(BufferedReader, file), "sha256").hexdigest()
    return found


def numbered(base: str) -> list[tuple[int, str]]:
    """Return number and name of every folder that a server takes for a version, ascending."""
    names = (name.rstrip("/") for name in list_folder(base))
    return sorted((int(name), name) for name in names if name.isascii() and name.isdigit())


def _check_version(name: str, folder: str) -> Iterator[Finding]:
    try:
        record = ModelRecord.read(folder)
    except Refused as refused:
        yield Finding(name, str(refused).removeprefix(f"{folder}/"))
        return
    if not record.files:
        yield Finding(name, "was pushed before checksums were recorded: its files cannot be compared", broken=False)
    yield from (Finding(name, difference) for difference in differences(folder, record))


def _files(folder: str) -> Iterator[str]:
    if is_remote(folder):
        from tfx.dsl.io import fileio

        walked = fileio.walk(folder)
    else:
        walked = os.walk(folder)
    for parent, _, names in walked:
        yield from (f"{parent.rstrip('/')}/{name}" for name in names)
