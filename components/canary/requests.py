"""What a model is asked: texts as a server may get them, and examples that are none."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf

from components.canary.settings import CanarySettings
from schema.features import LABELS, TEXT, TEXT_PAIR

Row = tuple[bytes, bytes]  # a text and its second, which a model of single texts does not get

_LONG = 100_000
_MANY = 200  # more than go through the encoder at once
_FUZZED = 48
# Plain letters, white space, a combining accent, what joins and turns, Chinese, emoji, what no font has.
_ALPHABET = "aZ09 .,'\t\n\r\0\x7f\u00a0\u0301\u200d\u202e\ufeff\uffff你好ßİǅ😀👩🏽\U000e0041\U0010ffff"


@dataclass(frozen=True)
class Request:
    """A named batch of rows, any number."""

    name: str
    rows: tuple[Row, ...]


def requests(settings: CanarySettings) -> list[Request]:
    """The requests that every signature must answer: those configured, the awkward ones, and random ones.

    The random ones are the same each time: whether a model passes must not depend on the day.
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
    # The second texts in another order, so that pairs are not of twins.
    awkward = [Request(name, tuple(zip(each, reversed(each), strict=True))) for name, each in texts.items()]
    return [*(configured if own else []), *awkward]


def example_of(row: Row) -> bytes:
    """A serialized tf.Example that models of single texts and of pairs both understand."""
    return _example({TEXT: [row[0]], TEXT_PAIR: [row[1]], LABELS: []})


def not_examples() -> Iterator[tuple[str, bytes]]:
    """Named byte strings that a signature of examples must refuse."""
    whole = example_of((b"cut short", b""))
    yield "no tf.Example", b"\xff\xff this is no protocol buffer"
    # By its last byte: features stand in any order, and TensorFlow reads what ends between two of them.
    yield "a tf.Example cut short", whole[:-1]
    yield "a tf.Example without text", _example({LABELS: [b"a"], TEXT_PAIR: [b""]})
    yield "a tf.Example with two texts", _example({TEXT: [b"one", b"two"], TEXT_PAIR: [b""]})
    number = tf.train.Feature(int64_list=tf.train.Int64List(value=[1]))
    yield "a tf.Example whose text is a number", _serialized({TEXT: number})


def _random_texts() -> list[bytes]:
    draw = random.Random(0)
    unicode_ = ["".join(draw.choices(_ALPHABET, k=draw.randrange(300))).encode() for _ in range(_FUZZED // 2)]
    return unicode_ + [draw.randbytes(draw.randrange(300)) for _ in range(_FUZZED // 2)]


def _example(values: dict[str, Sequence[bytes]]) -> bytes:
    return _serialized({
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=list(strings))) for name, strings in values.items()
    })  # fmt: skip


def _serialized(features: dict[str, tf.train.Feature]) -> bytes:
    written: bytes = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    return written
