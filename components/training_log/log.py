"""Log of what a pipeline was trained on, one entry for each run.

    <registry>/.trained_on/00000007/entry.json
    <registry>/.trained_on/00000007/FeatureStats.pb

The next run's data is compared with it, and it decides whether that data is newer. The log is in the registry because
every run of a pipeline reaches the registry on every runner (open-source Kubeflow has neither drivers nor resolvers
that could query ML Metadata), and because a new registry should begin with an empty log. TensorFlow Serving ignores the
folder, like every name that is not a number. Needs no TensorFlow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import DecodeError
from pydantic import Field
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.entries import NumberedEntries
from components.common.files import read_bytes, write_whole
from components.common.record import Record
from components.example_gen.report import IngestReport, SpanCount
from components.example_gen.sources.spans import newest
from components.registry import locked
from schema.errors import Refused

_STATISTICS_FILE = "FeatureStats.pb"


class TrainingEntry(Record):
    """Data of one run that trained and judged a model.

    Attributes:
        digest: Digest of the examples, see `IngestReport.digest`.
        spans: Spans read, ascending; empty where inputs have no spans.
        labels: Number of rows by label.
        known: Labels in use at the time.
        rows: Number of accepted rows.
        implies: Labels in use that a label implied at the time, directly or through others, by that label.
        when: Time of the entry, ISO 8601, UTC.
    """

    FILE = "entry.json"  # written last: a folder without it is not an entry

    digest: str
    spans: list[SpanCount]
    labels: dict[str, int]
    known: list[str]
    rows: int
    implies: dict[str, list[str]] = Field(default={})
    when: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def newest(self) -> tuple[int, int]:
        """Newest span and its version, to be compared; see `components.example_gen.sources.spans.newest`."""
        return newest(self.spans)


_ENTRIES = NumberedEntries(".trained_on", TrainingEntry.FILE)


@dataclass(frozen=True)
class LoggedTraining:
    """An entry with the statistics of its data.

    Attributes:
        entry: The entry.
        statistics: Serialized DatasetFeatureStatisticsList of the newest span's train split.
    """

    entry: TrainingEntry
    statistics: bytes


def append_entry(
    registry: str,
    report: IngestReport,
    known: Sequence[str],
    statistics: bytes,
    implies: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Append an entry, unless the last one is of the same data.

    Args:
        registry: The push destination.
        report: ExampleGen's report on the data.
        known: Labels in use.
        statistics: Serialized DatasetFeatureStatisticsList of the newest span's train split.
        implies: Labels in use that a label implies, directly or through others, by that label.
    """
    with locked(registry):  # two runs would take the same number
        _append(registry, report, known, statistics, implies or {})


def _append(
    registry: str,
    report: IngestReport,
    known: Sequence[str],
    statistics: bytes,
    implies: Mapping[str, Sequence[str]],
) -> None:
    numbers = _ENTRIES.numbers(registry)
    if numbers and _read(registry, numbers[-1]).digest == report.digest:
        return
    # The statistics hold the most frequent texts; servers, which may be other users, need only the versions.
    folder = _ENTRIES.create(registry, numbers[-1] + 1 if numbers else 1)
    write_whole(f"{folder}/{_STATISTICS_FILE}", statistics)
    entry = TrainingEntry(
        digest=report.digest,
        spans=report.spans,
        labels={label: seen.count for label, seen in report.labels.items()},
        known=list(known),
        rows=report.accepted,
        implies={label: list(implied) for label, implied in implies.items()},
    )
    entry.write(folder)


def old_entries(registry: str, keep: int, before: datetime) -> list[str]:
    """Return the folders of the entries that no run needs, oldest first.

    Args:
        registry: The push destination.
        keep: Number of newest entries that are kept, at least 1.
        before: An entry that was written later is kept.

    Raises:
        Refused: An entry cannot be read.
    """
    older = _ENTRIES.numbers(registry)[:-keep]
    return [_ENTRIES.folder(registry, number) for number in older if _written_before(_read(registry, number), before)]


def remove_old_entries(registry: str, keep: int, before: datetime) -> None:
    """Remove the entries that no run needs; arguments and errors are those of `old_entries`."""
    with locked(registry):
        for folder in old_entries(registry, keep, before):
            _ENTRIES.remove(folder)


def _written_before(entry: TrainingEntry, before: datetime) -> bool:
    try:
        written = datetime.fromisoformat(entry.when)
    except ValueError:
        return False
    return (written if written.tzinfo else written.replace(tzinfo=UTC)) < before


def last_entry(registry: str) -> TrainingEntry | None:
    """Return the last entry, or None if the log is empty."""
    numbers = _ENTRIES.numbers(registry)
    return _read(registry, numbers[-1]) if numbers else None


def entry_before(registry: str, report: IngestReport) -> LoggedTraining | None:
    """Return the last entry of data older than a report's, or None if there is none.

    With spans, an entry is older if its newest span is before the report's newest. A span that is trained on again, or
    in a new version, is therefore compared with the span before it. Without spans, any other data is older.
    """
    newest_span, _ = newest(report.spans)
    for number in reversed(_ENTRIES.numbers(registry)):
        entry = _read(registry, number)
        if (entry.newest[0] < newest_span) if report.spans else (entry.digest != report.digest):
            return LoggedTraining(entry, _read_statistics(registry, number))
    return None


def _read(registry: str, number: int) -> TrainingEntry:
    folder = _ENTRIES.folder(registry, number)
    try:
        return TrainingEntry.read(folder)
    except Refused as refused:
        raise Refused(f"{str(refused).partition(';')[0]}; {_remedy(folder)}") from None


def _read_statistics(registry: str, number: int) -> bytes:
    folder = _ENTRIES.folder(registry, number)
    path = f"{folder}/{_STATISTICS_FILE}"
    try:
        content = read_bytes(path)
        statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror or error}); {_remedy(folder)}") from None
    except DecodeError:
        raise Refused(f"{path}: is damaged (not a statistics file); {_remedy(folder)}") from None
    return content


def _remedy(folder: str) -> str:
    return f"restore it, or delete {folder}: the entry before it then counts as the last"
