"""CSV and TSV, as a stream of rows.

Python's `csv` decides what a quote means (RFC 4180, strictly); this module decides where a row begins, what happens to
one that is broken, and that reading then goes on at the right line.

- A row ends with LF or CRLF outside quotes. A lone carriage return is data, as pandas writes it. A blank line is no
  row.
- Each row is decoded by itself: one bad byte costs one row.
- After a broken row, reading goes on at the line after the one where it began. So a quote that is never closed costs
  that one line, not the rest of the file.
- A row of more than `MAX_ROW_BYTES` is rejected, which also bounds how far the closing quote is looked for.
"""

import csv
from collections import deque
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from components.common.files import DECOMPRESSION_ERRORS
from components.example_gen.formats.rows import Reason, Rejected, Row, Table, readable
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused

# BERT sees at most 512 tokens, some 2 KB of text: a mebibyte is a broken file long before it is a long text.
MAX_ROW_BYTES = 1 << 20

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Stands for a lone carriage return while `csv`, which refuses one, parses the line. Decoding never makes it.
_LONE_CR = "\ud800"


def read_table(stream: BinaryIO, settings: ExamplesSettings, name: str) -> Table:
    """Reads the header, if there is one, and leaves the stream at the first row.

    Args:
        stream: The decompressed bytes of the file.
        settings: Gives the delimiter, the quoting, and the column names of a headerless file.
        name: What messages call the file.

    Raises:
        Refused: The file is empty, or its header cannot be read.
    """
    rows = read_rows(stream, settings.delimiter, settings.quoting)
    columns = _header(rows, name) if settings.columns is None else settings.columns
    return Table(columns, _with_width(rows, len(columns)))


def read_rows(stream: BinaryIO, delimiter: str, quoting: bool = True) -> Iterator[Row | Rejected]:
    """Yields every row of a delimited file in order, the header included.

    Args:
        stream: Bytes, buffered; a leading byte-order mark is dropped.
        delimiter: One character.
        quoting: Whether a double quote at the start of a field encloses it; if not, it is an ordinary character.
    """
    # The limit is the process's: raise it, never lower it. A row's own limit is reached first.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES + 1))
    lines = _Lines(stream, hide_lone_cr=quoting)
    reader = _reader(lines, delimiter, quoting)
    while True:
        lines.begin_row()
        try:
            values = next(reader)
        except StopIteration:
            return
        except (csv.Error, _TooLongError) as error:
            yield lines.reject(error)
            reader = _reader(lines, delimiter, quoting)  # the old one may be in the middle of a row
            continue
        except DECOMPRESSION_ERRORS as error:
            yield Rejected(lines.first, Reason.DAMAGED, str(error), readable(lines.raw))
            return
        if not values:
            continue  # a blank line
        line, raw = lines.first, lines.raw
        if lines.invalid:
            yield Rejected(line, Reason.INVALID_UTF8, lines.invalid, readable(raw))
        elif lines.has_lone_cr:
            yield Row(line, [value.replace(_LONE_CR, "\r") for value in values], raw)
        else:
            yield Row(line, values, raw)


def skip_rest_of(line: bytes, stream: BinaryIO) -> None:
    """Reads on to the end of a line that has begun, without holding it."""
    while line and not line.endswith(b"\n"):
        line = stream.readline(MAX_ROW_BYTES)


def _reader(lines: "_Lines", delimiter: str, quoting: bool) -> Iterator[list[Any]]:
    if quoting:
        return csv.reader(lines, delimiter=delimiter, strict=True)
    return (_split(line, delimiter) for line in lines)


def _split(line: str, delimiter: str) -> list[str]:
    """The fields of a line in which quotes mean nothing; [] for a blank line, as `csv` has it."""
    line = line.removesuffix("\n").removesuffix("\r")
    return line.split(delimiter) if line else []


class _TooLongError(Exception):
    """The row has grown past MAX_ROW_BYTES."""


