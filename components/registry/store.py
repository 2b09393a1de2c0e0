"""Versions of the registry: list, push, roll back, remove."""

import os
import re
import shutil
import time
import uuid
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from components.common.files import exists, is_remote, remove_file, remove_folder
from components.common.record import Value
from components.registry.integrity import (
    GRAPH,
    GREATEST_VERSION,
    INCOMING,
    LEAVING,
    SERVING_COPIES,
    checksums,
    differences,
    numbered,
)
from components.registry.lock import locked, locked_if_free
from components.registry.owner import Claimant, claim, note_labels
from components.registry.record import ModelRecord, RemovedVersions
from schema.errors import Refused


class Version(Value):
    """A complete version of the registry.

    Attributes:
        number: Its number: the Unix time of the push in seconds, or one more than the greatest number so far.
        path: Its directory.
    """

    number: int
    path: str


def versions(base: str) -> list[Version]:
    """Return the complete versions, oldest first; none if the registry does not exist."""
    found = (Version(number=number, path=_join(base, name)) for number, name in numbered(base))
    return [version for version in found if exists(_join(version.path, GRAPH))]


def latest(base: str) -> Version | None:
    """Return the version that TensorFlow Serving serves; None if there is none."""
    return next(reversed(versions(base)), None)


def serving_copy(version: Version) -> str | None:
    """Return the folder of a version's second copy, which a push to Vertex AI has made; None if there is none."""
    base = version.path.rstrip("/").rpartition("/")[0]
    copy = _join(_join(base, SERVING_COPIES), str(version.number))
    return copy if exists(copy) else None


def find_model(model: str) -> str:
    """Return the directory of a model.

    Args:
        model: Directory of a SavedModel, or a registry, which stands for its latest version; a path or a gs:// address.

    Raises:
        Refused: There is no model.
    """
    if exists(_join(model, GRAPH)):
        return model
    newest = latest(model)
    if newest is None:
        raise Refused(f"{model}: there is no model; give the directory of a version, or a registry that has one")
    return newest.path


def standing(base: str) -> list[Version]:
    """Return the versions that no rollback withdrew, oldest first.

    Raises:
        Refused: The record of a version cannot be read: it may be of a rollback, whose withdrawals are unknown then.
    """
    complete = versions(base)
    withdrawn_numbers = _withdrawn_numbers(_known_records(base, complete))
    return [version for version in complete if version.number not in withdrawn_numbers]


def withdrawn(base: str, model_id: str) -> Version | None:
    """Return the newest version of a model whose versions were all withdrawn; None for any other model.

    Returns:
        The version, which may have been removed since; then its path does not exist.

    Raises:
        Refused: The record of a version cannot be read.
    """
    records = _known_records(base, versions(base))
    of_model = sorted(number for number, record in records.items() if record.model_id == model_id)
    if not of_model or not _withdrawn_numbers(records).issuperset(of_model):
        return None
    return Version(number=of_model[-1], path=_join(base, str(of_model[-1])))


def _known_records(base: str, complete: list[Version]) -> dict[int, ModelRecord]:
    """Return the records of complete versions and of removed ones, by number."""
    present = {version.number: record for version in complete if (record := find_record(version))}
    return RemovedVersions.find(base).records | present


def _withdrawn_numbers(records: dict[int, ModelRecord]) -> set[int]:
    return {number for record in records.values() for number in record.withdraws}


def find_record(version: Version) -> ModelRecord | None:
    """Return the record of a version; None if it has none, because another tool pushed it.

    Raises:
        Refused: The record cannot be read; the message says what to do.
    """
    try:
        return ModelRecord.find(version.path)
    except Refused as refused:
        raise Refused(
            f"{refused}; the registry is not used, because what this version withdraws is unknown, until the file is"
            " restored, or its folder is removed after `models rollback --to VERSION`"
        ) from refused


