"""Dialect of a text file: its encoding, the character between fields, and what quotes and backslashes mean in it."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cli.init.hints import Hints
from cli.init.reading import AmbiguousError
from components.common.files import DECOMPRESSION_ERRORS, open_input
from components.example_gen.formats.delimited import named_separator, read_rows, read_table
from components.example_gen.formats.encoding import UTF_8, check_encoding, decoded
from components.example_gen.formats.format import FileOptions, Format
from components.example_gen.formats.rows import Rejected, Row
from components.example_gen.formats.values import printable
from schema.errors import Refused

_HEAD_BYTES = 1 << 20
_HEAD_ROWS = 500
_MOST_ROWS = 200_000  # read to compare what quotes mean
_SEPARATORS = (",", ";", "\t", "|")
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_FEW = 0.01  # share of rows that may be unreadable, as data_gate.quarantined
_CONSISTENT = 0.9


@dataclass(frozen=True)
class Dialect:
    """Dialect of a text file.

    Attributes:
        settings: Keys of `examples` that are not as usual.
        notes: What was found, for a person.
    """

    settings: Mapping[str, Any]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class QuoteReading:
    """Evidence about what quotes mean.

    Attributes:
        settings: Keys of `examples`.
        meaning: What quotes mean then, in words.
        rows: Rows that can be read.
        bad: Rows that cannot be read, and lines that a quote may have swallowed.
    """

    settings: Mapping[str, Any]
    meaning: str
    rows: int
    bad: int

    @property
    def bad_share(self) -> float:
        """Share of bad rows, 0 to 1."""
        return self.bad / max(1, self.rows + self.bad)


def find_dialect(data: Path, file_format: Format, hints: Hints) -> Dialect:
    """Find the dialect of a file.

    Raises:
        AmbiguousError: The encoding is not known.
        Refused: An option does not fit the format, or the file cannot be read.
    """
    if not file_format.is_text:
        for option in ("encoding", "separator", "columns"):
            if getattr(hints, option):
                raise Refused(f"--{option}: {data} is {file_format.name}, to which it does not apply; leave it out")
        return Dialect({}, ())
    settings: dict[str, Any] = {}
    notes: list[str] = []
    encoding = _find_encoding(data, hints)
    if encoding != UTF_8:
        settings["encoding"] = encoding
        notes.append(f"encoding {encoding}")
    if file_format.separator:
        separator, note = _find_separator(data, file_format, encoding, hints)
        if separator != file_format.separator:
            settings["separator"] = separator
        notes += note
        if hints.columns:
            settings["columns"] = hints.columns
        quotes = _find_quotes(data, encoding, separator, hints)
        settings |= quotes.settings
        if quotes.settings:
            notes.append(quotes.meaning)
    elif hints.separator or hints.columns:
        raise Refused(f"--columns and --separator do not apply to {file_format.name}; leave them out")
    return Dialect(settings, tuple(notes))


def _read_head(data: Path, encoding: str = UTF_8) -> bytes:
    try:
        with open_input(str(data)) as stream, decoded(stream, encoding, str(data)) as text:
            return text.read(_HEAD_BYTES)
    except DECOMPRESSION_ERRORS:
        return b""  # `survey` says why


def _find_encoding(data: Path, hints: Hints) -> str:
    if hints.encoding is not None:
        try:
            return check_encoding(hints.encoding)
        except ValueError as error:
            raise Refused(f"--encoding: {error}") from None
    head = _read_head(data)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    even, odd = head[:1000:2].count(0), head[1:1000:2].count(0)
    if max(even, odd) > min(len(head), 1000) // 4 and min(even, odd) < max(even, odd) // 10:
        return "utf-16-le" if odd > even else "utf-16-be"
    if head.startswith((b"PK\x03\x04", b"\x1f\x8b", b"PAR1")):
        return UTF_8  # not text: `survey` says what it is
    lines = head.split(b"\n")
    invalid = [line for line in (lines[:-1] if len(head) == _HEAD_BYTES else lines) if not _is_utf_8(line)]
    if len(invalid) > _FEW * len(lines):
        _ask_for_encoding(data, invalid, len(lines))
    return UTF_8


def _ask_for_encoding(data: Path, invalid: list[bytes], lines: int) -> None:
    choices = []
    for encoding in ("windows-1252", "latin-1", "windows-1251", "shift_jis", "gb18030"):
        try:
            texts = [line.decode(encoding) for line in invalid[:20]]
        except UnicodeDecodeError:
            continue
        words = dict.fromkeys(
            word.strip("\"'()[].|,;")
            for text in texts
            for part in text.split("|")
            for word in part.split()
            if not word.isascii()
        )
        # The word with the accent, out of a row whose fields are not known yet.
        pieces = [piece for word in words for piece in _pieces(word) if not piece.isascii()]
        sample = ", ".join(f"'{printable(piece)}'" for piece in list(dict.fromkeys(pieces))[:3])
        choices.append((f"--encoding {encoding} reads {sample}", {"encoding": encoding}))
        if len(choices) == 2:
            break
    raise AmbiguousError(
        f"{data}: {len(invalid)} of {lines} lines are not UTF-8; name the encoding (examples.encoding), or save the"
        " file as UTF-8",
        choices,
    )


def _pieces(word: str) -> list[str]:
    for mark in ",;\t|":
        word = word.replace(mark, " ")
    return word.split()


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _find_separator(data: Path, file_format: Format, encoding: str, hints: Hints) -> tuple[str, list[str]]:
    if hints.separator:
        separator = hints.separator.replace("\\t", "\t")
        if len(separator) != 1 or separator in '"\r\n':
            raise Refused(f"--separator {hints.separator}: is not one character between fields, such as ';'")
        return separator, []
    head = _read_head(data, encoding)
    if named := named_separator(head):
        return named, [f"fields separated by {named!r}, as its first line says"]
    widths = {mark: _width(head, mark) for mark in (file_format.separator, *_SEPARATORS)}
    usual = widths[file_format.separator]
    if usual[0] > 1 and usual[1] >= _CONSISTENT:
        return file_format.separator, []
    better = max(widths, key=lambda mark: (widths[mark][0] > 1, widths[mark][1], mark == file_format.separator))
    if better == file_format.separator or widths[better][0] < 2 or widths[better][1] <= usual[1] * (usual[0] > 1):
        return file_format.separator, []
    return better, [f"fields separated by {better!r}"]


def _width(head: bytes, separator: str) -> tuple[int, float]:
    """Return the number of fields of the first row, and the share of rows that have as many, 0 to 1."""
    rows = [row for row in islice(read_rows(_stream(head), separator), _HEAD_ROWS) if isinstance(row, Row)]
    if not rows:
        return 0, 0.0
    width = len(rows[0].cells)
    return width, sum(len(row.cells) == width for row in rows) / len(rows)


def _stream(content: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(content))


def _find_quotes(data: Path, encoding: str, separator: str, hints: Hints) -> QuoteReading:
    """Return what quotes mean: as usual, unless that makes rows unreadable that another meaning can read."""
    usual = _try_quotes(data, encoding, separator, hints, {}, "quotes as usual")
    if not usual.bad:
        return usual
    others = [
        _try_quotes(data, encoding, separator, hints, {"escape": "\\"}, "a backslash escapes quotes (examples.escape)"),
        _try_quotes(
            data, encoding, separator, hints, {"quoting": False},
            f"quotes are ordinary characters (examples.quoting: false), since as usual {usual.bad} rows would be lost",
        ),
    ]  # fmt: skip
    best = min(others, key=lambda reading: reading.bad)
    is_better = best.bad < usual.bad / 10 and best.rows > usual.rows
    # One stray quote is no reason to give quotes up, but a backslash that escapes them is one to obey.
    return best if is_better and ("escape" in best.settings or usual.bad_share > _FEW) else usual


def _try_quotes(
    data: Path, encoding: str, separator: str, hints: Hints, settings: Mapping[str, Any], meaning: str
) -> QuoteReading:
    rows = bad = 0
    for row in islice(_rows(data, encoding, separator, hints, settings), _MOST_ROWS):
        if isinstance(row, Row):
            rows += 1
            bad += row.swallowed
        else:
            bad += 1
    return QuoteReading(settings, meaning, rows, bad)


def _rows(
    data: Path, encoding: str, separator: str, hints: Hints, settings: Mapping[str, Any]
) -> Iterator[Row | Rejected]:
    with open_input(str(data)) as stream, decoded(stream, encoding, str(data)) as text:
        options = FileOptions(str(data), columns=hints.columns, **settings)
        try:
            yield from read_table(text, options, separator).rows
        except Refused:
            return  # `survey` says why
