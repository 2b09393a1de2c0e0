"""Conversion of a format's values to cells, and of a cell to the single string that most columns need."""

import json
from collections.abc import Mapping
from typing import Any

from components.example_gen.formats.rows import RAW_CHARACTERS, Cell, Object, Reason
from schema.visible import in_one_line

_EXACT_INTEGERS = 2**53  # a float holds every integer up to this one
_NAME_CHARACTERS = 60


class UnusableValueError(Exception):
    """A value cannot become part of an example; its row is quarantined.

    Attributes:
        reason: Reason under which the row is counted.
        detail: As in `Rejected`.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def single_string(cell: Cell, column: str) -> str:
    """Return the one string in a cell of a column that holds no lists; "" for an empty list.

    Raises:
        UnusableValueError: The row lacks the field, or the cell is an object or a list of several strings.
    """
    if isinstance(cell, Object):
        raise UnusableValueError(Reason.NOT_A_STRING, f"'{printable(column)}' holds an object")
    if isinstance(cell, str):
        return cell
    if cell is None:
        raise UnusableValueError(Reason.MISSING_FIELD, f"'{printable(column)}'")
    if len(cell) > 1:
        raise UnusableValueError(Reason.NOT_A_STRING, f"'{printable(column)}' holds {len(cell)} values")
    return cell[0] if cell else ""


def as_text(value: Any) -> str:
    """Return a scalar as a string: numbers as JSON writes them, true and false as "1" and "0", null as "".

    Raises:
        UnicodeDecodeError: `value` is bytes that are not UTF-8.

    Example:
        >>> [as_text(value) for value in (1.0, 0.25, True, None, b"joy")]
        ['1', '0.25', '1', '', 'joy']
    """
    match value:
        case str():
            return value
        case None:
            return ""
        case bytes():
            return value.decode()
        case bool():
            return str(int(value))
        case float() if value.is_integer() and abs(value) < _EXACT_INTEGERS:
            return str(int(value))
        case float():
            return json.dumps(value)  # also writes NaN and Infinity, which JSON itself lacks
        case _:
            return str(value)


def decode_utf8(value: bytes, column: str) -> str:
    """Decode a value of a column.

    Raises:
        UnusableValueError: The value is not UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        detail = f"byte 0x{value[error.start]:02x} in '{printable(column)}'"
        raise UnusableValueError(Reason.INVALID_UTF8, detail) from None


def excerpt(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an unreadable row, each shortened to what the quarantine keeps, with readable bytes."""
    return {name: _shorten(value) for name, value in fields.items()}


def printable(name: str) -> str:
    r"""Return a name from the data as messages show it: short, on one line, without control characters.

    Example:
        >>> printable("two\nlines")
        'two\\nlines'
    """
    return in_one_line(name if len(name) <= _NAME_CHARACTERS else f"{name[:_NAME_CHARACTERS]}...")


def _shorten(value: Any) -> Any:
    match value:
        case bytes():
            return value[:RAW_CHARACTERS].decode("utf-8", "backslashreplace")
        case str():
            return value[:RAW_CHARACTERS]
        case list():
            return [_shorten(element) for element in value[:RAW_CHARACTERS]]
        case _:
            return value