def push(model_dir: str, base: str, record: ModelRecord, pipeline: str | None = None) -> Version:
    """Make a model the latest version, unless it is that already.

    Args:
        model_dir: A SavedModel.
        base: The registry, created if missing; a local path, or one that TFX's fileio understands (gs://).
        record: Becomes the version's model.json, with the time and the files' checksums.
        pipeline: Name of the pipeline, which the registry must belong to; a registry without an owner becomes its own.
            None: neither is looked at.

    Returns:
        The new version, or the latest one if it is the same model.

    Raises:
        Refused: `model_dir` holds no SavedModel, the registry belongs to another pipeline or has another label list, or
            the record of the latest version cannot be read.
    """
    if not exists(_join(model_dir, GRAPH)):
        raise Refused(f"{model_dir}: there is no {GRAPH} to push")
    with locked(base):
        if pipeline is None:
            return _already_latest(base, record) or _add(model_dir, base, record)
        owner = claim(base, Claimant(pipeline=pipeline, labels=record.labels, renamed=record.renamed))
        version = _already_latest(base, record) or _add(model_dir, base, record)
        note_labels(base, owner, record.labels)
        return version


def rollback_target(base: str, number: int | None = None) -> Version:
    """Return the version that a rollback returns to; arguments and errors are those of `rollback`."""
    if not versions(base):
        raise Refused(f"{base}: no model was pushed there")
    version = _target(base, number)
    if found := differences(version.path, ModelRecord.read(version.path)):
        raise Refused(f"{version.path}: {found[0]}; roll back to another version")
    return version


def originals(base: str, version: Version) -> list[int]:
    """Return the numbers under which a version's model was pushed: its own and, for a copy, those it is a copy of."""
    known = {each.number: each for each in versions(base)}
    numbers = [version.number]
    while (each := known.get(numbers[-1])) and (record := find_record(each)) and record.rolled_back_to:
        numbers.append(record.rolled_back_to)
    return numbers


def rollback(base: str, number: int | None = None) -> Version:
    """Make an older version the latest one again.

    A server serves the greatest number, so the version is copied under a new one. Versions pushed after it stay, for
    inspection, but are withdrawn: see `ModelRecord.withdraws`.

    Args:
        base: The registry.
        number: Number of the version; None for the newest that stands and is another model than the latest.

    Returns:
        The copy.

    Raises:
        Refused: There is no such version, or its files are not those that were pushed.
    """
    if not versions(base):
        raise Refused(f"{base}: no model was pushed there")
    with locked(base):
        version = rollback_target(base, number)
        record = ModelRecord.read(version.path)
        later = [other.number for other in versions(base) if other.number > version.number]
        copy = record.model_copy(update={"rolled_back_to": version.number, "withdraws": later})
        return _add(version.path, base, copy)


def removable(base: str, keep: int, before: datetime, in_use: Collection[int] = ()) -> list[Version]:
    """Return the versions that nobody needs, oldest first.

    What is live, what a rollback returns to and what another tool pushed is needed.

    Args:
        base: The registry.
        keep: Number of newest versions that stand and are kept, at least 1; so are those withdrawn after the oldest.
        before: A version that was pushed later is kept.
        in_use: Numbers of versions that something else serves, which are kept.

    Raises:
        Refused: The record of a version cannot be read.
    """
    complete = versions(base)
    if not complete:
        return []
    needed = {complete[-1].number, *in_use}
    with suppress(Refused):  # there is no other model
        needed.add(_target(base, None).number)
    oldest_kept = min(version.number for version in [*standing(base)[-keep:], complete[-1]])
    older = [version for version in complete if version.number < oldest_kept and version.number not in needed]
    return [version for version in older if _pushed_before(version, before)]


def remove_versions(base: str, keep: int, before: datetime, in_use: Collection[int] = ()) -> list[Version]:
    """Remove the versions that nobody needs; arguments and errors are those of `removable`.

    What they were is written down first. Then a version stops being one at once, by a new name or, in an object store,
    by the loss of its graph; if the process is killed after that, the next call or push removes the rest.

    Returns:
        The removed versions.
    """
    with locked(base):
        unneeded = removable(base, keep, before, in_use)
        records = {version.number: record for version in unneeded if (record := find_record(version))}
        if records:
            RemovedVersions.find(base).add(records).write(base.rstrip("/"))
        for version in unneeded:
            _take_away(base, version)
        _remove_rest(base, in_use)
    return unneeded


