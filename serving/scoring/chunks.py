"""Chunks: files of rows between reading and scoring, each of which becomes one file of scores.

Rows wait on disk, since an in-process Beam runner would hold them in memory, and a large file could be scored by one
worker alone. A second call finds the chunks of the first, so rows are read once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from components.common.files import open_seekable
from components.example_gen.formats.rows import Reason, Rejected, Row
from components.example_gen.parsing.columns import find_columns
from components.example_gen.parsing.row_parser import LabelledText, RowParser
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.runs import RejectWriter, write_batches
from components.example_gen.sources.sources import InputFile
from serving.scoring.record import Chunk, Plan, ScoredRows
from serving.scoring.settings import ScoringSettings

_CHUNK_BYTES = 32 << 20  # of texts, which are in memory until the chunk is written, and again when it is scored
_MOST_REJECTS_HELD = 5_000

_ROWS = pa.schema([
    ("id", pa.string()), ("text", pa.string()), ("pair", pa.string()), ("slices", pa.list_(pa.string())),
])  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """Result of reading a part of the inputs.

    Attributes:
        order: Order of the first file of the part.
        chunks: Rows to score.
        rejects: Paths of quarantined rows.
        reasons: Number of quarantined rows by reason.
    """

    order: int
    chunks: list[Chunk] = field(default_factory=list)
    rejects: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


class ChunkWriter:
    """Writer of the chunks of some files.

    Args:
        settings: Columns of the rows, and how many of them make a chunk.
        folder: Folder that chunks are written to.
        order: Order of the first file.
    """

    def __init__(self, settings: ScoringSettings, folder: str, order: int) -> None:
        self._settings, self._folder = settings, folder
        self._rejects = RejectWriter(folder, _MOST_REJECTS_HELD)
        self._part = Part(order, rejects=self._rejects.paths)
        self._rows: list[tuple[str, str, str | None, list[str]]] = []
        self._bytes = 0

    def parser(self, columns: Sequence[str], file: InputFile, others: Sequence[str] = ()) -> RowParser:
        """Return the parser of a file's rows.

        Args:
            columns: Columns of the rows, in the order of their cells.
            file: File that the rows are from.
            others: Further columns of the file, for messages.

        Raises:
            Refused: A configured column is missing.
        """
        layout = find_columns(columns, self._settings, file.name, others=others)
        return RowParser(file.name, layout, lambda _: [])

    def add(self, row: Row | Rejected, parser: RowParser) -> None:
        """Add a row of a file; write a chunk if enough rows are in memory."""
        parsed = row if isinstance(row, Rejected) else parser.parse(row)
        if isinstance(parsed, Rejected):
            self._reject(parsed, parser.file)
        else:
            self._accept(parsed)

    def finish(self) -> Part:
        """Write the rows that are still in memory, and return the result."""
        self._flush_rows()
        self._rejects.flush()
        return self._part

    def _accept(self, row: LabelledText) -> None:
        self._rows.append((row.id, row.text, row.pair, row.slices))
        self._bytes += len(row.text) + len(row.pair or "")
        if len(self._rows) >= self._settings.rows_per_shard or self._bytes >= _CHUNK_BYTES:
            self._flush_rows()

    def _reject(self, row: Rejected, file: str) -> None:
        self._part.reasons[str(row.reason)] += 1
        self._rejects.add(QuarantinedRow(file, row.line, row.explanation, row.raw))

    def _flush_rows(self) -> None:
        if self._rows:
            columns = [pa.array(values, kind.type) for values, kind in zip(zip(*self._rows, strict=True), _ROWS)]  # noqa: B905
            path = write_batches([pa.record_batch(columns, schema=_ROWS)], _ROWS, self._folder)
            self._part.chunks.append(Chunk(path=path, rows=len(self._rows)))
            self._rows, self._bytes = [], 0


def read_chunk(path: str) -> pa.RecordBatch:
    """Read the rows of a chunk: columns id, text, pair and slices."""
    with open_seekable(path) as stream, pa.ipc.open_file(stream) as file:
        return file.get_batch(0)


def make_plan(parts: Iterable[Part]) -> Plan:
    """Return the plan of the work, from all parts of the inputs in any order."""
    ordered = sorted(parts, key=lambda part: (part.order, [chunk.path for chunk in part.chunks]))
    chunks = [chunk for part in ordered for chunk in part.chunks]
    reasons: Counter[str] = Counter()
    for part in ordered:
        reasons.update(part.reasons)
    accepted = sum(chunk.rows for chunk in chunks)
    return Plan(
        chunks=chunks,
        rejects=[path for part in ordered for path in part.rejects],
        rows=ScoredRows(
            read=accepted + reasons.total(),
            scored=accepted,
            quarantined=reasons.total(),
            reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        ),
    )


def is_usable(plan: Plan) -> bool:
    """Return whether there is something to score, and no input was cut short."""
    return bool(plan.chunks) and str(Reason.DAMAGED) not in plan.rows.reasons


def find_plan(folder: str) -> Plan | None:
    """Return the plan of an earlier attempt; None if it ended before all inputs were read, or with nothing to score."""
    try:
        plan = Plan.read(folder)
    except FileNotFoundError:
        return None
    return plan if is_usable(plan) else None
