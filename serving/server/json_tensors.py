"""Tensors in JSON as TensorFlow Serving reads and writes them (util/json_tensor.cc, release 2.19.1).

Requests are in row format, `{"instances": [...]}`, or in columns, `{"inputs": ...}`. All inputs are columns of strings
here, and `{"b64": "..."}` stands for a string of any bytes.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from serving.server.errors import invalid
from serving.server.signatures import Array, Columns

_SHOWN = 256  # characters of a value in messages: kMaxJsonDebugStringBytes, line 221
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_DECODER = json.JSONDecoder()
_TYPES = {dict: "Object", list: "Array", str: "String", bool: "Boolean", type(None): "Null"}


@dataclass(frozen=True)
class PredictBody:
    """Body of a request.

    Attributes:
        signature: `signature_name`; empty if it has none.
        content: The whole object.
    """

    signature: str
    content: Mapping[str, Any]

    @property
    def is_row_format(self) -> bool:
        return "instances" in self.content

    def columns(self, inputs: Sequence[str]) -> Columns:
        """Return the strings of each input of a signature.

        Raises:
            RequestError: The body does not have them.
        """
        if "instances" in self.content and "inputs" in self.content:
            raise invalid("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
        if "instances" in self.content:
            return _columns_of_rows(self.content["instances"], inputs)
        if "inputs" in self.content:
            return _columns_of_columns(self.content["inputs"], inputs)
        raise invalid("Missing 'inputs' or 'instances' key")


def parse_json(body: bytes) -> Mapping[str, Any]:
    """Parse the JSON object of a request; bytes that are not UTF-8 reach the model as they are.

    Raises:
        RequestError: It is none.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        # Like RapidJSON with kParseStopWhenDoneFlag, ignore what follows the object.
        content, _ = _DECODER.raw_decode(body.decode("utf-8", "surrogateescape").lstrip())
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(content, dict):
        raise invalid(f"JSON Value: {_shown(content)} Is not object")
    return content


def parse_predict(body: bytes) -> PredictBody:
    """Parse the body of a predict request.

    Raises:
        RequestError: It cannot be understood.
    """
    content = parse_json(body)
    signature = content.get("signature_name", "")
    if not isinstance(signature, str):
        raise invalid(
            f"JSON Value: {_shown(content)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return PredictBody(signature, content)


def string_value(value: Any) -> bytes:
    """Return the bytes of a string, or of an object with the key `b64`.

    Raises:
        RequestError: The value is something else.
    """
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise invalid("JSON Parse error: The surrogate pair in string is invalid.") from None
    if _is_base64(value):
        encoded = "".join(value["b64"].split())
        try:
            return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise invalid("Unable to base64 decode") from None
    kind = _TYPES.get(type(value), "Number")
    raise invalid(f"JSON Value: {_shown(value)} Type: {kind} is not of expected type: string")


def render(outputs: Mapping[str, Array], *, is_row_format: bool) -> str:
    """Return the body of an answer.

    Args:
        outputs: Arrays by name, strings as bytes; their first dimension is the rows.
        is_row_format: Whether the request was.
    """
    tokens = {name: _tokens(values, as_bytes=name.endswith("_bytes")) for name, values in outputs.items()}
    if not is_row_format:
        nested = {name: _nested(tokens[name], values.shape) for name, values in outputs.items()}
        return f'{{"outputs": {_object(nested)}}}'
    rows = []
    n_rows = next(iter(outputs.values())).shape[0]
    for row in range(n_rows):
        parts = {}
        for name, values in outputs.items():
            size = len(tokens[name]) // n_rows
            parts[name] = _nested(tokens[name][row * size : (row + 1) * size], values.shape[1:])
        rows.append(_object(parts))
    return f'{{"predictions": [{", ".join(rows)}]}}'


def flat_json(values: Array) -> str:
    """Return the values of an array as one flat JSON list; strings that are not UTF-8 with replacement characters.

    Nine digits tell every float32 from all others. To look for fewer that do, as `render` has to, takes several times
    as long.

    Example:
        >>> flat_json(np.array([[0.5, 0.1]], np.float32))
        '[0.500000000, 0.100000001]'
    """
    if values.dtype == np.float32 and np.isfinite(values).all():
        return f"[{', '.join(['%#.9g'] * values.size)}]" % tuple(values.ravel().tolist())
    return f"[{', '.join(_tokens(values, as_bytes=False))}]"


def _columns_of_rows(instances: Any, inputs: Sequence[str]) -> Columns:
    if not isinstance(instances, list):
        raise invalid("Expecting 'instances' to be an list/array")
    if not instances:
        raise invalid("No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per"
            " tensorinfo_map"
        )
    are_objects = _is_named(instances[0])
    columns: dict[str, list[bytes]] = {name: [] for name in inputs}
    for number, instance in enumerate(instances):
        if are_objects != _is_named(instance):
            expected, found = ("object", "list") if are_objects else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {found} at item {number} of input list")
        if not are_objects:
            columns[inputs[0]].append(_element(instance, f"element: {number}"))
            continue
        if unknown := [name for name in instance if name not in columns]:
            raise invalid(
                f"Failed to process element: {number} key: {unknown[0]} of 'instances' list. Error: INVALID_ARGUMENT:"
                f" JSON object: does not have named input: {unknown[0]}"
            )
        if len(instance) < len(columns):
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {_shown(instance)} keys must be"
                f" equal to: {','.join(sorted(columns))}"
            )
        for name, value in instance.items():
            columns[name].append(_element(value, f"element: {number} key: {name}"))
    return columns


