"""CSV and TSV, read as a stream of rows.

Python's `csv` module decides what a quote means (RFC 4180, strictly); this module decides where a row begins, what
happens to a broken row, and that reading continues on the right line.

- A row ends with LF or CRLF outside quotes. A lone carriage return is data, as pandas writes it. A blank line is not a
  row.
- Each row is decoded by itself: an invalid byte costs one row.
- After a broken row, reading continues on the line after the one on which it began, so a quote that is never closed
  costs one line, not the rest of the file.
- A row of more than `MAX_ROW_BYTES` is rejected, which also bounds the search for a closing quote.
- A row over several lines of which each would be a row by itself is read, and says so: a stray quote may have swallowed
  rows.
- A first line `sep=;`, by which Excel tells itself the separator, is not a row.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, BinaryIO, cast

from components.common.files import DECOMPRESSION_ERRORS
from components.example_gen.formats.format import FileOptions, Format
from components.example_gen.formats.rows import Reason, Rejected, Row, Table, readable
from components.example_gen.formats.sniffing import BYTE_ORDER_MARK, sniff_text
from schema.errors import Refused
from schema.visible import in_one_line

# BERT reads at most 512 tokens, about 2 KB of text: a row of a mebibyte is a sign of a broken file.
MAX_ROW_BYTES = 1 << 20

# Replaces a lone carriage return while `csv`, which rejects one, parses the line. No UTF-8 text decodes to it.
_LONE_CR = "\ud800"

_SEPARATOR_LINE = re.compile(rb"(?i)\"?sep=(.)\"?[\r\n]*")
_MOST_LINES_COUNTED = 1_000  # of a row over several lines


def read_table(stream: BinaryIO, options: FileOptions, delimiter: str) -> Table:
    """Read the header, if there is one, and leave the stream at the first row.

    Args:
        stream: Decompressed bytes of the file.
        options: How the file is read. All columns are read, since a line is split into all its fields anyway.
        delimiter: Character between two fields.

    Raises:
        Refused: The file is empty, or its header cannot be read.
    """
    delimiter = options.separator or delimiter
    rows = read_rows(stream, delimiter, options.quoting, options.escape)
    rows = _skip_separator_line(rows, delimiter, options.name)
    columns = _read_header(rows, options.name) if options.columns is None else options.columns
    return Table(columns, _judge_widths(rows, len(columns), delimiter))


def named_separator(head: bytes) -> str | None:
    r"""Return the separator that the first line of a file names, as Excel writes it; None if there is no such line.

    Example:
        >>> named_separator(b"sep=;\r\nid;text\r\n")
        ';'
    """
    match = _SEPARATOR_LINE.fullmatch(head.removeprefix(BYTE_ORDER_MARK).partition(b"\n")[0])
    return match[1].decode("latin-1") if match else None


def read_rows(
    stream: BinaryIO, delimiter: str, quoting: bool = True, escape: str | None = None
) -> Iterator[Row | Rejected]:
    r"""Yield every row of a delimited file in order, including the header.

    Args:
        stream: Buffered bytes; a leading byte-order mark is dropped.
        delimiter: Character between two fields.
        quoting: Whether a double quote at the start of a field encloses it. If not, a quote is an ordinary character.
        escape: Character that makes the one after it an ordinary one; None if there is none.

    Example:
        >>> import io
        >>> rows = read_rows(io.BytesIO(b'1,"two\nlines"\nbroken,"x"y\n'), ",")
        >>> next(rows).cells
        ['1', 'two\nlines']
        >>> print(next(rows).explanation)
        malformed quote: ',' expected after '"'
    """
    # The limit is global to the process: raise it, never lower it. The limit of a row is reached first.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES + 1))
    lines = _Lines(stream, hide_lone_cr=quoting)
    reader = _field_reader(lines, delimiter, quoting, escape)
    while True:
        lines.begin_row()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _RowTooLongError) as error:
            yield lines.reject(error)
            reader = _field_reader(lines, delimiter, quoting, escape)  # the old one may be in the middle of a row
            continue
        except DECOMPRESSION_ERRORS as error:
            yield Rejected(lines.first, Reason.DAMAGED, str(error), readable(lines.raw))
            return
        if not fields:
            continue  # a blank line
        line, raw = lines.first, lines.raw
        if lines.invalid_byte:
            yield Rejected(line, Reason.INVALID_UTF8, lines.invalid_byte, readable(raw))
        elif lines.has_lone_cr:
            yield Row(line, [field.replace(_LONE_CR, "\r") for field in fields], raw)
        else:
            yield Row(line, fields, raw)


def skip_rest_of(line: bytes, stream: BinaryIO) -> None:
    """Read to the end of a line whose beginning was read, without keeping it in memory."""
    while line and not line.endswith(b"\n"):
        line = stream.readline(MAX_ROW_BYTES)


def _field_reader(lines: "_Lines", delimiter: str, quoting: bool, escape: str | None) -> Iterator[list[Any]]:
    if quoting:
        return csv.reader(lines, delimiter=delimiter, escapechar=escape, strict=True)
    return (_split(line, delimiter) for line in lines)


def _split(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line in which quotes mean nothing; [] for a blank line, as `csv` returns."""
    line = line.removesuffix("\n").removesuffix("\r")
    return line.split(delimiter) if line else []