def copy_model(model_dir: str, destination: str, *, link: bool = False) -> None:
    """Copy a SavedModel, its graph last: wherever there is a graph, the model is complete.

    Args:
        model_dir: The model.
        destination: The folder to copy to.
        link: Make hard links instead of copies where both are on a file system that has them. For a copy that nobody
            changes: it takes no space.

    Raises:
        OSError: The model cannot be read, for example because its version was removed meanwhile.
    """
    if is_remote(model_dir) or is_remote(destination):
        _copy_remote(model_dir, destination)
        return
    copy_file = _link if link else _copy_durably
    # Not shutil.copytree, which goes on after an error, fills the disk further, and tells of it without the file.
    for parent, _, names in os.walk(model_dir, onerror=_raise):
        folder = os.path.join(destination, os.path.relpath(parent, model_dir))  # noqa: PTH118 - strings, as walk's are
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            if (parent, name) != (model_dir, GRAPH):
                copy_file(_join(parent, name), _join(folder, name))
    copy_file(_join(model_dir, GRAPH), _join(destination, GRAPH))


def prepare(base: str) -> None:
    """Refuse a damaged registry before anything is trained, and remove what killed pushes left.

    The next push would remove that too, but a full disk would stop the run before it. A remote registry is left to the
    steps that use it, which refuse as well: opening it imports TensorFlow.

    Raises:
        Refused: The record of a version cannot be read.
    """
    if not is_remote(base):
        standing(base)
        remove_leftovers(base)


def remove_leftovers(base: str) -> int:
    """Remove what killed pushes and removals left in a local registry, unless one is in progress.

    Returns:
        The bytes removed.
    """
    if is_remote(base):
        return 0
    with locked_if_free(base) as is_held:
        return _remove_incoming(base) if is_held else 0


def leftovers(base: str) -> list[Path]:
    """Return what killed pushes and removals left in a local registry; none if one is in progress."""
    if is_remote(base):
        return []
    with locked_if_free(base) as is_held:
        return _incomplete(base) if is_held else []


def _incomplete(base: str) -> list[Path]:
    return [*Path(base).glob(f"{INCOMING}*"), *Path(base).glob(f"{LEAVING}*")]


def _remove_incoming(base: str) -> int:
    """Remove what killed pushes and removals left; the caller holds the lock. Return the bytes removed."""
    removed = 0
    for leftover in _incomplete(base):
        removed += sum(path.stat().st_size for path in leftover.rglob("*") if path.is_file())
        shutil.rmtree(leftover, ignore_errors=True)
    return removed


def _pushed_before(version: Version, before: datetime) -> bool:
    """Return whether a version was pushed by this pipeline, before a time."""
    record = find_record(version)
    if record is None or record.pushed is None:
        return False
    try:
        pushed = datetime.fromisoformat(record.pushed)
    except ValueError:
        return False
    return (pushed if pushed.tzinfo else pushed.replace(tzinfo=UTC)) < before


def _take_away(base: str, version: Version) -> None:
    """Remove a version, which stops being one at once; the caller holds the lock."""
    if is_remote(base):
        remove_file(_join(version.path, GRAPH))
        remove_folder(version.path)
        return
    leaving = Path(base, f"{LEAVING}{uuid.uuid4().hex}")
    Path(version.path).rename(leaving)
    shutil.rmtree(leaving)


def _remove_rest(base: str, in_use: Collection[int]) -> None:
    """Remove the second copies of removed versions, and what killed removals left; the caller holds the lock."""
    if not is_remote(base):
        _remove_incoming(base)
    gone = RemovedVersions.find(base).records.keys() - {version.number for version in versions(base)} - set(in_use)
    for folder in (base, _join(base, SERVING_COPIES)):
        for number, name in numbered(folder):
            if number in gone:
                remove_folder(_join(folder, name))


