"""Tables from formats without a header, in which every row names its own fields: JSON Lines and TFRecord."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.example_gen.formats.format import FileOptions
from components.example_gen.formats.rows import Cell, Reason, Rejected, Row, Table, readable
from components.example_gen.formats.values import UnusableValueError, excerpt
from schema.errors import Refused

# Size of the head of a file, from which its columns are taken. It is kept in memory until its rows are iterated over.
_HEAD_ROWS = 1_000
_HEAD_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Fields:
    """Row as its format holds it.

    Attributes:
        line: As in `Row`.
        values: Values by field name, not yet converted to cells.
        raw: Bytes that the row was read from.
    """

    line: int
    values: Mapping[str, Any]
    raw: bytes


@dataclass(frozen=True, slots=True)
class KeyedFormat:
    """Properties in which these formats differ.

    Attributes:
        to_cell: Converts the value of a field to a cell; its second argument is the field's name, for messages.
            Raises UnusableValueError.
        is_text: Whether a person can read the bytes of a row.
        has_order: Whether the fields of a row are in the order of the file, the same each time it is read.
        why_unreadable: Takes the first row of a file of which no row can be read. Returns the cause and what to do; ""
            if they are not known.
        why_no_row: Takes the only row of a file. Returns why the rows are elsewhere in it, and what to do; "" if it is
            a row.
    """

    to_cell: Callable[[Any, str], Cell]
    is_text: bool
    has_order: bool
    why_unreadable: Callable[[Rejected], str] = lambda _: ""
    why_no_row: Callable[[Fields], str] = lambda _: ""


def keyed_table(rows: Iterator[Fields | Rejected], keyed_format: KeyedFormat, options: FileOptions) -> Table:
    """Return rows as a table, whose columns are the fields of the first 1,000 rows (or 4 MiB, if that is less).

    Args:
        rows: Rows of the file in order.
        keyed_format: Format of the file.
        options: How the file is read. If all columns are wanted, a value that cannot become a cell counts as missing.

    Raises:
        Refused: The file is empty, or no row at its beginning can be read.
    """
    head = _read_head(rows)
    names = dict.fromkeys(key for row in head if isinstance(row, Fields) for key in row.values)
    _refuse_unreadable(head, options.name, keyed_format)
    if not keyed_format.has_order:
        names = dict.fromkeys(sorted(names))
    wanted = options.wanted
    columns = tuple(key for key in names if wanted is None or key in wanted)
    others = tuple(key for key in names if wanted is not None and key not in wanted)
    converter = _RowConverter(columns, keyed_format, is_survey=wanted is None)
    converted = (converter.convert(row) if isinstance(row, Fields) else row for row in _replay(head, rows))
    return Table(columns, converted, others)


def _read_head(rows: Iterator[Fields | Rejected]) -> deque[Fields | Rejected]:
    head: deque[Fields | Rejected] = deque()
    size = 0
    for row in rows:
        head.append(row)
        size += len(row.raw)
        if len(head) == _HEAD_ROWS or size > _HEAD_BYTES:
            break
    return head


def _refuse_unreadable(head: Collection[Fields | Rejected], name: str, keyed_format: KeyedFormat) -> None:
    first = next(iter(head), None)
    if len(head) == 1 and isinstance(first, Fields) and (why := keyed_format.why_no_row(first)):
        raise Refused(f"{name}: {why}")
    if first is None:
        raise Refused(f"{name}: the file is empty; remove it or fill it")
    if isinstance(first, Rejected) and not any(isinstance(row, Fields) for row in head):
        if first.reason is Reason.TOO_LONG and (why := keyed_format.why_unreadable(first)):
            raise Refused(f"{name}: {why}")
        usual = "replace the file" if first.reason is Reason.DAMAGED else "check examples.format"
        remedy = keyed_format.why_unreadable(first) or usual
        raise Refused(
            f"{name}:{first.line}: neither this row nor one after it can be read ({first.explanation}); {remedy}"
        )


def _replay(head: deque[Fields | Rejected], rest: Iterator[Fields | Rejected]) -> Iterator[Fields | Rejected]:
    while head:  # each row is freed once it is yielded
        yield head.popleft()
    yield from rest


@dataclass(frozen=True, slots=True)
class _RowConverter:
    columns: tuple[str, ...]
    format: KeyedFormat
    is_survey: bool

    def convert(self, fields: Fields) -> Row | Rejected:
        cells: list[Cell] = []
        for column in self.columns:
            try:
                cells.append(self.format.to_cell(fields.values[column], column) if column in fields.values else None)
            except UnusableValueError as error:
                if not self.is_survey:
                    return Rejected(fields.line, error.reason, error.detail, self._readable(fields))
                cells.append(None)
        raw = fields.raw if self.format.is_text else dict(zip(self.columns, cells, strict=True))
        return Row(fields.line, cells, raw)

    def _readable(self, fields: Fields) -> str:
        if self.format.is_text:
            return readable(fields.raw)
        return readable(excerpt({column: fields.values.get(column) for column in self.columns}))
