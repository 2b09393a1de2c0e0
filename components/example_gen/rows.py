"""What every input format is read into, and why a row can be turned away.

A format is one module with `read_table(stream, settings, name) -> Table`; nothing past this interface knows the format.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

RAW_CHARACTERS = 2_000  # of a quarantined row are kept


class Reason(StrEnum):
    """Why a row is quarantined. Reports count by these sentences: keep them stable, and free of ': '."""

    INVALID_UTF8 = "invalid UTF-8"
    WRONG_FIELDS = "wrong number of fields"
    MALFORMED_QUOTE = "malformed quote"
    UNTERMINATED_QUOTE = "unterminated quote"
    TOO_LONG = "row too long"
    DAMAGED = "damaged compressed data"
    BLANK_ID = "blank id"
    BLANK_TEXT = "blank text"
    NOT_0_OR_1 = "label column is neither 0 nor 1"
    NOT_AN_INDEX = "label index is not a number"
    INDEX_OUT_OF_RANGE = "label index out of range"


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read.

    Attributes:
        line: The 1-based line of the file on which it begins.
        values: One string per column of its table.
        raw: The bytes it was read from.
    """

    line: int
    values: list[str]
    raw: bytes

    def reject(self, reason: Reason, detail: str = "") -> "Rejected":
        return Rejected(self.line, reason, detail, readable(self.raw))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be an example.

    Attributes:
        line: The 1-based line of the file on which it begins.
        reason: The sentence that it is counted under.
        detail: What varies: the value found, the number wanted; may be empty.
        raw: Its first characters, for a person.
    """

    line: int
    reason: Reason
    detail: str
    raw: str

    @property
    def sentence(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


@dataclass(frozen=True, slots=True)
class Table:
    """An open file: the names of its columns, and its rows in order, each read or rejected."""

    columns: tuple[str, ...]
    rows: Iterator[Row | Rejected]


def readable(raw: bytes) -> str:
    r"""The first characters of a row; a byte that is not UTF-8 shows as \xNN."""
    # A character has at most four bytes, so what this cuts in half lies beyond the characters that are kept.
    text = raw[: 4 * RAW_CHARACTERS].decode("utf-8", "backslashreplace")
    return text.rstrip("\r\n")[:RAW_CHARACTERS]
