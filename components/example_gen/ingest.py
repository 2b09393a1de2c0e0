"""Ingestion of rows: parses them, spills examples and rejects to disk, and counts both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from components.common.progress import PROGRESS
from components.example_gen import shards
from components.example_gen.formats.rows import Rejected, Row, Table
from components.example_gen.formats.values import UnusableValueError
from components.example_gen.parsing.known import LabelResolver
from components.example_gen.parsing.label_changes import LabelChanges
from components.example_gen.parsing.row_parser import LabelledText, RowParser, make_row_parser
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.report import Tally
from components.example_gen.runs import RejectWriter, RunWriter, SpilledRow
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.sources import InputFile
from components.example_gen.splitting import Splitter, labels_key, stable_hash

_MOST_REJECTS_HELD = 20_000  # in memory; the raw text of a row has at most 2,000 characters
_ROWS_PER_PROGRESS_LINE = 50_000


@dataclass(frozen=True, slots=True)
class Part:
    """Result of a part of the work.

    Attributes:
        order: Order of the first file of the part; parts are reported in this order.
        tally: Counts of the rows.
        runs: Paths of accepted rows.
        rejects: Paths of quarantined rows.
        keys: Paths of the keys of accepted rows, if rows are merged by a key.
    """

    order: int
    tally: Tally
    runs: list[str] = field(default_factory=list)
    rejects: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Parameters of the work, the same for every worker.

    Attributes:
        settings: Format, columns and splits of the inputs.
        label_names: Labels that indices point to, from `read_label_names`.
        changes: Labels that were renamed or retired.
        folder: Folder that runs are written to.
        partitions: Number of partitions.
    """

    settings: ExamplesSettings
    label_names: Sequence[str]
    changes: LabelChanges
    folder: str
    partitions: int


class Ingest:
    """Collector of the rows of some files; `finish` returns the result."""

    def __init__(self, job: Ingestion, order: int) -> None:
        self._job = job
        self._order = order
        self._tally = Tally()
        self._resolver = LabelResolver(job.changes, complete=job.settings.implied == "complete")
        self._writer = RunWriter(job.folder, job.partitions, with_keys=job.settings.merge_by is not None)
        self._rejects = RejectWriter(job.folder, _MOST_REJECTS_HELD)

    def add_table(self, table: Table, file: InputFile) -> None:
        """Add all rows of a file."""
        sink = self.sink(table.columns, file, table.others)
        for row in table.rows:
            sink.add(row)

    def sink(self, columns: Sequence[str], file: InputFile, others: Sequence[str] = ()) -> "_Sink":
        """Return a sink for the rows of a file, to add them one by one.

        Args:
            columns: Columns of the rows, in the order of their cells.
            file: File that the rows are from.
            others: Further columns of the file, for messages.

        Raises:
            Refused: A configured column is missing.
        """
        settings = self._job.settings
        entry = settings.inputs[file.input]
        parser = make_row_parser(
            columns, settings, entry.asked, self._job.label_names, file.name, others,
            asked_delimiter=entry.asked_delimiter,
        )  # fmt: skip
        return _Sink(self, file, parser, Splitter(settings, entry))

    def finish(self) -> Part:
        """Write the rows that are still in memory, and return the result."""
        self._writer.flush()
        self._rejects.flush()
        return Part(self._order, self._tally, self._writer.paths, self._rejects.paths, self._writer.key_paths)

    def reject(self, row: Rejected, file: InputFile) -> None:
        """Count a rejected row and keep it for the quarantine."""
        self._count_row()
        self._tally.reasons[row.reason] += 1
        self._rejects.add(QuarantinedRow(file.name, row.line, row.explanation, row.raw))

    def accept(self, parsed: LabelledText, row: Row, file: InputFile, splitter: Splitter) -> None:
        """Count a parsed row and spill it as an example; reject it if it was labelled for nothing."""
        try:
            known = self._resolver.resolve(parsed)
        except UnusableValueError as error:
            self.reject(row.reject(error.reason, error.detail), file)
            return
        self._count_row()
        self._tally.retired.update(known.retired)
        self._tally.completed.update(known.completed)
        self._tally.swallowed += row.swallowed
        parsed.labels[:], parsed.unknown[:] = known.given, known.unknown
        parsed.scores.clear()
        parsed.scores.update(known.scores)
        self._tally.soft += bool(known.scores)
        assignment = splitter.assign(parsed)
        settings = self._job.settings
        self._writer.add(
            SpilledRow(
                text_key=assignment.text_key,
                labels_key=labels_key(known.given, known.unknown),
                order=shards.shuffle_key(file.name, str(row.line) if row.line else parsed.id),
                unit_key=assignment.unit_key,
                split=assignment.split,
                allowed=assignment.allowed,
                pinned=assignment.pinned,
                file=file.order,
                line=row.line,
                labels=known.given,
                unknown=known.unknown,
                example=shards.serialize(parsed, settings.slices, file.span, grouped=settings.group is not None),
                merge_key=0 if settings.merge_by is None else stable_hash(f"{file.input}:{parsed.key}"),
            )
        )

    def _count_row(self) -> None:
        self._tally.read += 1
        if self._tally.read % _ROWS_PER_PROGRESS_LINE == 0:
            PROGRESS.info("%d rows read", self._tally.read)


@dataclass(frozen=True, slots=True)
class _Sink:
    """Collector of the rows of one file."""

    ingest: Ingest
    file: InputFile
    parser: RowParser
    splitter: Splitter

    def add(self, row: Row | Rejected) -> None:
        """Parse a row, and accept or reject it."""
        if isinstance(row, Rejected):
            self.ingest.reject(row, self.file)
            return
        parsed = self.parser.parse(row)
        if isinstance(parsed, Rejected):
            self.ingest.reject(parsed, self.file)
        else:
            self.ingest.accept(parsed, row, self.file, self.splitter)


def merge_parts(parts: Iterable[Part]) -> Tally:
    """Return the counts of all parts together."""
    merged = Tally()
    for part in parts:
        merged.merge(part.tally)
    return merged
