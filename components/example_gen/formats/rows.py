"""Rows of any input format, and the reasons for which a row is rejected.

Every format is read into a `Table`; nothing downstream of a `Table` knows which format it came from.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Object(str):
    """Object, or list of objects or lists, as JSON: only a label column may hold one, of which labels are made."""

    __slots__ = ()


class LabelName(str):
    """Name of a label that the format itself gives in place of a number: a ClassLabel of Hugging Face."""

    __slots__ = ()


class Unlabelled(str):
    """Blank in place of a label that the format itself says is not known: -1 in a ClassLabel of Hugging Face."""

    __slots__ = ()


# One cell of a row: a string; a list of strings, in formats that have lists; None if the row lacks the field. Other
# values become strings: numbers as JSON writes them (1.0 as "1"), true and false as "1" and "0", null as "".
Cell = str | list[str] | None

RAW_CHARACTERS = 2_000  # kept of a quarantined row


class Reason(StrEnum):
    """Reason for which a row is quarantined. Reports are keyed by these texts: keep them stable, and free of ': '."""

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
    NOT_A_VECTOR = "labels are not a vector of 0 and 1"
    BLANK_ID = "blank id"
    BLANK_TEXT = "blank text"
    NOT_0_OR_1 = "label column is neither 0 nor 1"
    NOT_AN_INDEX = "label index is not a number"
    INDEX_OUT_OF_RANGE = "label index out of range"
    NOT_LABELLED = "no label is known"
    CONTRADICTION = "a label without one that it implies"
    NOT_A_LABEL = "asked for a label that the schema does not have"
    BLANK_KEY = "blank key"
    OTHER_TEXT = "a row with the same key has another text"
    IN_OTHER_SPLIT = "a copy of the text is in another split"


@dataclass(frozen=True, slots=True)
class Row:
    """Row that could be read.

    Attributes:
        line: 1-based line of the file on which the row begins; in formats without lines, the number of the row.
        cells: One cell per column of the table.
        raw: Bytes that the row was read from; in binary formats, the cells by column.
        swallowed: Delimited formats: number of further rows that the row holds if its quotes are stray ones.
    """

    line: int
    cells: list[Cell]
    raw: bytes | Mapping[str, Any]
    swallowed: int = 0

    def reject(self, reason: Reason, detail: str = "") -> "Rejected":
        """Return the row as a rejected one."""
        return Rejected(self.line, reason, detail, readable(self.raw))


@dataclass(frozen=True, slots=True)
class Rejected:
    """Row that cannot become an example.

    Attributes:
        line: As in `Row`.
        reason: Text that the row is counted under.
        detail: Variable part of the explanation, such as the value found; may be empty.
        raw: First characters of the row, for a person to read.
    """

    line: int
    reason: Reason
    detail: str
    raw: str

    @property
    def explanation(self) -> str:
        """Reason and detail in one line."""
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


@dataclass(frozen=True, slots=True)
class Table:
    """Open file of any format.

    Attributes:
        columns: Names of the columns that are read, in the order of a row's cells.
        rows: Rows in their order in the file, each read or rejected.
        others: Names of the columns that are not read, for messages.
        label_names: Names of all labels that a column can hold, in order, where the file itself says so.
    """

    columns: tuple[str, ...]
    rows: Iterator[Row | Rejected]
    others: tuple[str, ...] = ()
    label_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def readable(raw: bytes | Mapping[str, Any]) -> str:
    r"""Return the first characters of a row: invalid UTF-8 bytes as \xNN, cells by column as JSON.

    Example:
        >>> readable(b"caf\xe9,1\r\n")
        'caf\\xe9,1'
        >>> readable({"text": "café", "labels": ["joy"]})
        '{"text": "café", "labels": ["joy"]}'
    """
    if isinstance(raw, Mapping):
        return json.dumps(raw, ensure_ascii=False, default=str)[:RAW_CHARACTERS]
    # A character has at most four bytes: one that this slice cuts in half is beyond the characters that are kept.
    text = raw[: 4 * RAW_CHARACTERS].decode("utf-8", "backslashreplace")
    return text.rstrip("\r\n")[:RAW_CHARACTERS]
