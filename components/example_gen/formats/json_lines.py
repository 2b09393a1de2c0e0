r"""JSON Lines: one object a line, in UTF-8.

- Each line is decoded and parsed by itself: a broken one costs one row. A blank line is no row.
- A key that an object has twice makes the row no JSON: what it means, JSON does not say, and one value would be lost.
  Neither are NaN and Infinity, which some writers put where a number should be, JSON.
- Numbers keep the digits they are written with, unless they are fractions: those are read as 64-bit floats.
- An escape of half a surrogate pair (\ud800 alone) is no Unicode, and counts as invalid UTF-8.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from components.common.files import DECOMPRESSION_ERRORS
from components.example_gen.formats.delimited import BYTE_ORDER_MARK, MAX_ROW_BYTES, skip_rest_of
from components.example_gen.formats.keyed import Fields, KeyedFormat, table_of
from components.example_gen.formats.rows import Reason, Rejected, Table, Value, readable
from components.example_gen.formats.values import Unusable, as_text, shown

_KINDS = {list: "an array", str: "a string or a number", bool: "true or false", type(None): "null"}


def read_table(stream: BinaryIO, wanted: Collection[str] | None, name: str) -> Table:
    """Reads the head of the file, and the rest as its rows are asked for.

    Args:
        stream: The decompressed bytes of the file, buffered.
        wanted: The columns to read; None: all.
        name: What messages call the file.

    Raises:
        Refused: There is no row, or none at the head of the file can be read.
    """
    return table_of(_objects(stream), KeyedFormat(_value, is_text=True, has_order=True), wanted, name)


def _objects(stream: BinaryIO) -> Iterator[Fields | Rejected]:
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(MAX_ROW_BYTES + 1)
            if len(line) > MAX_ROW_BYTES:
                skip_rest_of(line, stream)
        except DECOMPRESSION_ERRORS as error:
            yield Rejected(number, Reason.DAMAGED, str(error), "")
            return
        if not line:
            return
        if len(line) > MAX_ROW_BYTES:
            yield Rejected(number, Reason.TOO_LONG, f"more than {MAX_ROW_BYTES} bytes", readable(line))
            continue
        if number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        if line.strip(b" \t\r\n"):
            yield _fields(number, line)


def _fields(number: int, line: bytes) -> Fields | Rejected:
    try:
        return Fields(number, _parse(line), line)
    except Unusable as unusable:
        return Rejected(number, unusable.reason, unusable.detail, readable(line))


def _parse(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode().rstrip("\r\n")  # or positions may be of the line after
        value = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()  # fails where one of a pair is missing
    except UnicodeDecodeError as error:
        detail = f"byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line"
        raise Unusable(Reason.INVALID_UTF8, detail) from None
    except UnicodeEncodeError as error:
        detail = f"half a surrogate pair, {ascii(error.object[error.start])[1:-1]}"
        raise Unusable(Reason.INVALID_UTF8, detail) from None
    except json.JSONDecodeError as error:
        raise Unusable(Reason.NOT_JSON, f"{error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise Unusable(Reason.NOT_JSON, "nested too deeply") from None
    if not isinstance(value, dict):
        raise Unusable(Reason.NOT_JSON, f"it is {_KINDS[type(value)]}")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise Unusable(Reason.NOT_JSON, f"key '{shown(twice)}' twice")
    return keys


def _number(text: str) -> str:
    value = float(text)
    return text if value in (float("inf"), float("-inf")) else as_text(value)


def _no_number(text: str) -> None:
    raise Unusable(Reason.NOT_JSON, f"{text} is no number")


# Integers are left as they stand: Python refuses to read one of thousands of digits, and strings are wanted anyway.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=_number, parse_constant=_no_number)


def _value(value: Any, column: str) -> Value:
    if isinstance(value, dict):
        raise Unusable(Reason.NOT_A_STRING, f"'{shown(column)}' holds an object")
    if not isinstance(value, list):
        return as_text(value)
    if any(isinstance(element, list | dict) for element in value):
        raise Unusable(Reason.NOT_A_STRING, f"'{shown(column)}' holds a list of lists or objects")
    return [as_text(element) for element in value]
