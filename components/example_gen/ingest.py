"""From rows of any format to spilled examples and rejects, and a count of both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from components.common.progress import PROGRESS
from components.example_gen import runs, shards
from components.example_gen.columns import find_columns
from components.example_gen.formats.rows import Rejected, Row, Table
from components.example_gen.label_changes import LabelChanges, apply
from components.example_gen.labels import make_label_parser
from components.example_gen.parsing import Record, RowParser
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.report import Tally
from components.example_gen.runs import RunWriter, SpilledRow
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.sources import InputFile
from components.example_gen.splitting import Splitter, stable_hash

_REJECTS_AT_ONCE = 20_000  # held in memory; a raw row is at most 2,000 characters
_ROWS_BETWEEN_NEWS = 50_000


@dataclass(frozen=True, slots=True)
class Part:
    """What came of some of the work.

    Attributes:
        order: Of its first file; parts are reported in this order.
        tally: The counts.
        runs: Paths that hold accepted rows.
        rejects: Paths that hold quarantined rows.
    """

    order: int
    tally: Tally
    runs: list[str] = field(default_factory=list)
    rejects: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ingestion:
    """What every worker needs to know.

    Attributes:
        settings: The configuration.
        label_names: From `read_label_names`.
        changes: Labels that were renamed or retired.
        folder: Where runs are written.
        partitions: How many there are.
    """

    settings: ExamplesSettings
    label_names: Sequence[str]
    changes: LabelChanges
    folder: str
    partitions: int


class Ingest:
    """Takes the rows of some files; `finish` gives what came of them."""

    def __init__(self, job: Ingestion, order: int) -> None:
        self._job = job
        self._order = order
        self._tally = Tally()
        self._writer = RunWriter(job.folder, job.partitions)
        self._rejects: list[QuarantinedRow] = []
        self._reject_paths: list[str] = []

    def add_table(self, table: Table, file: InputFile) -> None:
        """Takes all rows of a file."""
        sink = self.sink(table.columns, file, table.others)
        for row in table.rows:
            sink.add(row)

    def sink(self, columns: Sequence[str], file: InputFile, others: Sequence[str] = ()) -> "_Sink":
        """What takes the rows of a file one by one; they have `columns`, the file `others` besides."""
        settings = self._job.settings
        layout = find_columns(columns, settings, file.name, others=others)
        parser = RowParser(file.name, layout, make_label_parser(settings, self._job.label_names))
        return _Sink(self, file, parser, Splitter(settings, settings.inputs[file.input]))

    def finish(self) -> Part:
        """Writes what is held."""
        self._writer.flush()
        self._flush_rejects()
        return Part(self._order, self._tally, self._writer.paths, self._reject_paths)

    def reject(self, row: Rejected, file: InputFile) -> None:
        self._count_read()
        self._tally.reasons[row.reason] += 1
        self._rejects.append(QuarantinedRow(file.name, row.line, row.sentence, row.raw))
        if len(self._rejects) >= _REJECTS_AT_ONCE:
            self._flush_rejects()

    def accept(self, record: Record, line: int, file: InputFile, splitter: Splitter) -> None:
        self._count_read()
        labels, retired = apply(record.labels, self._job.changes)
        self._tally.retired.update(retired)
        record.labels[:] = labels
        place = splitter.place(record)
        self._writer.add(
            SpilledRow(
                text_key=place.text_key,
                labels_key=stable_hash("\n".join(sorted(labels))),
                order=shards.order_of(file.name, str(line) if line else record.id),
                split=place.split,
                allowed=place.allowed,
                pinned=place.pinned,
                file=file.order,
                line=line,
                labels=labels,
                example=shards.serialize(record, self._job.settings.slices, file.span),
            )
        )

    def _count_read(self) -> None:
        self._tally.read += 1
        if self._tally.read % _ROWS_BETWEEN_NEWS == 0:
            PROGRESS.info("%d rows read", self._tally.read)

    def _flush_rejects(self) -> None:
        if self._rejects:
            self._reject_paths.append(runs.write_rejects(self._rejects, self._job.folder))
            self._rejects = []


@dataclass(frozen=True, slots=True)
class _Sink:
    """Takes the rows of one file."""

    ingest: Ingest
    file: InputFile
    parser: RowParser
    splitter: Splitter

    def add(self, row: Row | Rejected) -> None:
        outcome = row if isinstance(row, Rejected) else self.parser.parse(row)
        if isinstance(outcome, Rejected):
            self.ingest.reject(outcome, self.file)
        else:
            self.ingest.accept(outcome, row.line, self.file, self.splitter)


def merge(parts: Iterable[Part]) -> Tally:
    """The counts of all parts."""
    merged = Tally()
    for part in parts:
        merged.merge(part.tally)
    return merged
