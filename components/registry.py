"""The model registry: the folder of version directories that TensorFlow Serving watches, and that a push adds to.

    <base>/1764000000/                  one version: a SavedModel with model.json beside saved_model.pb
    <base>/.incoming-<random>/          a push under way, or one that was killed
    <base>/.lock                        held while pushing

A version is complete or absent: it is written beside under a name that TensorFlow Serving skips, as any that is not an
integer (`ParseVersionNumber` in its file_system_storage_path_source.cc), and renamed. `versions`, `read_record` and the
like need neither TensorFlow nor TFX.
"""

import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from components.files import exists, is_remote, list_folder, read_bytes, write_whole
from components.settings import Settings
from schema.errors import Refused

RECORD = "model.json"
_GRAPH = "saved_model.pb"
_INCOMING = ".incoming-"


class CalibrationRecord(Settings):
    """What calibration came to on the eval split.

    Attributes:
        method: Of calibration.
        error_before: Expected calibration error, mean over the labels in use.
        error_after: Likewise, each fifth of the split calibrated by a fit to the rest.
    """

    method: str
    error_before: float
    error_after: float


class ModelRecord(Settings):
    """What a model is, readable without TensorFlow: `model.json` beside its saved_model.pb.

    Attributes:
        model_id: SHA-256, in hex, over the exported variables and graph.
        labels: in the order of the model's outputs, one for each.
        thresholds: in the same order; a label is given above its threshold.
        checkpoint: what it was fine-tuned from.
        created: when it was exported, ISO 8601.
        versions: package -> version at export.
        trained_on: whatever the Trainer records of the data, such as spans and row counts.
        retired: those of `labels` that are not in use any more: their outputs are always 0, and never given.
        renamed: what a label was called before -> what it is called in `labels`.
        calibration: None where the model's probabilities are its head's own.
        checkpoint_fingerprint: of `checkpoint`'s files; None in records older than this attribute.
        started_from: the version of the registry whose weights it began with; None: the checkpoint's.
    """

    model_id: str
    labels: list[str]
    thresholds: list[float]
    checkpoint: str
    created: str
    versions: dict[str, str]
    trained_on: dict[str, Any] = Field(default={})
    retired: list[str] = Field(default=[])
    renamed: dict[str, str] = Field(default={})
    calibration: CalibrationRecord | None = None
    checkpoint_fingerprint: str | None = None
    started_from: str | None = None

    @property
    def outputs(self) -> list[str | None]:
        """The label of every output, None for one that is retired."""
        return [None if label in self.retired else label for label in self.labels]


class Version(Settings):
    """A complete version directory.

    Attributes:
        number: its name: the Unix time of the push in seconds, or a little later to be the greatest.
        path: the directory.
    """

    number: int
    path: str


def write_record(model_dir: str, record: ModelRecord) -> None:
    """Writes the record beside the model's saved_model.pb."""
    write_whole(_join(model_dir, RECORD), f"{record.model_dump_json(indent=2)}\n".encode())


def read_record(model_dir: str) -> ModelRecord:
    """The record of a SavedModel directory.

    Raises:
        Refused: there is none, or it cannot be read as one.
    """
    path = _join(model_dir, RECORD)
    try:
        return ModelRecord.model_validate_json(read_bytes(path))
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({_reason(error)}): not a model that this pipeline exported?") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Refused(f"{path}: {where}: {first['msg']}") from error


def versions(base: str) -> list[Version]:
    """The complete versions under `base`, oldest first; none if there is no such folder."""
    found = (Version(number=number, path=_join(base, name)) for number, name in _numbered(base))
    return [version for version in found if exists(_join(version.path, _GRAPH))]


def latest(base: str) -> Version | None:
    """The version that TensorFlow Serving serves."""
    return next(reversed(versions(base)), None)


def push(model_dir: str, base: str, record: ModelRecord) -> Version:
    """Makes a model the latest version. Does nothing if it is already.

    Args:
        model_dir: a SavedModel.
        base: the registry, created if missing; a local path, or one that TFX's fileio understands (gs://, s3://).
        record: becomes the version's model.json.

    Returns:
        The new version, or the latest one if it is the same model.

    Raises:
        Refused: `model_dir` holds no SavedModel.
    """
    if not exists(_join(model_dir, _GRAPH)):
        raise Refused(f"{model_dir}: there is no {_GRAPH} to push")
    if is_remote(base):
        return _already_latest(base, record) or _push_remote(model_dir, base, record)
    Path(base).mkdir(parents=True, exist_ok=True)
    with _lock(base):
        return _already_latest(base, record) or _push_local(model_dir, base, record)


def copy_model(model_dir: str, destination: str) -> None:
    """Copies a SavedModel, its graph last: who finds a graph finds all of the model.

    Raises:
        OSError: the model cannot be read, for example because its version was removed meanwhile.
    """
    if is_remote(model_dir) or is_remote(destination):
        _copy_remote(model_dir, destination)
        return
    ignore_graph = shutil.ignore_patterns(_GRAPH)
    shutil.copytree(model_dir, destination, copy_function=_copy_durably, ignore=ignore_graph, dirs_exist_ok=True)
    _copy_durably(_join(model_dir, _GRAPH), _join(destination, _GRAPH))


def _already_latest(base: str, record: ModelRecord) -> Version | None:
    newest = latest(base)
    if newest is None or not exists(_join(newest.path, RECORD)):
        return None
    return newest if read_record(newest.path).model_id == record.model_id else None


def _push_local(model_dir: str, base: str, record: ModelRecord) -> Version:
    """Copies beside and renames. The caller holds the lock, so what is incoming is left from a killed push."""
    for leftover in Path(base).glob(f"{_INCOMING}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    incoming = Path(base, f"{_INCOMING}{uuid.uuid4().hex}")
    copy_model(model_dir, str(incoming))
    write_record(str(incoming), record)
    version = _next_version(base)
    incoming.rename(version.path)
    return version


def _push_remote(model_dir: str, base: str, record: ModelRecord) -> Version:
    """As TFX's own Pusher: object stores cannot rename a folder, so saved_model.pb comes last and completes it."""
    version = _next_version(base)
    _copy_remote(model_dir, version.path, record)
    return version


def _copy_remote(model_dir: str, destination: str, record: ModelRecord | None = None) -> None:
    from tfx.utils import io_utils

    not_yet = [_GRAPH] if record is None else [_GRAPH, RECORD]
    io_utils.copy_dir(model_dir, destination, deny_regex_patterns=[rf"/{re.escape(name)}$" for name in not_yet])
    if record is not None:
        write_record(destination, record)
    io_utils.copy_file(_join(model_dir, _GRAPH), _join(destination, _GRAPH))


def _next_version(base: str) -> Version:
    taken = [number for number, _ in _numbered(base)]  # complete or not
    number = max([int(time.time()), *(number + 1 for number in taken)])
    return Version(number=number, path=_join(base, str(number)))


def _numbered(base: str) -> list[tuple[int, str]]:
    names = (name.rstrip("/") for name in list_folder(base))
    return sorted((int(name), name) for name in names if name.isascii() and name.isdigit())


@contextmanager
def _lock(base: str) -> Iterator[None]:
    """Waits until no other process pushes to `base`; the lock of a killed process is gone with it."""
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


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
