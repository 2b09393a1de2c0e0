"""Records of remote runs, in their registry: which artifacts of past runs the service's cache may still return.

    <registry>/.remote_runs/<run>/run.json        written by the first step
    <registry>/.remote_runs/<run>/pushed.json     written by the Pusher: the run has trained a model
    <registry>/.remote_runs/<run>/removing.json   a clean-up removes the artifacts of the run, or was killed

The caches of Kubeflow and Vertex AI return artifacts without looking whether they exist, and entries cannot be removed
(kubeflow/pipelines at 2.16.1: backend/src/v2/cacheutils/cache.go, lines 105-139, asks the API server for the newest
entry of a fingerprint; backend/src/v2/driver/cache.go, lines 56-80, takes the outputs of its execution, in whatever
state the artifacts are; backend/api/v1beta1/task.proto, lines 53-68, has calls to create and list entries only). So
every run belongs to a generation, which is a parameter of the steps that have no input artifacts. The key of the cache
has the parameters and the IDs of the input artifacts, so that a step gets from the cache only what a run of the same
generation made. A run joins the generation of an earlier run on the same data; the artifacts of a generation are
removed together, after which no run joins it.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from components.common.files import list_folder, remove_file, remove_folder
from components.common.record import Record
from components.pusher.push_result import PushResult
from pipeline.kept_runs import EndedRun, choose_kept
from schema.errors import Refused

_FOLDER = ".remote_runs"
# A run that started later may be in progress, whatever the configuration says.
_LONGEST_RUN = timedelta(days=1)


class RunRecord(Record):
    """A remote run.

    Attributes:
        run: The service's ID of the run.
        folder: Address of the folder that all its artifacts are in; empty if it is not known.
        started: When its first step ran, ISO 8601, UTC.
        generation: Name of the generation that it belongs to: the ID of the run that began it.
        inputs: Fingerprint of the data; empty if the run found nothing new.
    """

    FILE: ClassVar = "run.json"

    run: str
    folder: str
    started: str
    generation: str
    inputs: str

    @property
    def start(self) -> datetime:
        """When it started, in UTC; a time that cannot be read is that of a run that has just begun."""
        try:
            read = datetime.fromisoformat(self.started)
        except ValueError:
            return datetime.now(UTC)
        return read if read.tzinfo else read.replace(tzinfo=UTC)


class Removing(Record):
    """Mark of a run whose artifacts are being removed."""

    FILE: ClassVar = "removing.json"

    when: str


@dataclass(frozen=True)
class KnownRun:
    """A run with what its later steps, and clean-ups, have added to its record.

    Attributes:
        record: Its record.
        pushed: Result of its push; None if it did not get that far.
        is_leaving: Whether its artifacts are being removed.
    """

    record: RunRecord
    pushed: PushResult | None
    is_leaving: bool


def join_generation(registry: str, run: str, folder: str, inputs: str) -> RunRecord:
    """Record a run, and return the record, which has the generation that it belongs to.

    A registry in an object store has no lock. A run first records itself and then looks whether the others of its
    generation are being removed; a clean-up first marks them and then looks whether another run has come: at least one
    of the two sees the other.

    Args:
        registry: The push destination.
        run: The service's ID of the run.
        folder: Address of the folder that all its artifacts are in; empty if it is not known.
        inputs: Fingerprint of the data; empty if there is nothing new, so that the run has a generation of its own.
    """
    with suppress(FileNotFoundError, Refused):  # the step is tried again
        return RunRecord.read(_folder(registry, run))
    generation = _find_generation(registry, inputs) or run
    record = RunRecord(
        run=run,
        folder=folder,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        generation=generation,
        inputs=inputs,
    )
    record.write(_folder(registry, run))
    if generation != run and any(each.is_leaving for each in _members(_readable_runs(registry), generation)):
        record = record.model_copy(update={"generation": run})
        record.write(_folder(registry, run))
    return record


def record_push(registry: str, run: str, push: PushResult) -> None:
    """Record that a run has trained a model, and which version it became."""
    push.write(_folder(registry, run))


def read_runs(registry: str) -> list[KnownRun]:
    """Return the recorded runs, the newest first.

    Raises:
        Refused: A record cannot be read, so it is not known what its run needs.
    """
    found = [_read(_folder(registry, name.rstrip("/"))) for name in list_folder(f"{registry.rstrip('/')}/{_FOLDER}")]
    return _newest_first(run for run in found if run is not None)


def removable_runs(registry: str, keep: int, before: datetime, live: Collection[int]) -> list[RunRecord]:
    """Return the runs whose artifacts no kept run has made or taken from the cache.

    Args:
        registry: The push destination.
        keep: Number of newest runs that are kept; see `choose_kept`.
        before: Runs that started later are kept as well, and so are those of the last day, which may be in progress.
        live: Numbers of the version in service, and of those that it is a copy of; the run that pushed it is kept.

    Raises:
        Refused: A record cannot be read.
    """
    runs = read_runs(registry)
    return [each.record for each in _removable(runs, keep, before, live)]


def begin_removal(registry: str, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Mark runs whose artifacts are to be removed; return those that no other run has joined meanwhile.

    Raises:
        Refused: A record cannot be read.
    """
    for record in runs:
        Removing(when=datetime.now(UTC).isoformat(timespec="seconds")).write(_folder(registry, record.run))
    marked = {record.run for record in runs}
    joined = {each.record.generation for each in read_runs(registry) if each.record.run not in marked}
    for record in runs:
        if record.generation in joined:
            remove_file(f"{_folder(registry, record.run)}/{Removing.FILE}")
    return [record for record in runs if record.generation not in joined]


