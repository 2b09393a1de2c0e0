"""First pass over the rows of local files, in seconds and without TensorFlow: what can be refused before it is loaded.

Rows are read, parsed and counted as the step does it, by the same parsers. Copies of texts are not compared, so that
counts of splits are those of a first deal.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from components.common.files import is_remote
from components.common.progress import PROGRESS
from components.example_gen.formats.opening import open_table
from components.example_gen.formats.rows import Rejected, Row
from components.example_gen.formats.values import UnusableValueError
from components.example_gen.parsing.known import LabelResolver
from components.example_gen.parsing.label_changes import LabelChanges
from components.example_gen.parsing.labels import read_label_names
from components.example_gen.parsing.row_parser import RowParser, make_row_parser
from components.example_gen.report import IngestReport, Tally
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import SPLITS
from components.example_gen.sources.sources import InputFile, Sources
from components.example_gen.splitting import Splitter

BUDGET_S = 15.0
"""Processor time after which the pass ends: on large data, several workers are faster."""

_ROWS_PER_CHECK = 1_000
_ROWS_PER_PROGRESS_LINE = 50_000
_MOST_REJECTS = 20_000  # kept for the quarantine


@dataclass(frozen=True)
class FirstPass:
    """Result of the pass.

    Attributes:
        report: Counts of the rows.
        rejects: (name of the file, row) of the rows that cannot be read, the first ones.
        is_complete: Whether all rows were read.
    """

    report: IngestReport
    rejects: list[tuple[str, Rejected]]
    is_complete: bool


@dataclass
class _Counts:
    """Counts so far.

    Attributes:
        tally: Counts of the rows.
        rejects: Rows that cannot be read, with the names of their files.
        deadline_s: Processor time of this process at which the pass ends.
    """

    tally: Tally
    deadline_s: float
    rejects: list[tuple[str, Rejected]] = field(default_factory=list)

    def reject(self, row: Rejected, file: InputFile) -> None:
        self.tally.reasons[row.reason] += 1
        if len(self.rejects) < _MOST_REJECTS:
            self.rejects.append((file.name, row))

    def count_row(self) -> bool:
        """Count a row; return whether there is time for more."""
        self.tally.read += 1
        if self.tally.read % _ROWS_PER_PROGRESS_LINE == 0:
            PROGRESS.info("%d rows read", self.tally.read)
        return self.tally.read % _ROWS_PER_CHECK != 0 or time.process_time() < self.deadline_s


def read_all_rows(
    settings: ExamplesSettings, sources: Sources, changes: LabelChanges, budget_s: float = BUDGET_S
) -> FirstPass | None:
    """Read the rows of all files, as far as the time allows.

    Args:
        settings: Format and columns of the files.
        sources: The files.
        changes: Labels that were renamed or retired.
        budget_s: Processor time, in seconds.

    Returns:
        The result; None if the rows are not in files on this machine.

    Raises:
        Refused: A file cannot be read, or lacks a column.
    """
    if settings.has_queries or any(is_remote(file.path) for file in sources.files):
        return None
    counts = _Counts(Tally(), time.process_time() + budget_s)
    resolver = LabelResolver(changes, complete=settings.implied == "complete")
    names = read_label_names(settings.labels, settings.input_base)
    is_complete = all(_read_file(file, settings, names, resolver, counts) for file in sources.files)
    report = counts.tally.report([file.name for file in sources.files])
    return FirstPass(report, counts.rejects, is_complete)


def _read_file(
    file: InputFile, settings: ExamplesSettings, names: Sequence[str], resolver: LabelResolver, counts: _Counts
) -> bool:
    """Count the rows of a file; return whether it was read to its end."""
    entry = settings.inputs[file.input]
    columns, objects = settings.columns_of(file.input), settings.objects_of(file.input)
    with open_table(file.path, settings, file.name, columns=columns, objects=objects) as table:
        parser = make_row_parser(
            table.columns, settings, entry.asked, names, file.name, table.others, asked_delimiter=entry.asked_delimiter
        )
        splitter = Splitter(settings, entry)
        for row in table.rows:
            _count(row, file, parser, splitter, resolver, counts)
            if not counts.count_row():
                return False
    return True


def _count(
    row: Row | Rejected,
    file: InputFile,
    parser: RowParser,
    splitter: Splitter,
    resolver: LabelResolver,
    counts: _Counts,
) -> None:
    if isinstance(row, Rejected):
        counts.reject(row, file)
        return
    parsed = parser.parse(row)
    if isinstance(parsed, Rejected):
        counts.reject(parsed, file)
        return
    try:
        known = resolver.resolve(parsed)
    except UnusableValueError as error:
        counts.reject(row.reject(error.reason, error.detail), file)
        return
    tally = counts.tally
    tally.retired.update(known.retired)
    tally.swallowed += row.swallowed
    tally.splits[SPLITS[splitter.assign(parsed).split]] += 1
    for label in known.given:
        tally.count_label(label, 1, (file.order, row.line))