def _already_latest(base: str, record: ModelRecord) -> Version | None:
    newest = latest(base)
    latest_record = None if newest is None else find_record(newest)
    return newest if latest_record is not None and latest_record.model_id == record.model_id else None


def _target(base: str, number: int | None) -> Version:
    complete = versions(base)
    if number is None:
        live = find_record(complete[-1])
        others = [
            version
            for version in standing(base)[:-1]
            if (record := find_record(version)) and (live is None or record.model_id != live.model_id)
        ]
        if not others:
            raise Refused(f"{base}: there is no other model to roll back to")
        return others[-1]
    found = next((version for version in complete if version.number == number), None)
    if found is None:
        known = ", ".join(str(version.number) for version in complete)
        raise Refused(f"{base}: there is no version {number}; there are {known}")
    if found == complete[-1]:
        raise Refused(f"{found.path}: is the latest version already")
    return found


def _add(model_dir: str, base: str, record: ModelRecord) -> Version:
    """Add a version; the caller holds the lock."""
    of_push = {"pushed": datetime.now(UTC).isoformat(timespec="seconds"), "files": checksums(model_dir)}
    add = _add_remote if is_remote(base) else _add_local
    return add(model_dir, base, record.model_copy(update=of_push))


def _add_local(model_dir: str, base: str, record: ModelRecord) -> Version:
    """Copy the model beside the versions, compare the copy, and rename it; first remove what killed pushes left.

    Raises:
        Refused: The copy differs from the model.
    """
    _remove_incoming(base)
    incoming = Path(base, f"{INCOMING}{uuid.uuid4().hex}")
    try:
        copy_model(model_dir, str(incoming))
        if checksums(str(incoming)) != record.files:
            raise Refused(f"{model_dir}: its copy in {base} differs from it; check the disk, then run again")
        record.write(str(incoming))
        version = _next_version(base)
        incoming.rename(version.path)
    except BaseException:  # above all a full disk, which must not stay full
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    return version


def _add_remote(model_dir: str, base: str, record: ModelRecord) -> Version:
    """Copy the model as TFX's own Pusher does: object stores cannot rename a folder, so saved_model.pb comes last."""
    version = _next_version(base)
    try:
        _copy_remote(model_dir, version.path, record)
    except BaseException:
        with suppress(Exception):  # report the first error
            remove_folder(version.path)
        raise
    return version


def _copy_remote(model_dir: str, destination: str, record: ModelRecord | None = None) -> None:
    from tfx.utils import io_utils

    not_yet = [GRAPH] if record is None else [GRAPH, ModelRecord.FILE]
    io_utils.copy_dir(model_dir, destination, deny_regex_patterns=[rf"/{re.escape(name)}$" for name in not_yet])
    if record is not None:
        record.write(destination)
    io_utils.copy_file(_join(model_dir, GRAPH), _join(destination, GRAPH))


def _next_version(base: str) -> Version:
    taken = [number for number, _ in numbered(base)]  # of complete versions and of others
    number = max([int(time.time()), *(number + 1 for number in taken)])
    if number > GREATEST_VERSION:
        raise Refused(
            f"{_join(base, str(GREATEST_VERSION))}: no server reads a greater version number, so nothing can be pushed"
            " after it; remove the folder"
        )
    return Version(number=number, path=_join(base, str(number)))


def _raise(error: OSError) -> None:
    raise error


def _link(source: str, destination: str) -> None:
    """Make a hard link to a file, or copy it where there are none: on another disk, or of another user's file."""
    try:
        os.link(source, destination)
    except OSError:
        _copy_durably(source, destination)


def _copy_durably(source: str, destination: str) -> None:
    """Copy the content of a file and flush it to disk, so that no power cut loses it after the rename."""
    shutil.copyfile(source, destination)
    with Path(destination).open("rb") as file:
        os.fsync(file.fileno())


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}"
