"""Checks that the registry holds what was pushed."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from components.common.entries import numeric_names
from components.common.files import exists, list_folder
from components.common.tree import Tree, walk
from components.common.tree import checksums as tree_checksums
from components.registry.owner import Owner, find_owner
from components.registry.record import ModelRecord, RemovedVersions
from schema.errors import Refused

GRAPH = "saved_model.pb"
GRAPHS = (GRAPH, "model.onnx")
"""Files of which each model has one; a folder without any is no complete version."""
VARIANTS_FOLDER = "variants"
"""Folder of a registry that has a folder of versions for each variant."""
INCOMING = ".incoming-"
SERVING_COPIES = ".vertex"
"""Folder of second copies, each named like its version, as TensorFlow Serving on Vertex AI needs them."""
PROFILES = ".profiles"
"""Folder with a folder for each model that has a profile, by its id: `serving.watch.profile`."""
LEAVING = ".removing-"
# TensorFlow Serving reads a version number into an int64 and skips a name that does not fit.
GREATEST_VERSION = 2**63 - 1
# TensorFlow creates them even if nothing is to be in them; object stores do not keep them then.
_OF_SAVED_MODEL = {"assets", "variables"}


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


def graph_of(folder: str) -> str | None:
    """Return the name of the file that makes a folder a complete model; None if it has none."""
    return next((name for name in GRAPHS if exists(f"{folder.rstrip('/')}/{name}")), None)


def variant_folders(base: str) -> list[str]:
    """Return the folders of variants in a registry, relative to it, sorted: `variants/int8`, ...."""
    return sorted(f"{VARIANTS_FOLDER}/{name}" for name in list_folder(f"{base.rstrip('/')}/{VARIANTS_FOLDER}"))


def check_registry(base: str) -> Iterator[Finding]:
    """Check every folder of the registry, oldest version first, and yield a finding for each that is not in order.

    The records of the registry itself come first: while one cannot be read, pushes are refused.
    """
    for record, find in ((Owner, find_owner), (RemovedVersions, RemovedVersions.find)):
        try:
            find(base)
        except Refused as refused:
            yield Finding(record.FILE, str(refused).partition(f"{record.FILE}: ")[2])
    yield from _check_folder(base)
    numbers = [number for number, _ in numbered(base)]
    for folder in variant_folders(base):
        for finding in _check_folder(f"{base.rstrip('/')}/{folder}"):
            yield replace(finding, where=f"{folder}/{finding.where}")
        for number, name in numbered(f"{base.rstrip('/')}/{folder}"):
            if number not in numbers:
                yield Finding(f"{folder}/{name}", "is of no version; the next push removes it", broken=False)


def _check_folder(base: str) -> Iterator[Finding]:
    """Check the versions of a registry, or those of one of its variants."""
    for name in sorted(list_folder(base)):
        if name.startswith(INCOMING):
            yield Finding(name, "a push in progress, or a killed one, which the next push removes", broken=False)
        if name.startswith(LEAVING):
            yield Finding(name, "a removal in progress, or a killed one, which the next push ends", broken=False)
    for name in sorted(numeric_names(base)):
        if int(name) > GREATEST_VERSION:
            yield Finding(name, "is greater than any version number that TensorFlow Serving reads; remove the folder")
    for _, name in numbered(base):
        folder = f"{base.rstrip('/')}/{name}"
        if graph_of(folder) is None:
            yield Finding(name, f"has no {GRAPH}: the push was killed, or the file was deleted; remove the folder")
        elif not exists(f"{folder}/{ModelRecord.FILE}"):
            yield Finding(name, f"has no {ModelRecord.FILE}: it was pushed by another tool", broken=False)
        else:
            yield from _check_version(name, folder)


def differences(model_dir: str, record: ModelRecord) -> list[str]:
    """Compare the tree of a version with what was pushed and what the gates decided on.

    Args:
        model_dir: The version's folder.
        record: Its record.

    Returns:
        One line for each file or folder that is missing, changed, new or not a regular file, and one if the gates
        decided on another model; empty also if the record has no checksums.
    """
    if not record.files:
        return []
    tree = walk(model_dir)
    present = _checksums(model_dir, tree)
    missing = [f"{name} is missing" for name in record.files if name not in present and name not in tree.others]
    changed = [
        f"{name} has changed since the push"
        for name, checksum in record.files.items()
        if present.get(name, checksum) != checksum
    ]
    added = [f"{name} was not pushed" for name in present if name not in record.files]
    pushed_folders = {str(parent) for name in record.files for parent in PurePosixPath(name).parents}
    # A new folder whose files are named need not be named itself.
    empty = {
        folder for folder in tree.folders if not any(name.startswith(f"{folder}/") for name in [*present, *tree.others])
    }
    added += [f"{folder}/ was not pushed" for folder in sorted(empty - pushed_folders - _OF_SAVED_MODEL)]
    others = [f"{name} is neither a file nor a folder" for name in tree.others]
    judged = record.blessed_by.model_id
    other_model = (
        ["the gates and the canary decided on another model"]
        if judged is not None and judged != content_id(record.files)
        else []
    )
    return missing + changed + added + others + other_model


def checksums(model_dir: str) -> dict[str, str]:
    """Compute the SHA-256, in hex, of every file of a folder but the record.

    Returns:
        Checksum by path in the folder, sorted by path.

    Raises:
        Refused: The folder has something that is neither a file nor a folder, such as a link or a named pipe.
    """
    tree = walk(model_dir)
    if tree.others:
        raise Refused(f"{model_dir}: {tree.others[0]} is neither a file nor a folder; remove it")
    return _checksums(model_dir, tree)


def content_id(files: Mapping[str, str]) -> str:
    """Compute the id of a model: a SHA-256, in hex, over the names and checksums of its files.

    Args:
        files: Checksums by path, as `checksums` returns them.
    """
    digest = hashlib.sha256()
    for name in sorted(files, key=PurePosixPath):
        digest.update(name.encode())
        digest.update(bytes.fromhex(files[name]))
    return digest.hexdigest()


def check_export(model_dir: str, record: ModelRecord) -> None:
    """Check that the files of an exported model are those that its id was computed of.

    Args:
        model_dir: The SavedModel that the Trainer exported.
        record: Its record.

    Raises:
        Refused: They are not.
    """
    if content_id(checksums(model_dir)) != record.model_id:
        raise Refused(
            f"{model_dir}: its files are not those that were exported as model {record.model_id}; run again to train it"
            " anew (on Kubeflow and Vertex AI with runner.<runner>.steps.Trainer.cache: false)"
        )


def numbered(base: str) -> list[tuple[int, str]]:
    """Return number and name of every folder that a server takes for a version, ascending."""
    return sorted((int(name), name) for name in numeric_names(base) if int(name) <= GREATEST_VERSION)


def _check_version(name: str, folder: str) -> Iterator[Finding]:
    try:
        record = ModelRecord.read(folder)
    except Refused as refused:
        yield Finding(name, str(refused).removeprefix(f"{folder}/"))
        return
    if not record.files:
        yield Finding(name, "was pushed before checksums were recorded: its files cannot be compared", broken=False)
    yield from (Finding(name, difference) for difference in differences(folder, record))


def _checksums(folder: str, tree: Tree) -> dict[str, str]:
    return tree_checksums(folder, [name for name in tree.files if name != ModelRecord.FILE])