def _element(value: Any, where: str) -> bytes:
    try:
        return string_value(value)
    except Exception as error:
        raise invalid(f"Failed to process {where} of 'instances' list. Error: INVALID_ARGUMENT: {error}") from None


def _columns_of_columns(content: Any, inputs: Sequence[str]) -> Columns:
    if not _is_named(content):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per"
                " tensorinfo_map"
            )
        content = {inputs[0]: content}
    if missing := [name for name in inputs if name not in content]:
        raise invalid(f"Missing named input: {missing[0]} in 'inputs' object.")
    columns = {}
    for name in inputs:
        if not isinstance(content[name], list):
            raise invalid(f"JSON Value: {_shown(content[name])} is not a list of strings, as input {name} needs")
        columns[name] = [string_value(value) for value in content[name]]
    return columns


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)[:_SHOWN]
    return text.encode("utf-8", "replace").decode()


def _tokens(values: Array, *, as_bytes: bool) -> list[str]:
    """Return the JSON of each value of an array, in order."""
    flat = values.ravel().tolist()
    if values.dtype == object:
        if as_bytes:
            return [f'{{"b64": "{base64.b64encode(value).decode()}"}}' for value in flat]
        return [_quoted(value) for value in flat]
    if values.dtype == np.float32:
        return _decimals(values.ravel())
    return [json.dumps(value) for value in flat]


@lru_cache(maxsize=4096)
def _quoted(value: bytes) -> str:
    """Return the JSON of a string; labels are the same ones again and again."""
    return json.dumps(value.decode("utf-8", "replace"), ensure_ascii=False)


def _decimals(values: Array) -> list[str]:
    """Return float32s as WriteDecimal does, lines 126-172: six digits if they are enough, nine otherwise.

    Example:
        >>> _decimals(np.array([0.5, 1.0, 0.1, 1 / 3, np.inf], np.float32))
        ['0.5', '1.0', '0.1', '0.333333343', 'Infinity']
    """
    exact = values.tolist()
    texts = [f"{value:.6g}" for value in exact]
    is_enough = np.array([float(text) for text in texts], np.float32) == values
    return [
        _with_point(text if enough else f"{value:.9g}")
        for text, value, enough in zip(texts, exact, is_enough.tolist(), strict=True)
    ]


def _with_point(text: str) -> str:
    if "." in text or "e" in text:
        return text
    return _NOT_FINITE.get(text) or f"{text}.0"


def _nested(tokens: Sequence[str], shape: Sequence[int]) -> str:
    """Return the tokens of an array as nested lists."""
    level = list(tokens)
    for size in reversed(shape):
        count = len(level) // size if size else int(np.prod(shape[: list(shape).index(0)]))
        level = [f"[{', '.join(level[start * size : (start + 1) * size])}]" for start in range(count)]
    return level[0]


def _object(parts: Mapping[str, str]) -> str:
    """Return an object of JSON values; the only value itself if it is one, as TensorFlow Serving does."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    return f"{{{', '.join(chain(f'{json.dumps(name)}: {value}' for name, value in parts.items()))}}}"