def forget_run(registry: str, run: str) -> None:
    """Remove the record of a run whose artifacts are gone."""
    folder = _folder(registry, run)
    remove_file(f"{folder}/{RunRecord.FILE}")  # first: the mark without the record says nothing, and not otherwise
    remove_folder(folder)


def _removable(runs: Sequence[KnownRun], keep: int, before: datetime, live: Collection[int]) -> list[KnownRun]:
    pushers = [each.record.run for each in runs if each.pushed is not None and each.pushed.number in live]
    ended = [
        EndedRun(
            key=each.record.run,
            started=each.record.start,
            is_needed=each.record.run in pushers[:1],
            has_model=lambda pushed=each.pushed: pushed is not None,  # type: ignore[misc]
        )
        for each in runs
    ]
    kept = set(choose_kept(ended, keep, min(before, datetime.now(UTC) - _LONGEST_RUN)))
    needed = {each.record.generation for each in runs if each.record.run in kept}
    return [each for each in runs if each.record.generation not in needed]


def _find_generation(registry: str, inputs: str) -> str | None:
    """Return the newest generation of the same data that nobody removes."""
    runs = _readable_runs(registry)
    leaving = {each.record.generation for each in runs if each.is_leaving}
    of_data = [each.record.generation for each in runs if inputs and each.record.inputs == inputs]
    return next((generation for generation in of_data if generation not in leaving), None)


def _readable_runs(registry: str) -> list[KnownRun]:
    """Return the recorded runs, the newest first, without those that cannot be read: nobody joins what is unknown."""
    found = []
    for name in list_folder(f"{registry.rstrip('/')}/{_FOLDER}"):
        with suppress(Refused):
            found.append(_read(_folder(registry, name.rstrip("/"))))
    return _newest_first(run for run in found if run is not None)


def _read(folder: str) -> KnownRun | None:
    """Read the record of a run; None if there is none (yet, or any more)."""
    try:
        record = RunRecord.read(folder)
    except FileNotFoundError:
        return None
    try:
        pushed = PushResult.read(folder)
    except FileNotFoundError:
        pushed = None
    return KnownRun(record, pushed, is_leaving=Removing.FILE in list_folder(folder))


def _members(runs: Sequence[KnownRun], generation: str) -> list[KnownRun]:
    return [each for each in runs if each.record.generation == generation]


def _newest_first(runs: Iterable[KnownRun]) -> list[KnownRun]:
    return sorted(runs, key=lambda each: (each.record.start, each.record.run), reverse=True)


def _folder(registry: str, run: str) -> str:
    return f"{registry.rstrip('/')}/{_FOLDER}/{run}"