class _RowTooLongError(Exception):
    """The row is longer than MAX_ROW_BYTES."""


class _Lines:
    """Iterator over the lines of a file for `csv`, which can go back to the second line of a rejected row.

    Attributes:
        first: Number of the line on which the current row begins, counted from 1.
        invalid_byte: Description of the first byte of the row that is not UTF-8; "" if there is none.
        has_lone_cr: Whether `_LONE_CR` was put into the row.
    """

    def __init__(self, stream: BinaryIO, hide_lone_cr: bool) -> None:
        self._stream = stream
        self._hide_lone_cr = hide_lone_cr
        self._pushed_back: deque[bytes] = deque()
        self._next_line = 1
        self._row: list[bytes] = []
        self._row_bytes = 0
        self.first = 1
        self.invalid_byte = ""
        self.has_lone_cr = False

    def begin_row(self) -> None:
        """Forget the previous row."""
        self.first = self._next_line
        self._row = []
        self._row_bytes = 0
        self.invalid_byte = ""
        self.has_lone_cr = False

    @property
    def raw(self) -> bytes:
        """Bytes of the current row."""
        return self._row[0] if len(self._row) == 1 else b"".join(self._row)

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._pushed_back.popleft() if self._pushed_back else self._stream.readline(MAX_ROW_BYTES + 1)
        if not line:
            raise StopIteration
        if self._next_line == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        self._next_line += 1
        self._row.append(line)
        self._row_bytes += len(line)
        if self._row_bytes > MAX_ROW_BYTES:
            raise _RowTooLongError
        text = self._decode(line)
        return self._replace_lone_cr(text) if self._hide_lone_cr and "\r" in text else text

    def reject(self, error: Exception) -> Rejected:
        """Reject the row that raised `error`, and go back to the line after its first."""
        first, *rest = self._row
        if isinstance(error, csv.Error) and "unexpected end" not in str(error):
            reason, detail = Reason.MALFORMED_QUOTE, in_one_line(str(error))  # it may name a tab
        elif isinstance(error, csv.Error):
            reason, detail = Reason.UNTERMINATED_QUOTE, "no quote closes it before the end of the file"
        elif rest:
            reason, detail = Reason.UNTERMINATED_QUOTE, f"no quote closes it within {MAX_ROW_BYTES} bytes"
        else:
            reason, detail = Reason.TOO_LONG, f"more than {MAX_ROW_BYTES} bytes"
            skip_rest_of(first, self._stream)
        self._pushed_back.extendleft(reversed(rest))
        self._next_line = self.first + 1
        return Rejected(self.first, reason, detail, readable(first))

    def _replace_lone_cr(self, text: str) -> str:
        body = text.rstrip("\r\n")  # "\r\r\n" ends a line too: it results from converting line ends twice
        if "\r" not in body:
            return text
        self.has_lone_cr = True
        return body.replace("\r", _LONE_CR) + text[len(body) :]

    def _decode(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            if not self.invalid_byte:
                self.invalid_byte = f"byte 0x{line[error.start]:02x} on line {self._next_line - 1}"
            return line.decode("utf-8", "surrogateescape")


def _skip_separator_line(rows: Iterator[Row | Rejected], delimiter: str, name: str) -> Iterator[Row | Rejected]:
    first = next(rows, None)
    if first is None:
        return iter(())
    named = named_separator(first.raw) if isinstance(first, Row) and isinstance(first.raw, bytes) else None
    if named is None:
        return chain((first,), rows)
    if named != delimiter:
        raise Refused(f"{name}: its first line says that '{named}' separates fields; set examples.separator to it")
    return rows


def _read_header(rows: Iterator[Row | Rejected], name: str) -> tuple[str, ...]:
    header = next(rows, None)
    if header is None:
        raise Refused(f"{name}: the file is empty; remove it or fill it")
    if isinstance(header, Rejected):
        remedy = (
            "set examples.encoding, or save the file as UTF-8"
            if header.reason is Reason.INVALID_UTF8
            else "correct that line"
        )
        raise Refused(f"{name}:{header.line}: the header cannot be read ({header.explanation}); {remedy}")
    columns = cast(list[str], header.cells)
    if any("\r" in column for column in columns):
        raise Refused(f"{name}: its lines end with only a carriage return; save it with LF or CRLF line ends")
    return tuple(column.strip() for column in columns)


def _judge_widths(rows: Iterator[Row | Rejected], width: int, delimiter: str) -> Iterator[Row | Rejected]:
    """Reject rows of another number of fields, and mark those that may have swallowed others."""
    for row in rows:
        if isinstance(row, Rejected):
            yield row
        elif len(row.cells) == width:
            lines = _lines_like_rows(cast(bytes, row.raw), width, delimiter)
            yield replace(row, swallowed=lines - 1) if lines > 1 else row
        else:
            line_count = cast(bytes, row.raw).rstrip(b"\n").count(b"\n") + 1
            # A stray quote can pair with a much later one: report how many lines the row contains.
            span = f" (the row spans {line_count} lines)" if line_count > 1 else ""
            yield row.reject(Reason.WRONG_FIELDS, f"{len(row.cells)} instead of {width}{span}")


def _lines_like_rows(raw: bytes, width: int, delimiter: str) -> int:
    """Return the number of lines of a row if each would be a row without quotes, else 1."""
    body = raw.rstrip(b"\r\n")
    if width == 1 or b"\n" not in body:
        return 1
    lines = body.split(b"\n", _MOST_LINES_COUNTED)[:_MOST_LINES_COUNTED]
    mark = delimiter.encode()
    # In a letter, a comma at the end of a line or before a blank is punctuation.
    if width == 2 and delimiter == "," and any(line.strip().endswith(b",") or b", " in line for line in lines):
        return 1
    return len(lines) if all(line.count(mark) == width - 1 for line in lines) else 1


def _sniff(head: bytes, options: FileOptions) -> str:
    return sniff_text(head, has_header=options.columns is None)


CSV = Format(
    name="csv",
    description="fields separated by commas",
    suffixes=(".csv",),
    sniff=_sniff,
    read_table=lambda stream, options: read_table(stream, options, ","),
    has_header=True,
    separator=",",
    is_text=True,
)

TSV = Format(
    name="tsv",
    description="fields separated by tabs",
    suffixes=(".tsv",),
    sniff=_sniff,
    read_table=lambda stream, options: read_table(stream, options, "\t"),
    has_header=True,
    separator="\t",
    is_text=True,
)
