"""Artifacts of local runs, as ML Metadata's sqlite file and their folders tell of them. Needs no TensorFlow.

TFX takes an artifact from its cache if its state is LIVE and its folder exists (tfx 1.21,
orchestration/portable/cache_utils.py, line 59, and types/artifact_utils.py, line 284). So a folder that is removed gets
another name first: whatever has its name is whole, also after a SIGKILL, and nothing needs space on a full disk.
"""

import errno
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from components.common.files import remove_tree, write_whole
from pipeline.kept_runs import EndedRun, choose_kept
from pipeline.work_dir import WorkDir
from schema.errors import Refused

_RUN_TYPE, _PUSHED_TYPE, _TRAINER = "pipeline_run", "PushedModel", "Trainer"
_READ_ONLY, _READ_WRITE = 1, 2
_MOST_CHARACTERS = 120  # of an error of ML Metadata, which quotes its SQL
# Folders of TFX's steps that only the execution in progress uses, below `<step>/.system`.
_LEAVING = ".removing-"
_OF_EXECUTIONS = ("executor_execution", "driver_execution", "stateful_working_dir")


@dataclass(frozen=True)
class StoredArtifact:
    """Artifact whose state is LIVE.

    Attributes:
        id: Its id in ML Metadata.
        uri: Its URI in ML Metadata.
        folder: Its folder below the root of the artifacts, which may not exist; None if it is elsewhere.
    """

    id: int
    uri: str
    folder: Path | None


@contextmanager
def metadata_refused(metadata: Path) -> Iterator[None]:
    """Raise an error of ML Metadata in the block as one line.

    Raises:
        Refused: The file is not ML Metadata's, or of another version of it.
    """
    from ml_metadata import errors

    try:
        yield
    except (RuntimeError, errors.StatusError) as error:
        reason = " ".join(str(error).split())[:_MOST_CHARACTERS]
        raise Refused(
            f"{metadata}: cannot be read as ML Metadata ({reason}); restore it, or delete it: the history then has what"
            " is in the folders of the runs"
        ) from None


@contextmanager
def metadata_writing(metadata: Path) -> Iterator[None]:
    """Raise an error of ML Metadata in the block, which writes, as that of its disk.

    Raises:
        OSError: The file cannot be written.
    """
    from ml_metadata import errors

    try:
        yield
    except (RuntimeError, errors.StatusError) as error:
        code = _find_disk_error(metadata) or (errno.ENOSPC if "disk is full" in str(error) else errno.EIO)
        raise OSError(code, os.strerror(code), str(metadata)) from error


def open_store(metadata: Path, *, read_only: bool = True) -> Any:
    """Open the sqlite file of ML Metadata, which must exist."""
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(metadata)
    connection.sqlite.connection_mode = _READ_ONLY if read_only else _READ_WRITE
    return metadata_store.MetadataStore(connection)


