"""The versions: which there are, and how another one comes to be."""

import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from components.common.files import exists, is_remote
from components.common.settings import Settings
from components.registry.integrity import GRAPH, INCOMING, checksums, numbered, what_differs
from components.registry.record import ModelRecord
from schema.errors import Refused


class Version(Settings):
    """A complete version directory.

    Attributes:
        number: its name: the Unix time of the push in seconds, or a little later to be the greatest.
        path: the directory.
    """

    number: int
    path: str


def versions(base: str) -> list[Version]:
    """The complete versions under `base`, oldest first; none if there is no such folder."""
    found = (Version(number=number, path=_join(base, name)) for number, name in numbered(base))
    return [version for version in found if exists(_join(version.path, GRAPH))]


def latest(base: str) -> Version | None:
    """The version that TensorFlow Serving serves."""
    return next(reversed(versions(base)), None)


def standing(base: str) -> list[Version]:
    """The versions that no rollback took back, oldest first."""
    there = versions(base)
    taken_back = {number for version in there if (record := _record(version)) for number in record.withdraws}
    return [version for version in there if version.number not in taken_back]


def withdrawn(base: str, model_id: str) -> Version | None:
    """The newest version of a model of which no version stands any more; None of any other model."""
    own = [version for version in versions(base) if (record := _record(version)) and record.model_id == model_id]
    stand = standing(base)
    return None if not own or any(version in stand for version in own) else own[-1]


def push(model_dir: str, base: str, record: ModelRecord) -> Version:
    """Makes a model the latest version. Does nothing if it is already.

    Args:
        model_dir: a SavedModel.
        base: the registry, created if missing; a local path, or one that TFX's fileio understands (gs://).
        record: becomes the version's model.json, with the time and the files' checksums.

    Returns:
        The new version, or the latest one if it is the same model.

    Raises:
        Refused: `model_dir` holds no SavedModel.
    """
    if not exists(_join(model_dir, GRAPH)):
        raise Refused(f"{model_dir}: there is no {GRAPH} to push")
    with _alone_in(base):
        return _already_latest(base, record) or _add(model_dir, base, record)


def rollback(base: str, number: int | None = None) -> Version:
    """Makes an older version the latest again: as a copy, under a new number, for a server serves the greatest.

    What was pushed after it stays, for whoever wants to look at it, but is withdrawn: see `ModelRecord.withdraws`.

    Args:
        base: the registry.
        number: of the version; None: the newest that stands and is another model than the latest.

    Returns:
        The copy.

    Raises:
        Refused: there is no such version, or it is not whole.
    """
    if not versions(base):
        raise Refused(f"{base}: no model was pushed there")
    with _alone_in(base):
        version = _target(base, number)
        record = ModelRecord.read(version.path)
        if differs := what_differs(version.path, record):
            raise Refused(f"{version.path}: {differs[0]}; roll back to another version")
        later = [other.number for other in versions(base) if other.number > version.number]
        copy = record.model_copy(update={"rolled_back_to": version.number, "withdraws": later})
        return _add(version.path, base, copy)


def copy_model(model_dir: str, destination: str) -> None:
    """Copies a SavedModel, its graph last: who finds a graph finds all of the model.

    Raises:
        OSError: the model cannot be read, for example because its version was removed meanwhile.
    """
    if is_remote(model_dir) or is_remote(destination):
        _copy_remote(model_dir, destination)
        return
    ignore_graph = shutil.ignore_patterns(GRAPH)
    shutil.copytree(model_dir, destination, copy_function=_copy_durably, ignore=ignore_graph, dirs_exist_ok=True)
    _copy_durably(_join(model_dir, GRAPH), _join(destination, GRAPH))


def _record(version: Version) -> ModelRecord | None:
    """None for a version that another tool pushed, or that is gone already."""
    try:
        return ModelRecord.read(version.path)
    except Refused:
        return None


def _already_latest(base: str, record: ModelRecord) -> Version | None:
    newest = latest(base)
    if newest is None or not exists(_join(newest.path, ModelRecord.FILE)):
        return None
    return newest if ModelRecord.read(newest.path).model_id == record.model_id else None


def _target(base: str, number: int | None) -> Version:
    there = versions(base)
    if number is None:
        now = _record(there[-1])
        others = [
            version
            for version in standing(base)[:-1]
            if (record := _record(version)) and (now is None or record.model_id != now.model_id)
        ]
        if not others:
            raise Refused(f"{base}: there is no other model to roll back to")
        return others[-1]
    found = next((version for version in there if version.number == number), None)
    if found is None:
        known = ", ".join(str(version.number) for version in there)
        raise Refused(f"{base}: there is no version {number}; there are {known}")
    if found == there[-1]:
        raise Refused(f"{found.path}: is the latest version already")
    return found


def _add(model_dir: str, base: str, record: ModelRecord) -> Version:
    """Adds a version; the caller holds the lock."""
    made = {"pushed": datetime.now(UTC).isoformat(timespec="seconds"), "files": checksums(model_dir)}
    add = _add_remote if is_remote(base) else _add_local
    return add(model_dir, base, record.model_copy(update=made))


def _add_local(model_dir: str, base: str, record: ModelRecord) -> Version:
    """Copies beside and renames. What is incoming beforehand is left from a killed push."""
    for leftover in Path(base).glob(f"{INCOMING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    incoming = Path(base, f"{INCOMING}{uuid.uuid4().hex}")
    copy_model(model_dir, str(incoming))
    record.write(str(incoming))
    version = _next_version(base)
    incoming.rename(version.path)
    return version


def _add_remote(model_dir: str, base: str, record: ModelRecord) -> Version:
    """As TFX's own Pusher: object stores cannot rename a folder, so saved_model.pb comes last and completes it."""
    version = _next_version(base)
    _copy_remote(model_dir, version.path, record)
    return version


def _copy_remote(model_dir: str, destination: str, record: ModelRecord | None = None) -> None:
    from tfx.utils import io_utils

    not_yet = [GRAPH] if record is None else [GRAPH, ModelRecord.FILE]
    io_utils.copy_dir(model_dir, destination, deny_regex_patterns=[rf"/{re.escape(name)}$" for name in not_yet])
    if record is not None:
        record.write(destination)
    io_utils.copy_file(_join(model_dir, GRAPH), _join(destination, GRAPH))


def _next_version(base: str) -> Version:
    taken = [number for number, _ in numbered(base)]  # complete or not
    number = max([int(time.time()), *(number + 1 for number in taken)])
    return Version(number=number, path=_join(base, str(number)))


@contextmanager
def _alone_in(base: str) -> Iterator[None]:
    """Waits until no other process pushes to `base`, where it is local; a killed process's lock is gone with it."""
    if is_remote(base):
        yield
        return
    Path(base).mkdir(parents=True, exist_ok=True)
    with Path(base, ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _copy_durably(source: str, destination: str) -> None:
    """Copies a file's content, and leaves it on the disk: the rename that follows must not outlive it."""
    shutil.copyfile(source, destination)
    with Path(destination).open("rb") as file:
        os.fsync(file.fileno())


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"
