"""What a pipeline was trained on, run by run: what the next run's data is compared with, and whether it is newer.

    <registry>/.trained_on/00000007/entry.json
    <registry>/.trained_on/00000007/FeatureStats.pb

It lies in the registry because that is the one place which every run of a pipeline reaches on every runner (open-source
Kubeflow has neither drivers nor resolvers to ask ML Metadata with), and because whoever starts a registry afresh wants
to begin afresh. TensorFlow Serving skips the folder, as every name that is not a number. Needs no TensorFlow.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import Field

from components.common.files import exists, list_folder, make_folder, read_bytes, write_whole
from components.common.settings import Settings
from components.example_gen.report import IngestReport, SpanCount
from components.example_gen.sources.spans import newest

_FOLDER = ".trained_on"
_ENTRY = "entry.json"  # written last: a folder without one is no entry
_STATISTICS = "FeatureStats.pb"


class Trained(Settings):
    """One run that trained a model and judged it.

    Attributes:
        digest: `IngestReport.digest` of its data.
        spans: That it read, ascending; empty where inputs have no spans.
        labels: Rows by label.
        known: The labels in use at the time.
        rows: Accepted rows.
        when: ISO 8601.
    """

    digest: str
    spans: list[SpanCount]
    labels: dict[str, int]
    known: list[str]
    rows: int
    when: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def newest(self) -> tuple[int, int]:
        """Of its spans, as `components.example_gen.sources.spans.newest` tells it."""
        return newest(self.spans)


def record(registry: str, report: IngestReport, known: Sequence[str], statistics: bytes) -> None:
    """Adds an entry, unless the last one is of the same data.

    Args:
        registry: The push destination.
        report: Of the data.
        known: The labels in use.
        statistics: A serialized DatasetFeatureStatisticsList of the newest span's train split.
    """
    entries = _numbers(registry)
    if entries and read(registry, entries[-1]).digest == report.digest:
        return
    folder = _folder(registry, entries[-1] + 1 if entries else 1)
    make_folder(folder)
    write_whole(f"{folder}/{_STATISTICS}", statistics)
    entry = Trained(
        digest=report.digest,
        spans=report.spans,
        labels={label: seen.count for label, seen in report.labels.items()},
        known=list(known),
        rows=report.accepted,
    )
    write_whole(f"{folder}/{_ENTRY}", f"{entry.model_dump_json(indent=2)}\n".encode())


def last(registry: str) -> Trained | None:
    """The last entry, None before the first."""
    numbers = _numbers(registry)
    return read(registry, numbers[-1]) if numbers else None


def before(registry: str, report: IngestReport) -> tuple[Trained, bytes] | None:
    """The last entry of older data than a report's, with its statistics; None if there is none.

    Where there are spans, older is an entry whose newest span is before the newest now; a span that comes in a new
    version, or is trained on again, is so compared with the one before it. Elsewhere it is any other data.
    """
    now = newest(report.spans)
    for number in reversed(_numbers(registry)):
        entry = read(registry, number)
        if (entry.newest[0] < now[0]) if report.spans else (entry.digest != report.digest):
            return entry, read_bytes(f"{_folder(registry, number)}/{_STATISTICS}")
    return None


def read(registry: str, number: int) -> Trained:
    """Reads an entry."""
    return Trained.model_validate_json(read_bytes(f"{_folder(registry, number)}/{_ENTRY}"))


def _numbers(registry: str) -> list[int]:
    """The entries, ascending."""
    names = (name.rstrip("/") for name in list_folder(f"{registry.rstrip('/')}/{_FOLDER}"))
    numbers = sorted(int(name) for name in names if name.isascii() and name.isdigit())
    return [number for number in numbers if exists(f"{_folder(registry, number)}/{_ENTRY}")]


def _folder(registry: str, number: int) -> str:
    return f"{registry.rstrip('/')}/{_FOLDER}/{number:08d}"
