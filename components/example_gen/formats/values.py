"""From what formats hold to the `Value` of a row, and from a `Value` to the one string that most columns need."""

import json
from collections.abc import Mapping
from typing import Any

from components.example_gen.formats.rows import RAW_CHARACTERS, Reason, Value

_EXACT_INTEGERS = 2**53  # up to which a float holds every integer
_NAME_CHARACTERS = 60


class Unusable(Exception):  # noqa: N818 - it says what the row is
    """A value from which no example can be made; its row is quarantined."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def single(value: Value, column: str) -> str:
    """The one string of a column that holds no lists: a list of one is its element, an empty one "".

    Raises:
        Unusable: The row lacks the field, or has several values of it.
    """
    if isinstance(value, str):
        return value
    if value is None:
        raise Unusable(Reason.MISSING_FIELD, f"'{shown(column)}'")
    if len(value) > 1:
        raise Unusable(Reason.NOT_A_STRING, f"'{shown(column)}' holds {len(value)} values")
    return value[0] if value else ""


def as_text(value: Any) -> str:
    """A scalar as a string: numbers as JSON writes them (1.0 as "1"), true and false "1" and "0", null "".

    Raises:
        UnicodeDecodeError: Bytes are not UTF-8.
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
            return json.dumps(value)  # NaN and Infinity too, which JSON itself does not have
        case _:
            return str(value)


def in_utf8(value: bytes, column: str) -> str:
    """Decodes a value.

    Raises:
        Unusable: It is not UTF-8.
    """
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Unusable(Reason.INVALID_UTF8, f"byte 0x{value[error.start]:02x} in '{shown(column)}'") from None


def excerpt(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row that cannot be read, each cut to what is kept of a row, bytes made readable."""
    return {name: _cut(value) for name, value in fields.items()}


def shown(name: str) -> str:
    """A name out of the data as messages show it: on one line, short, and free of what is not Unicode."""
    short = name if len(name) <= _NAME_CHARACTERS else f"{name[:_NAME_CHARACTERS]}..."
    if short.isprintable():
        return short
    # Lone surrogates are not printable, and would fail where the message is written.
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in short)


def _cut(value: Any) -> Any:
    match value:
        case bytes():
            return value[:RAW_CHARACTERS].decode("utf-8", "backslashreplace")
        case str():
            return value[:RAW_CHARACTERS]
        case list():
            return [_cut(element) for element in value[:RAW_CHARACTERS]]
        case _:
            return value
