r"""JSON Lines: one object per line, in UTF-8.

- Each line is decoded and parsed by itself: a broken one costs one row. A blank line is not a row.
- An object that has a key twice is rejected: JSON does not define what it means, and one value would be lost. So are
  NaN and Infinity, which some writers emit although JSON lacks them.
- Integers keep the digits they are written with; fractions are read as 64-bit floats.
- An escaped half of a surrogate pair (a lone \ud800) is not Unicode, and counts as invalid UTF-8.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from components.common.files import DECOMPRESSION_ERRORS
from components.example_gen.formats.delimited import MAX_ROW_BYTES, skip_rest_of
from components.example_gen.formats.format import FileOptions, Format
from components.example_gen.formats.keyed import Fields, KeyedFormat, keyed_table
from components.example_gen.formats.rows import Cell, Object, Reason, Rejected, Table, readable
from components.example_gen.formats.sniffing import BYTE_ORDER_MARK, sniff_text
from components.example_gen.formats.values import UnusableValueError, as_text, printable

_KINDS = {list: "an array", str: "a string or a number", bool: "true or false", type(None): "null"}


def read_table(stream: BinaryIO, options: FileOptions) -> Table:
    """Read the beginning of the file, and the rest as its rows are iterated over.

    Args:
        stream: Decompressed, buffered bytes of the file.
        options: How the file is read.

    Raises:
        Refused: The file is empty, or no row at its beginning can be read.
    """

    def to_cell(value: Any, column: str) -> Cell:
        return _to_cell(value, column, allow_objects=options.objects is None or column in options.objects)

    return keyed_table(_objects(stream), KeyedFormat(to_cell, is_text=True, has_order=True), options)


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
            yield _read_line(number, line)


def _read_line(number: int, line: bytes) -> Fields | Rejected:
    try:
        return Fields(number, _parse(line), line)
    except UnusableValueError as error:
        return Rejected(number, error.reason, error.detail, readable(line))


def _parse(line: bytes) -> dict[str, Any]:
    try:
        text = line.decode().rstrip("\r\n")  # else the position of an error could be on the line after
        value = _DECODER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()  # fails on half a surrogate pair
    except UnicodeDecodeError as error:
        detail = f"byte 0x{line[error.start]:02x} at byte {error.start + 1} of the line"
        raise UnusableValueError(Reason.INVALID_UTF8, detail) from None
    except UnicodeEncodeError as error:
        detail = f"half a surrogate pair, {ascii(error.object[error.start])[1:-1]}"
        raise UnusableValueError(Reason.INVALID_UTF8, detail) from None
    except json.JSONDecodeError as error:
        raise UnusableValueError(Reason.NOT_JSON, f"{error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise UnusableValueError(Reason.NOT_JSON, "nested too deeply") from None
    if not isinstance(value, dict):
        raise UnusableValueError(Reason.NOT_JSON, f"it is {_KINDS[type(value)]}")
    return value


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        ((repeated, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise UnusableValueError(Reason.NOT_JSON, f"key '{printable(repeated)}' twice")
    return members


def _to_number(text: str) -> str:
    value = float(text)
    return text if value in (float("inf"), float("-inf")) else as_text(value)


def _reject_constant(text: str) -> None:
    raise UnusableValueError(Reason.NOT_JSON, f"{text} is not valid JSON")


_BY_PANDAS = "not an object per line; write it by pandas as df.to_json(FILE, orient='records', lines=True)"
# Beginnings of JSON that is not one object per line, and what to do about it.
_OTHER_JSON = {
    re.compile(rb"\["): "is a JSON array; write its objects one per line: jq -c '.[]' FILE > FILE.jsonl",
    re.compile(rb'\{\s*"[^"]*"\s*:\s*\{\s*"0"\s*:[^\n]*\n?\s*\Z'): (
        f"is one JSON object of columns, as pandas' to_json writes by default, {_BY_PANDAS}"
    ),
    re.compile(rb'\{\s*"0"\s*:\s*\{[^\n]*\n?\s*\Z'): (
        f"is one JSON object of rows, as pandas' to_json(orient='index') writes, {_BY_PANDAS}"
    ),
    re.compile(rb'\{\s*"(?:columns"\s*:\s*\[|schema"\s*:\s*\{\s*"fields)'): (
        f"is one JSON object, as pandas' to_json(orient='split' or 'table') writes, {_BY_PANDAS}"
    ),
    re.compile(rb'\{\s*(?:"version"[^,]*,\s*)?"(?:data|rows|items|examples|records|results|instances)"\s*:\s*\['): (
        "is one JSON object that holds its rows in an array; write them one per line: jq -c '.KEY[]' FILE > FILE.jsonl"
    ),
    re.compile(rb'\{[ \t]*\r?\n\s*"'): (
        "is JSON printed over several lines; write one object per line: jq -c . FILE > FILE.jsonl, or jq -c '.KEY[]' if"
        " the rows are in an array"
    ),
}

# Integers stay strings: Python refuses to parse one of thousands of digits, and cells are strings anyway.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_to_object, parse_int=str, parse_float=_to_number, parse_constant=_reject_constant
)


def _to_cell(value: Any, column: str, *, allow_objects: bool = False) -> Cell:
    is_nested = isinstance(value, list) and any(isinstance(element, list | dict) for element in value)
    if allow_objects and (is_nested or isinstance(value, dict)):
        return Object(json.dumps(value, ensure_ascii=False))
    if isinstance(value, dict):
        raise UnusableValueError(Reason.NOT_A_STRING, f"'{printable(column)}' holds an object")
    if not isinstance(value, list):
        return as_text(value)
    if is_nested:
        raise UnusableValueError(Reason.NOT_A_STRING, f"'{printable(column)}' holds a list of lists or objects")
    return [as_text(element) for element in value]


def _sniff(head: bytes, _: FileOptions) -> str:
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    for pattern, problem in _OTHER_JSON.items():
        if pattern.match(start):
            return problem
    return sniff_text(head, has_header=False)


JSON_LINES = Format(
    name="jsonl",
    description="a JSON object per line",
    suffixes=(".jsonl", ".jsonlines", ".ndjson", ".json"),
    sniff=_sniff,
    read_table=read_table,
    is_text=True,
)
