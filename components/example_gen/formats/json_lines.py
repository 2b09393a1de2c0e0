r"""JSON Lines: one object per line, in UTF-8; also an array of objects, or objects printed over several lines.

- A field of an object in a row is a column too, named by its path: `data.text`.
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
from components.example_gen.formats.json_values import read_values
from components.example_gen.formats.keyed import Fields, KeyedFormat, keyed_table
from components.example_gen.formats.rows import Cell, Object, Reason, Rejected, Table, readable
from components.example_gen.formats.sniffing import BYTE_ORDER_MARK, sniff_text
from components.example_gen.formats.values import UnusableValueError, as_text, printable

_SCALARS = ("it is a string or a number", "it is true or false", "it is null")
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

    json_format = KeyedFormat(
        to_cell, is_text=True, has_order=True, why_unreadable=_why_unreadable, why_no_row=_why_no_row
    )
    return keyed_table(_objects(stream), json_format, options)


def _objects(stream: BinaryIO) -> Iterator[Fields | Rejected]:
    try:
        start: bytes = stream.peek(_PEEKED_BYTES)[:_PEEKED_BYTES]  # type: ignore[attr-defined]
    except DECOMPRESSION_ERRORS:
        start = b""  # reading it tells
    if not _NOT_BY_LINES.match(start.removeprefix(BYTE_ORDER_MARK)):
        yield from _by_lines(stream)
        return
    if start.startswith(BYTE_ORDER_MARK):
        stream.read(len(BYTE_ORDER_MARK))
    for value in read_values(stream):
        yield value if isinstance(value, Rejected) else _read_line(*value)


def _by_lines(stream: BinaryIO) -> Iterator[Fields | Rejected]:
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
        return Fields(number, _with_paths(_parse(line)), line)
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


def _with_paths(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with the texts in objects under the path to them, such as `data.text`."""
    nested = {
        f"{name}.{inner}": content
        for name, value in fields.items()
        if isinstance(value, dict)
        for inner, content in value.items()
        if isinstance(content, str)
    }
    return {**fields, **{name: text for name, text in nested.items() if name not in fields}} if nested else fields


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
# Beginnings of JSON that holds its rows neither one per line nor in an array, and what to do about it.
_OTHER_JSON = {
    re.compile(rb'\{\s*"[^"]*"\s*:\s*\{\s*"\d+"\s*:(?!\s*\{)[^\n]*\n?\s*\Z'): (
        f"is one JSON object of columns, as pandas' to_json writes by default, {_BY_PANDAS}"
    ),
    re.compile(rb'\{\s*"\d+"\s*:\s*\{[^\n]*\n?\s*\Z'): (
        f"is one JSON object of rows, as pandas' to_json(orient='index') writes, {_BY_PANDAS}"
    ),
    re.compile(rb'\{\s*"(?:columns"\s*:\s*\[|schema"\s*:\s*\{\s*"fields)'): (
        f"is one JSON object, as pandas' to_json(orient='split' or 'table') writes, {_BY_PANDAS}"
    ),
}
_ROWS_UNDER_KEY = re.compile(r'"([^"]+)"\s*:\s*\[\s*[{\[]')
# What each row of a file that is no JSON at all, but of something like it, begins and ends with.
_LIKE_JSON = {
    re.compile(r"\{\s*'.*", re.DOTALL): "it is printed by Python; write each row by json.dumps",
    re.compile(r"\{[^\n]*\}\s*\r\s*\{.*", re.DOTALL): "its lines end with only a carriage return; write LF or CRLF",
    re.compile(r"\{.*\}\s*\{.*", re.DOTALL): "it has several objects on a line; write one per line: jq -c . FILE >"
    " FILE.jsonl",
    re.compile(r"\x1e.*", re.DOTALL): "a record separator begins each line (RFC 7464); remove it: tr -d '\\036'"
    " < FILE > FILE.jsonl",
    re.compile(r"(//|/\*|#).*", re.DOTALL): "it begins with a comment, which JSON does not have; remove it",
    re.compile(r"- .*", re.DOTALL): "it looks like YAML; write an object per line as JSON",
    re.compile(r"\{.*\},", re.DOTALL): "a comma ends each line; remove it: sed 's/,$//' FILE > FILE.jsonl",
    re.compile(r"\{\s*\w.*", re.DOTALL): "its keys are not in quotes; write each row by a JSON encoder",
    re.compile(r"<.*", re.DOTALL): "it is HTML or XML",
    re.compile(r"[^{\[\"]*[,;\t].*", re.DOTALL): "it looks like CSV; give the file such a name, or set examples.format",
}
_PEEKED_BYTES = 1_000
_DEEPEST = 3  # level of objects in which rows are looked for
# Arrays, and objects printed over several lines.
_NOT_BY_LINES = re.compile(rb"\s*(?:\[|\{[ \t]*\r?\n)")


def _why_unreadable(first: Rejected) -> str:
    """Return why no row can be read, judging by the first one; "" if that is not known."""
    if first.reason is Reason.TOO_LONG and first.raw.startswith("{"):
        key = match[1] if (match := _ROWS_UNDER_KEY.search(first.raw)) else "KEY"
        return _one_object((key,))
    if first.reason is not Reason.NOT_JSON:
        return ""
    if first.detail.endswith("is not valid JSON"):
        return "write null in its place"
    if first.detail.startswith(f"it is {_KINDS[list]}") or first.detail in _SCALARS:
        return 'its rows are no objects; write each as {"text": ..., "labels": [...]}'
    return next((why for pattern, why in _LIKE_JSON.items() if pattern.fullmatch(first.raw.strip(" \t\r\n"))), "")


def _why_no_row(only: Fields) -> str:
    """Return why a file with this single object has its rows elsewhere; "" if the object may be a row."""
    fields = {name: value for name, value in only.values.items() if name.rpartition(".")[0] not in only.values}
    if any(isinstance(value, str) and " " in value.strip() for value in fields.values()):
        return ""  # it has a text
    paths = {path: len(rows) for path, rows in _arrays_of_objects(fields)}
    if paths:
        return _one_object(max(paths, key=lambda path: paths[path]))
    lengths = {len(value) if isinstance(value, list) else 0 for value in fields.values()}
    if len(fields) > 1 and len(lengths) == 1 and min(lengths) > 1:
        return f"is one JSON object of columns, {_BY_PANDAS}"
    if len(fields) > 1 and all(isinstance(value, dict) and len(value) > 1 for value in fields.values()):
        return f"is one JSON object of columns or rows, {_BY_PANDAS}"
    return ""


def _arrays_of_objects(
    value: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    """Yield the path and the content of every array of objects within an object, but for those within such arrays."""
    for key, content in value.items():
        if isinstance(content, list) and content and all(isinstance(each, dict) for each in content):
            yield (*path, key), content
        elif isinstance(content, dict) and len(path) < _DEEPEST:
            yield from _arrays_of_objects(content, (*path, key))


def _one_object(keys: tuple[str, ...]) -> str:
    path = "".join(f".{key}" if key.isidentifier() else f'["{key}"]' for key in keys)
    path = f"{path if path.startswith('.') else f'.{path}'}[]"
    return (
        f"is one JSON object that holds its rows in an array; write them one per line: jq -c '{printable(path)}' FILE >"
        " FILE.jsonl"
    )


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
    description="a JSON object per line, or an array of objects",
    suffixes=(".jsonl", ".jsonlines", ".ndjson", ".json"),
    sniff=_sniff,
    read_table=read_table,
    is_text=True,
)