class _Lines:
    """The file's lines as `csv` wants them, remembering those of the current row so that they can be read again."""

    def __init__(self, stream: BinaryIO, hide_lone_cr: bool) -> None:
        self._stream = stream
        self._hide_lone_cr = hide_lone_cr
        self._again: deque[bytes] = deque()
        self._next_line = 1
        self._row: list[bytes] = []
        self._row_bytes = 0
        self.first = 1
        self.invalid = ""
        self.has_lone_cr = False

    def begin_row(self) -> None:
        self.first = self._next_line
        self._row = []
        self._row_bytes = 0
        self.invalid = ""
        self.has_lone_cr = False

    @property
    def raw(self) -> bytes:
        return self._row[0] if len(self._row) == 1 else b"".join(self._row)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._stream.readline(MAX_ROW_BYTES + 1)
        if not line:
            raise StopIteration
        if self._next_line == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        self._next_line += 1
        self._row.append(line)
        self._row_bytes += len(line)
        if self._row_bytes > MAX_ROW_BYTES:
            raise _TooLongError
        text = self._decode(line)
        return self._without_lone_cr(text) if self._hide_lone_cr and "\r" in text else text

    def reject(self, error: Exception) -> Rejected:
        """Rejects the row that `error` ended, and arranges that reading goes on at the line after its first."""
        first, *rest = self._row
        if isinstance(error, csv.Error) and "unexpected end" not in str(error):
            reason, detail = Reason.MALFORMED_QUOTE, str(error)
        elif isinstance(error, csv.Error):
            reason, detail = Reason.UNTERMINATED_QUOTE, "no quote closes it before the end of the file"
        elif rest:
            reason, detail = Reason.UNTERMINATED_QUOTE, f"no quote closes it within {MAX_ROW_BYTES} bytes"
        else:
            reason, detail = Reason.TOO_LONG, f"more than {MAX_ROW_BYTES} bytes"
            skip_rest_of(first, self._stream)
        self._again.extendleft(reversed(rest))
        self._next_line = self.first + 1
        return Rejected(self.first, reason, detail, readable(first))

    def _without_lone_cr(self, text: str) -> str:
        body = text.rstrip("\r\n")  # "\r\r\n" is an end of line too: one that was converted twice
        if "\r" not in body:
            return text
        self.has_lone_cr = True
        return body.replace("\r", _LONE_CR) + text[len(body) :]

    def _decode(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            if not self.invalid:
                self.invalid = f"byte 0x{line[error.start]:02x} on line {self._next_line - 1}"
            return line.decode("utf-8", "surrogateescape")


def _header(rows: Iterator[Row | Rejected], name: str) -> tuple[str, ...]:
    header = next(rows, None)
    if header is None:
        raise Refused(f"{name}: the file is empty; remove it or fill it")
    if isinstance(header, Rejected):
        remedy = "save the file as UTF-8" if header.reason is Reason.INVALID_UTF8 else "correct that line"
        raise Refused(f"{name}:{header.line}: the header cannot be read ({header.sentence}); {remedy}")
    columns = cast(list[str], header.values)
    if any("\r" in column for column in columns):
        raise Refused(f"{name}: its lines end in a carriage return alone; save it with LF or CRLF line ends")
    return tuple(column.strip() for column in columns)


def _with_width(rows: Iterator[Row | Rejected], width: int) -> Iterator[Row | Rejected]:
    for row in rows:
        if isinstance(row, Rejected) or len(row.values) == width:
            yield row
        else:
            extent = cast(bytes, row.raw).rstrip(b"\n").count(b"\n") + 1
            # A stray quote can pair with a much later one: say how many lines the row swallowed.
            span = f" (the row spans {extent} lines)" if extent > 1 else ""
            yield row.reject(Reason.WRONG_FIELDS, f"{len(row.values)} instead of {width}{span}")
