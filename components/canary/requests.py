"""Requests of the canary: texts that a server may receive, and byte strings that are not examples."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf

from components.canary.settings import CanarySettings
from schema.features import LABELS, TEXT, TEXT_PAIR

Row = tuple[bytes, bytes]  # a text and its second text, which a model of single texts does not receive

_LONG = 100_000
_MANY = 200  # more rows than go through the encoder at once
_FUZZED = 48
# Letters, white space, controls, a combining accent, joiners and direction marks, Chinese, emoji, and characters
# that no font has.
_ALPHABET = "aZ09 .,'\t\n\r\0\x7f\u00a0\u0301\u200d\u202e\ufeff\uffff你好ßİǅ😀👩🏽\U000e0041\U0010ffff"


@dataclass(frozen=True)
class Request:
    """Named batch of rows; it may be empty."""

    name: str
    rows: tuple[Row, ...]


def requests(settings: CanarySettings) -> list[Request]:
    """Return the requests that every signature must answer: configured ones, edge cases and random texts.

    The random texts are the same each time: whether a model passes must not depend on the day.
    """
    texts = {
        "an empty batch": [],
        "blank texts": [b"", b" ", b"\n\t \r", "\u00a0\u3000".encode()],
        "NUL characters": [b"\0", b"a\0b", b"\0" * 100],
        "invalid UTF-8": [b"\xff\xfe\xfd", b"good \xc3\x28 bad", b"\xed\xa0\x80", b"cut \xe4\xbd"],
        "100,000 characters": [b"word " * (_LONG // 5), b"w" * _LONG, "你".encode() * _LONG, b"." * _LONG],
        "many rows": [b"row %d" % number for number in range(_MANY)],
        "random texts": _random_texts(),
    }
    own = [(text, "") if isinstance(text, str) else text for text in settings.requests]
    configured = [Request("canary.requests", tuple((first.encode(), second.encode()) for first, second in own))]
    # Second texts in reverse order, so that the two texts of a pair differ.
    edge_cases = [Request(name, tuple(zip(each, reversed(each), strict=True))) for name, each in texts.items()]
    return [*(configured if own else []), *edge_cases]


def example_of(row: Row) -> bytes:
    """Return a serialized tf.Example that models of single texts and of pairs both accept."""
    return _example({TEXT: [row[0]], TEXT_PAIR: [row[1]], LABELS: []})


def inputs_of(kind: str, expected: Collection[str], rows: Sequence[Row]) -> dict[str, list[bytes]]:
    """Return the inputs of a signature by name.

    Args:
        kind: Name of its first input: `texts` or `examples`.
        expected: Names of all of its inputs.
        rows: Rows to send.
    """
    if kind == "examples":
        return {"examples": [example_of(row) for row in rows]}
    firsts, seconds = [first for first, _ in rows], [second for _, second in rows]
    return {"texts": firsts, "text_pairs": seconds} if "text_pairs" in expected else {"texts": firsts}


def not_examples() -> Iterator[tuple[str, bytes]]:
    """Yield named byte strings that a signature of examples must refuse."""
    whole = example_of((b"cut short", b""))
    yield "no tf.Example", b"\xff\xff this is no protocol buffer"
    # Without its last byte: TensorFlow accepts one that ends between two features.
    yield "a tf.Example cut short", whole[:-1]
    yield "a tf.Example without text", _example({LABELS: [b"a"], TEXT_PAIR: [b""]})
    yield "a tf.Example with two texts", _example({TEXT: [b"one", b"two"], TEXT_PAIR: [b""]})
    number = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
    yield "a tf.Example whose text is a number", _serialize({TEXT: number})


def _random_texts() -> list[bytes]:
    draw = random.Random(0)
    unicode_ = ["".join(draw.choices(_ALPHABET, k=draw.randrange(300))).encode() for _ in range(_FUZZED // 2)]
    return unicode_ + [draw.randbytes(draw.randrange(300)) for _ in range(_FUZZED // 2)]


def _example(values: dict[str, Sequence[bytes]]) -> bytes:
    return _serialize({
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=list(strings))) for name, strings in values.items()
    })  # fmt: skip


def _serialize(features: dict[str, tf.train.Feature]) -> bytes:
    serialized: bytes = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    return serialized
