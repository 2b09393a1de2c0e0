"""Formats without a header, in which every row names its own fields: JSON Lines, TFRecord."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.example_gen.formats.rows import Reason, Rejected, Row, Table, Value, readable
from components.example_gen.formats.values import Unusable, excerpt
from schema.errors import Refused

# Of the file's head, which tells the columns: kept in memory until it is asked for again.
_HEAD_ROWS = 1_000
_HEAD_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Fields:
    """A row whose fields can be told.

    Attributes:
        line: As `Row.line`.
        values: By name, as the format has them.
        raw: The bytes it was read from.
    """

    line: int
    values: Mapping[str, Any]
    raw: bytes


@dataclass(frozen=True, slots=True)
class KeyedFormat:
    """What tells one of these formats from another.

    Attributes:
        convert: A field's value -> its `Value`; given the name as well, for messages. Raises `Unusable`.
        is_text: Whether a row's bytes are something to look at.
        has_order: Whether the order of a row's fields is the file's, the same whenever it is read.
    """

    convert: Callable[[Any, str], Value]
    is_text: bool
    has_order: bool


def table_of(
    found: Iterator[Fields | Rejected], keyed_format: KeyedFormat, wanted: Collection[str] | None, name: str
) -> Table:
    """Makes rows a table: its columns are the fields of the first 1,000 rows (or 4 MiB of them, if that is less).

    Args:
        found: The rows, in order.
        keyed_format: Tells what their values mean.
        wanted: The columns to read; None reads all, and takes a value that cannot be one for missing.
        name: What messages call the file.

    Raises:
        Refused: There is no row, or none at the head of the file can be read.
    """
    head = _head(found)
    names = dict.fromkeys(key for row in head if isinstance(row, Fields) for key in row.values)
    _refuse_unreadable(head, name)
    if not keyed_format.has_order:
        names = dict.fromkeys(sorted(names))
    columns = tuple(key for key in names if wanted is None or key in wanted)
    others = tuple(key for key in names if wanted is not None and key not in wanted)
    rows = _Rows(columns, keyed_format, is_survey=wanted is None)
    return Table(columns, (rows.row(row) if isinstance(row, Fields) else row for row in _replay(head, found)), others)


def _head(found: Iterator[Fields | Rejected]) -> deque[Fields | Rejected]:
    head: deque[Fields | Rejected] = deque()
    size = 0
    for row in found:
        head.append(row)
        size += len(row.raw)
        if len(head) == _HEAD_ROWS or size > _HEAD_BYTES:
            break
    return head


def _refuse_unreadable(head: Collection[Fields | Rejected], name: str) -> None:
    first = next(iter(head), None)
    if first is None:
        raise Refused(f"{name}: the file is empty; remove it or fill it")
    if isinstance(first, Rejected) and not any(isinstance(row, Fields) for row in head):
        remedy = "replace the file" if first.reason is Reason.DAMAGED else "check examples.format"
        raise Refused(
            f"{name}:{first.line}: neither this row nor one after it can be read ({first.sentence}); {remedy}"
        )


def _replay(head: deque[Fields | Rejected], found: Iterator[Fields | Rejected]) -> Iterator[Fields | Rejected]:
    while head:  # let go of one by one
        yield head.popleft()
    yield from found


@dataclass(frozen=True, slots=True)
class _Rows:
    columns: tuple[str, ...]
    format: KeyedFormat
    is_survey: bool

    def row(self, fields: Fields) -> Row | Rejected:
        values: list[Value] = []
        for column in self.columns:
            try:
                values.append(self.format.convert(fields.values[column], column) if column in fields.values else None)
            except Unusable as unusable:
                if not self.is_survey:
                    return Rejected(fields.line, unusable.reason, unusable.detail, self._readable(fields))
                values.append(None)
        raw = fields.raw if self.format.is_text else dict(zip(self.columns, values, strict=True))
        return Row(fields.line, values, raw)

    def _readable(self, fields: Fields) -> str:
        if self.format.is_text:
            return readable(fields.raw)
        return readable(excerpt({column: fields.values.get(column) for column in self.columns}))
