"""What every input format is read into, and why a row can be turned away.

A format is one module with a `read_table`, which `formats.open_table` chooses; nothing past a `Table` knows the format.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# One value of a row: a string; a list of strings, where the format has lists; None where the row lacks the field. What
# else a format holds becomes a string: numbers as JSON writes them (1.0 as "1"), true and false "1" and "0", null "".
Value = str | list[str] | None

RAW_CHARACTERS = 2_000  # of a quarantined row are kept


class Reason(StrEnum):
    """Why a row is quarantined. Reports count by these sentences: keep them stable, and free of ': '."""

    INVALID_UTF8 = "invalid UTF-8"
    WRONG_FIELDS = "wrong number of fields"
    MALFORMED_QUOTE = "malformed quote"
    UNTERMINATED_QUOTE = "unterminated quote"
    TOO_LONG = "row too long"
    DAMAGED = "damaged data"
    NOT_JSON = "not a JSON object"
    NOT_A_RECORD = "not a tf.Example"
    MISSING_FIELD = "missing field"
    NOT_A_STRING = "not a string"
    NOT_A_LIST = "labels are not a list"
    BLANK_ID = "blank id"
    BLANK_TEXT = "blank text"
    NOT_0_OR_1 = "label column is neither 0 nor 1"
    NOT_AN_INDEX = "label index is not a number"
    INDEX_OUT_OF_RANGE = "label index out of range"
    IN_OTHER_SPLIT = "a copy of the text is in another split"


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read.

    Attributes:
        line: The 1-based line of the file on which it begins; where a format has no lines, the row's number.
        values: One per column of its table.
        raw: The bytes it was read from; where they are nothing to look at, its fields by name.
    """

    line: int
    values: list[Value]
    raw: bytes | Mapping[str, Any]

    def reject(self, reason: Reason, detail: str = "") -> "Rejected":
        return Rejected(self.line, reason, detail, readable(self.raw))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be an example.

    Attributes:
        line: As `Row.line`.
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
    """An open file.

    Attributes:
        columns: Names of the columns that its rows have values of.
        rows: In their order, each read or rejected.
        others: Names of columns that were left unread, for messages.
    """

    columns: tuple[str, ...]
    rows: Iterator[Row | Rejected]
    others: tuple[str, ...] = ()


def readable(raw: bytes | Mapping[str, Any]) -> str:
    r"""The first characters of a row; a byte that is not UTF-8 shows as \xNN, fields by name as JSON."""
    if isinstance(raw, Mapping):
        return json.dumps(raw, ensure_ascii=False, default=str)[:RAW_CHARACTERS]
    # A character has at most four bytes, so what this cuts in half lies beyond the characters that are kept.
    text = raw[: 4 * RAW_CHARACTERS].decode("utf-8", "backslashreplace")
    return text.rstrip("\r\n")[:RAW_CHARACTERS]
