"""Texts of serialized tf.Examples, for the request log."""

from collections.abc import Sequence
from typing import Any

from tensorflow.core.example import example_pb2

from schema.features import TEXT, TEXT_PAIR


def texts_of_examples(examples: Sequence[bytes]) -> tuple[list[bytes], list[bytes] | None]:
    """Return the texts of serialized tf.Examples, and the second texts if the first one has any."""
    parsed = [example_pb2.Example.FromString(example).features.feature for example in examples]
    texts = [_text(features, TEXT) for features in parsed]
    has_pairs = bool(parsed) and TEXT_PAIR in parsed[0]
    return texts, [_text(features, TEXT_PAIR) for features in parsed] if has_pairs else None


def _text(features: Any, name: str) -> bytes:
    values = features[name].bytes_list.value if name in features else ()
    return bytes(values[0]) if values else b""
