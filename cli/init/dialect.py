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
from components.example_gen.formats.sniffing import why_not_text
from components.example_gen.formats.values import printable
from schema.errors import Refused

_HEAD_BYTES = 1 << 20
_HEAD_ROWS = 500
_MOST_ROWS = 200_000  # read to compare what quotes mean
_SEPARATORS = (",", ";", "\t", "|", "^", "~", "\x01", "\x1f")
_MARKS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_MOST_INVALID = 500  # lines that encodings are judged by
_MOST_ENCODINGS = 3
_USUAL_ENCODINGS = (
    *("windows-1252", "latin-1", "windows-1250", "windows-1251", "koi8-r", "shift_jis", "euc_jp", "gb18030", "big5"),
    *("euc_kr", "windows-1253", "windows-1254", "windows-1255", "windows-1256", "mac_roman"),
)
# They differ from it in a few letters, and are rarer.
_LIKE_WINDOWS_1252 = ("windows-1250", "windows-1254", "latin-1", "mac_roman")
_USUAL_NAMES = {
    "cp1252": "windows-1252", "latin_1": "latin-1", "cp1250": "windows-1250", "cp1251": "windows-1251",
    "koi8_r": "koi8-r", "cp932": "shift_jis", "shift_jis_2004": "shift_jis", "shift_jisx0213": "shift_jis",
    "gbk": "gb18030", "gb2312": "gb18030", "big5hkscs": "big5", "cp950": "big5", "cp949": "euc_kr", "johab": "euc_kr",
    "euc_jis_2004": "euc_jp", "euc_jisx0213": "euc_jp", "cp1253": "windows-1253", "cp1254": "windows-1254",
    "cp1255": "windows-1255", "cp1256": "windows-1256",
}  # fmt: skip
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
        found, more = _find_fields(data, file_format, encoding, hints)
        settings |= found
        notes += more
    elif hints.separator or hints.columns:
        raise Refused(f"--columns and --separator do not apply to {file_format.name}; leave them out")
    return Dialect(settings, tuple(notes))


def _find_fields(data: Path, file_format: Format, encoding: str, hints: Hints) -> tuple[dict[str, Any], list[str]]:
    """Return the settings about separator, header and quotes, and notes for a person."""
    settings: dict[str, Any] = {}
    separator, notes = _find_separator(data, file_format, encoding, hints)
    if separator != file_format.separator:
        settings["separator"] = separator
    if hints.columns:
        settings["columns"] = hints.columns
    quotes = _find_quotes(data, encoding, separator, hints)
    if quotes.bad_share > _FEW:
        _refuse_blank_before_quote(data, encoding, separator)
    return settings | dict(quotes.settings), notes + ([quotes.meaning] if quotes.settings else [])


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
    if why_not_text(head):
        return UTF_8  # not text: `survey` says what it is
    lines = head.split(b"\n")
    invalid = [line for line in (lines[:-1] if len(head) == _HEAD_BYTES else lines) if not _is_utf_8(line)]
    if len(invalid) > _FEW * len(lines):
        _ask_for_encoding(data, invalid, len(lines))
    return UTF_8


def _ask_for_encoding(data: Path, invalid: list[bytes], lines: int) -> None:
    choices = []
    for encoding in _likely_encodings(b"\n".join(invalid[:_MOST_INVALID])):
        words = dict.fromkeys(
            word.strip("\"'()[].|,;")
            for line in invalid[:20]
            for part in line.decode(encoding, "replace").split("|")
            for word in part.split()
            if not word.isascii()
        )
        # The word with the accent, out of a row whose fields are not known yet.
        pieces = [piece.strip('"') for word in words for piece in _pieces(word) if not piece.isascii()]
        sample = ", ".join(f"'{printable(piece)}'" for piece in list(dict.fromkeys(pieces))[:3])
        choices.append((f"--encoding {encoding} reads {sample}", {"encoding": encoding}))
    raise AmbiguousError(
        f"{data}: {len(invalid)} of {lines} lines are not UTF-8; name the encoding (examples.encoding), or save the"
        " file as UTF-8",
        choices,
    )


def _likely_encodings(content: bytes) -> list[str]:
    """Return encodings that some lines may be in, the likeliest first: those of Windows and the web before others."""
    # Imported here, since most files are UTF-8.
    from charset_normalizer import from_bytes

    guessed = [_USUAL_NAMES.get(match.encoding, match.encoding) for match in from_bytes(content)]
    likely = [encoding for encoding in dict.fromkeys(guessed) if encoding in _USUAL_ENCODINGS]
    if likely and likely[0] in _LIKE_WINDOWS_1252:
        likely.insert(0, "windows-1252")
    # A few letters with accents are too little for statistics.
    return [encoding for encoding in dict.fromkeys((*likely, *_USUAL_ENCODINGS)) if _decodes(content, encoding)][
        :_MOST_ENCODINGS
    ]


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    # Bytes from 0x80 to 0x9f are control characters in latin-1, which no text has.
    return not any("\x80" <= character <= "\x9f" for character in text)


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


def _refuse_blank_before_quote(data: Path, encoding: str, separator: str) -> None:
    """Refuse fields in quotes with a blank before, which is then part of the field, and the quotes too.

    Raises:
        Refused: There are such fields in most lines.
    """
    lines = _read_head(data, encoding).split(b"\n")[1:_HEAD_ROWS]
    mark = f'{separator} "'
    if sum(mark.encode() in line for line in lines) > len(lines) / 2:
        raise Refused(
            f"{data}: a blank stands between {separator!r} and the quote after it, so that the quotes mean nothing;"
            f" remove it: sed 's/{mark}/{separator}\"/g' FILE > FILE.csv"
        )


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