class ArtifactStore:
    """Artifacts of the runs in a working directory.

    Args:
        work_dir: The working directory. No run may be in progress in it, unless nothing is changed.
        read_only: Whether nothing is to be changed.
    """

    def __init__(self, work_dir: WorkDir, *, read_only: bool = False) -> None:
        self._root = work_dir.artifacts
        self._metadata = work_dir.metadata
        self._store = open_store(work_dir.metadata, read_only=read_only) if work_dir.metadata.exists() else None

    def close_killed(self) -> int:
        """Mark what killed runs left open: their executions as canceled, and their artifacts as abandoned.

        Returns:
            The number of executions.
        """
        if self._store is None:
            return 0
        from ml_metadata.proto.metadata_store_pb2 import Artifact, Execution

        killed = [
            each for each in self._store.get_executions() if each.last_known_state in (Execution.NEW, Execution.RUNNING)
        ]
        pending = [each for each in self._store.get_artifacts() if each.state == Artifact.PENDING]
        for execution in killed:
            execution.last_known_state = Execution.CANCELED
        for artifact in pending:
            artifact.state = Artifact.ABANDONED
        with metadata_writing(self._metadata):
            if pending:
                self._store.put_artifacts(pending)
            if killed:
                self._store.put_executions(killed)
        return len(killed)

    def strays(self) -> list[Path]:
        """Return the folders below the root of the artifacts that belong to no live artifact.

        They are what killed runs and removals left, or of an ML Metadata that was deleted: a new one gives the same
        numbers again, and a step would take what is in its folder for its own.
        """
        known = {step_key_number for artifact in self._live() for step_key_number in _numbered_parts(artifact.uri)}
        of_steps = [path for path in self._root.glob("[!.]*/[!.]*/*") if path.name.isdigit()]
        of_executions = [path for name in _OF_EXECUTIONS for path in self._root.glob(f"[!.]*/.system/{name}/*")]
        removed = self._root.glob(f"[!.]*/[!.]*/{_LEAVING}*")
        unknown = [path for path in of_steps if path.parts[-3:] not in known]
        return sorted([*unknown, *of_executions, *removed])

    def unneeded(self, keep: int, before: datetime, pushed: Collection[str]) -> list[StoredArtifact]:
        """Return the live artifacts that no kept run has as input or output.

        Args:
            keep: Number of newest runs that are kept, of those that trained a model; of those that ended before, as
                many, unless they are older than all of these.
            before: Runs that started later are kept as well.
            pushed: Paths of versions in the registry; the runs that pushed them are kept as well.
        """
        if self._store is None:
            return []
        kept = self._kept_executions(keep, before, pushed)
        events = self._store.get_events_by_execution_ids(sorted(kept)) if kept else []
        used = {event.artifact_id for event in events}
        return [each for each in self._live() if each.id not in used and each.folder is not None]

    def delete(self, artifacts: Collection[StoredArtifact]) -> None:
        """Remove the folders of artifacts, and mark the artifacts as deleted.

        Raises:
            OSError: A folder cannot be removed.
        """
        for each in artifacts:
            if each.folder is not None and each.folder.exists():
                leaving = each.folder.with_name(f"{_LEAVING}{each.folder.name}")
                each.folder.rename(leaving)
                remove_tree(leaving)
        self._mark_deleted([each.id for each in artifacts])

    def mark_missing(self) -> None:
        """Mark live artifacts as deleted whose folder is gone: somebody, or a killed clean-up, has removed it."""
        self._mark_deleted([each.id for each in self._live() if each.folder is not None and not each.folder.exists()])

    def _mark_deleted(self, ids: Sequence[int]) -> None:
        if self._store is None or not ids:
            return
        from ml_metadata.proto.metadata_store_pb2 import Artifact

        stored = self._store.get_artifacts_by_id(ids)
        for artifact in stored:
            artifact.state = Artifact.DELETED
        with metadata_writing(self._metadata):
            self._store.put_artifacts(stored)

    def _live(self) -> list[StoredArtifact]:
        if self._store is None:
            return []
        from ml_metadata.proto.metadata_store_pb2 import Artifact

        return [
            StoredArtifact(each.id, each.uri, self._folder(each.uri))
            for each in self._store.get_artifacts()
            if each.state == Artifact.LIVE
        ]

    def _folder(self, uri: str) -> Path | None:
        """Return the folder of an artifact, also in a working directory that was moved since."""
        if Path(uri).is_relative_to(self._root):
            return Path(uri)
        moved = [self._root.joinpath(*parts) for parts in _numbered_parts(uri)]
        return next((path for path in moved if path.is_dir()), None)

    def _kept_executions(self, keep: int, before: datetime, pushed: Collection[str]) -> set[int]:
        """Return the ids of the executions of the kept runs."""
        assert self._store is not None
        trainers = {each.id for each in self._store.get_execution_types() if each.name.rsplit(".", 1)[-1] == _TRAINER}
        of_pushes = self._runs_that_pushed(pushed)
        executions: dict[int, list[Any]] = {}

        def read(context: int) -> list[Any]:
            if context not in executions:
                assert self._store is not None
                executions[context] = self._store.get_executions_by_context(context)
            return executions[context]

        def has_model(context: int) -> bool:
            return any(each.type_id in trainers and _has_completed(each) for each in read(context))

        runs = (
            EndedRun(
                key=context.id,
                started=datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=context.create_time_since_epoch),
                is_needed=context.id in of_pushes,
                has_model=partial(has_model, context.id),
            )
            for context in sorted(self._store.get_contexts_by_type(_RUN_TYPE), key=lambda each: -each.id)
        )
        return {each.id for run in choose_kept(runs, keep, before) for each in read(cast(int, run))}

    def _runs_that_pushed(self, versions: Collection[str]) -> set[int]:
        """Return the context of the newest run that has the push of any of these versions among its outputs."""
        assert self._store is not None
        pushed = [
            each.id
            for each in self._store.get_artifacts_by_type(_PUSHED_TYPE)
            if each.custom_properties["pushed_destination"].string_value in versions
        ]
        runs = {
            context.id
            for event in (self._store.get_events_by_artifact_ids(pushed) if pushed else [])
            for context in self._store.get_contexts_by_execution(event.execution_id)
            if context.type == _RUN_TYPE
        }
        return {max(runs)} if runs else set()


def _find_disk_error(metadata: Path) -> int | None:
    """Return the error of the disk that a file is on, by writing another one beside it; sqlite does not tell it."""
    try:
        write_whole(f"{metadata}.trial", bytes(4096))
        remove_tree(Path(f"{metadata}.trial"))
    except OSError as error:
        return error.errno
    return None


def _has_completed(execution: Any) -> bool:
    from ml_metadata.proto.metadata_store_pb2 import Execution

    return execution.last_known_state in (Execution.COMPLETE, Execution.CACHED)


def _numbered_parts(uri: str) -> Iterator[tuple[str, ...]]:
    """Yield the last parts of a URI that may be step, key and number: a working directory may have been moved."""
    parts = Path(uri).parts
    for end in range(3, len(parts) + 1):
        if parts[end - 1].isdigit():
            yield parts[end - 3 : end]
