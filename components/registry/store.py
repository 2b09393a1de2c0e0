"""Versions of the registry: list, push, roll back, remove."""

import os
import re
import shutil
import time
import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.common.files import exists, is_remote, list_folder, remove_file, remove_folder
from components.common.record import Value
from components.registry.integrity import (
    GRAPH,
    GREATEST_VERSION,
    INCOMING,
    LEAVING,
    PROFILES,
    SERVING_COPIES,
    VARIANTS_FOLDER,
    checksums,
    differences,
    graph_of,
    numbered,
    variant_folders,
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


@dataclass(frozen=True)
class Incoming:
    """Model that is to be pushed.

    Attributes:
        directory: Its directory.
        record: Becomes its model.json, with the time and the files' checksums.
    """

    directory: str
    record: ModelRecord


def versions(base: str) -> list[Version]:
    """Return the complete versions, oldest first; none if the registry does not exist."""
    found = (Version(number=number, path=_join(base, name)) for number, name in numbered(base))
    return [version for version in found if graph_of(version.path)]


def variant_path(base: str, name: str, number: int) -> str:
    """Return the directory of a variant of a version, where a server of its kind finds it."""
    return _join(base, f"{VARIANTS_FOLDER}/{name}/{number}")


def variants(base: str) -> dict[str, list[Version]]:
    """Return the complete versions of each variant, oldest first, by the variant's name."""
    return {folder.rpartition("/")[2]: versions(_join(base, folder)) for folder in variant_folders(base)}


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
        Refused: There is no model, or it is an ONNX variant.
    """
    newest = latest(model)
    path = model if graph_of(model) else newest.path if newest else None
    if path is None:
        raise Refused(f"{model}: there is no model; give the directory of a version, or a registry that has one")
    check_saved_model(path)
    return path


def check_saved_model(path: str) -> None:
    """Refuse the ONNX variant of a version, which TensorFlow cannot load.

    Raises:
        Refused: It is one.
    """
    if graph_of(path) not in (None, GRAPH):
        raise Refused(f"{path}: an ONNX variant; use its client.py, or the version or its bfloat16 variant instead")


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


def push(
    model_dir: str,
    base: str,
    record: ModelRecord,
    pipeline: str | None = None,
    *,
    variants: Mapping[str, Incoming] | None = None,
) -> Version:
    """Make a model the latest version, unless it is that already.

    Args:
        model_dir: A SavedModel.
        base: The registry, created if missing; a local path, or one that TFX's fileio understands (gs://).
        record: Becomes the version's model.json, with the time and the files' checksums.
        pipeline: Name of the pipeline, which the registry must belong to; a registry without an owner becomes its own.
            None: neither is looked at.
        variants: Variants of the model by name, which get the same number; the latest version gets those that it lacks.

    Returns:
        The new version, or the latest one if it is the same model.

    Raises:
        Refused: `model_dir` holds no SavedModel, the registry belongs to another pipeline or has another label list, or
            the record of the latest version cannot be read.
    """
    if not exists(_join(model_dir, GRAPH)):
        raise Refused(f"{model_dir}: there is no {GRAPH} to push")
    incoming, others = Incoming(model_dir, record), variants or {}
    with locked(base):
        if pipeline is None:
            return _push(base, incoming, others)
        owner = claim(base, Claimant(pipeline=pipeline, labels=record.labels, renamed=record.renamed))
        version = _push(base, incoming, others)
        note_labels(base, owner, record.labels)
        return version


def _push(base: str, model: Incoming, others: Mapping[str, Incoming]) -> Version:
    """Add a version, or to the latest one what it lacks; the caller holds the lock."""
    existing = _already_latest(base, model.record)
    if existing is None:
        return _add(base, model, others)
    missing = {name: each for name, each in others.items() if not exists(variant_path(base, name, existing.number))}
    if missing:
        _add_files(base, existing.number, _by_folder(missing))
    return existing


def rollback_target(base: str, number: int | None = None) -> Version:
    """Return the version that a rollback returns to; arguments and errors are those of `rollback`."""
    if not versions(base):
        raise Refused(f"{base}: no model was pushed there")
    version = _target(base, number)
    for path in [version.path, *(each.path for each in _variants_of(base, version).values())]:
        if found := differences(path, ModelRecord.read(path)):
            raise Refused(f"{path}: {found[0]}; roll back to another version")
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

    A server serves the greatest number, so the version is copied under a new one, with its variants. Versions pushed
    after it stay, for inspection, but are withdrawn: see `ModelRecord.withdraws`. Their variants of a kind that the
    version lacks are removed: a server of that kind would go on with them.

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
        update = {"rolled_back_to": version.number, "withdraws": later}
        copies = {
            name: Incoming(each.path, ModelRecord.read(each.path).model_copy(update=update))
            for name, each in _variants_of(base, version).items()
        }
        copy = _add(base, Incoming(version.path, record.model_copy(update=update)), copies)
        for name, existing in variants(base).items():
            for each in existing:
                if name not in copies and each.number in later:
                    _take_away(each)
        return copy


def _variants_of(base: str, version: Version) -> dict[str, Version]:
    """Return the variants of a version by name."""
    return {
        name: each for name, existing in variants(base).items() for each in existing if each.number == version.number
    }


def removable(base: str, keep: int, before: datetime, in_use: Collection[int] = ()) -> list[Version]:
    """Return the versions that nobody needs, oldest first.

    What is live, what a rollback returns to and what another tool pushed is needed, and so is a version whose variant
    is the newest of its kind, which a server may serve.

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
    needed = {complete[-1].number, *in_use, *(existing[-1].number for existing in variants(base).values() if existing)}
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
            _take_away(version)
        _remove_rest(base, in_use)
        _remove_orphans(base)
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
    copy_file, graph = _link if link else _copy_durably, graph_of(model_dir) or GRAPH
    # Not shutil.copytree, which goes on after an error, fills the disk further, and tells of it without the file.
    for parent, _, names in os.walk(model_dir, onerror=_raise):
        folder = os.path.join(destination, os.path.relpath(parent, model_dir))  # noqa: PTH118 - strings, as walk's are
        Path(folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            if (parent, name) != (model_dir, graph):
                copy_file(_join(parent, name), _join(folder, name))
    copy_file(_join(model_dir, graph), _join(destination, graph))


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
    folders = [Path(base), *(Path(base, folder) for folder in variant_folders(base))]
    return [found for folder in folders for name in (INCOMING, LEAVING) for found in folder.glob(f"{name}*")]


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


def _take_away(version: Version) -> None:
    """Remove a version, which stops being one at once; the caller holds the lock."""
    if is_remote(version.path):
        remove_file(_join(version.path, graph_of(version.path) or GRAPH))
        remove_folder(version.path)
        return
    leaving = Path(version.path).with_name(f"{LEAVING}{uuid.uuid4().hex}")
    Path(version.path).rename(leaving)
    shutil.rmtree(leaving)


def _remove_orphans(base: str) -> None:
    """Remove the variants of versions that do not exist, which a killed push or removal left.

    The caller holds the lock.
    """
    complete = {version.number for version in versions(base)}
    for existing in variants(base).values():
        for each in existing:
            if each.number not in complete:
                _take_away(each)


def _remove_rest(base: str, in_use: Collection[int]) -> None:
    """Remove what went with removed versions, and what killed removals left; the caller holds the lock."""
    if not is_remote(base):
        _remove_incoming(base)
    removed, present = RemovedVersions.find(base).records, versions(base)
    gone = removed.keys() - {version.number for version in present} - set(in_use)
    models = {removed[number].model_id for number in gone}
    models -= {record.model_id for version in present if (record := find_record(version))}
    for name in list_folder(_join(base, PROFILES)):
        if name.rstrip("/") in models:
            remove_folder(_join(_join(base, PROFILES), name.rstrip("/")))
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


def _add(base: str, model: Incoming, others: Mapping[str, Incoming]) -> Version:
    """Add a version with its variants; the caller holds the lock."""
    _remove_orphans(base)
    # The model last: without it, the next push removes its variants; it is never without them.
    number = _add_files(base, None, _by_folder(others) | {"": model})
    return Version(number=number, path=_join(base, str(number)))


def _by_folder(variants: Mapping[str, Incoming]) -> dict[str, Incoming]:
    """Return variants by their folder in the registry."""
    return {f"{VARIANTS_FOLDER}/{name}": each for name, each in variants.items()}


def _add_files(base: str, number: int | None, incoming: Mapping[str, Incoming]) -> int:
    """Add models, by their folder in the registry, under a number, or with None the next, and return it.

    The caller holds the lock.
    """
    pushed = datetime.now(UTC).isoformat(timespec="seconds")
    complete = {
        folder: Incoming(
            each.directory, each.record.model_copy(update={"pushed": pushed, "files": checksums(each.directory)})
        )
        for folder, each in incoming.items()
    }
    return (_add_remote if is_remote(base) else _add_local)(base, number, complete)


def _add_local(base: str, number: int | None, incoming: Mapping[str, Incoming]) -> int:
    """Copy each model beside the versions, compare the copy, and rename all; first remove what killed pushes left.

    Raises:
        Refused: A copy differs from the model.
    """
    _remove_incoming(base)
    copies = {folder: Path(base, folder, f"{INCOMING}{uuid.uuid4().hex}") for folder in incoming}
    try:
        for folder, each in incoming.items():
            copy_model(each.directory, str(copies[folder]))
            if checksums(str(copies[folder])) != each.record.files:
                raise Refused(f"{each.directory}: its copy in {base} differs from it; check the disk, then run again")
            each.record.write(str(copies[folder]))
        number = _next_number(base) if number is None else number
        for folder, copy in copies.items():
            copy.rename(Path(base, folder, str(number)))
    except BaseException:  # above all a full disk, which must not stay full
        for copy in copies.values():
            shutil.rmtree(copy, ignore_errors=True)
        raise
    return number


def _add_remote(base: str, number: int | None, incoming: Mapping[str, Incoming]) -> int:
    """Copy models as TFX's own Pusher does: object stores cannot rename a folder, so the graph comes last."""
    number = _next_number(base) if number is None else number
    for folder, each in incoming.items():
        path = _join(base, f"{folder}/{number}".lstrip("/"))
        try:
            _copy_remote(each.directory, path, each.record)
        except BaseException:
            with suppress(Exception):  # report the first error
                remove_folder(path)
            raise
    return number


def _copy_remote(model_dir: str, destination: str, record: ModelRecord | None = None) -> None:
    from tfx.utils import io_utils

    graph = graph_of(model_dir) or GRAPH
    not_yet = [graph] if record is None else [graph, ModelRecord.FILE]
    io_utils.copy_dir(model_dir, destination, deny_regex_patterns=[rf"/{re.escape(name)}$" for name in not_yet])
    if record is not None:
        record.write(destination)
    io_utils.copy_file(_join(model_dir, graph), _join(destination, graph))


def _next_number(base: str) -> int:
    taken = [number for number, _ in numbered(base)]  # of complete versions and of others
    number = max([int(time.time()), *(number + 1 for number in taken)])
    if number > GREATEST_VERSION:
        raise Refused(
            f"{_join(base, str(GREATEST_VERSION))}: no server reads a greater version number, so nothing can be pushed"
            " after it; remove the folder"
        )
    return number


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
