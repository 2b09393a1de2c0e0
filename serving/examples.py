"""Texts and slice columns of serialized tf.Examples, for the request log."""

from collections.abc import Sequence
from typing import Any

from tensorflow.core.example import example_pb2

from schema.features import TEXT, TEXT_PAIR
from serving.request_log.slices import Slices, as_value


def texts_of_examples(examples: Sequence[bytes]) -> tuple[list[bytes], list[bytes] | None]:
    """Return the texts of serialized tf.Examples, and the second texts if the first one has any."""
    parsed = [example_pb2.Example.FromString(example).features.feature for example in examples]
    texts = [_text(features, TEXT) for features in parsed]
    has_pairs = bool(parsed) and TEXT_PAIR in parsed[0]
    return texts, [_text(features, TEXT_PAIR) for features in parsed] if has_pairs else None


def slices_of_examples(examples: Sequence[bytes], columns: Sequence[str]) -> Slices:
    """Return the values of some columns of serialized tf.Examples, of those columns that one of them has."""
    if not columns:
        return {}
    parsed = [example_pb2.Example.FromString(example).features.feature for example in examples]
    found = {name: [_value(features, name) for features in parsed] for name in columns}
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def rows_of_examples(
    examples: Sequence[bytes], columns: Sequence[str]
) -> tuple[list[bytes], list[bytes] | None, Slices]:
    """Return what `texts_of_examples` and `slices_of_examples` return."""
    return (*texts_of_examples(examples), slices_of_examples(examples, columns))


def _value(features: Any, name: str) -> str | None:
    values = features[name].bytes_list.value if name in features else ()
    return as_value(bytes(values[0]).decode(errors="replace")) if values else None


def _text(features: Any, name: str) -> bytes:
    values = features[name].bytes_list.value if name in features else ()
    return bytes(values[0]) if values else b""
