"""TFRecord files of tf.Examples."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, BinaryIO

import numpy as np

from components.example_gen.formats.framing import read_records
from components.example_gen.formats.keyed import Fields, KeyedFormat, table_of
from components.example_gen.formats.rows import Reason, Rejected, Table, Value, readable
from components.example_gen.formats.values import as_text, in_utf8


def read_table(stream: BinaryIO, wanted: Collection[str] | None, name: str) -> Table:
    """Reads the head of the file, and the rest as its rows are asked for.

    Every value is a list, as every feature is. Imports TensorFlow.

    Args:
        stream: The decompressed bytes of the file, buffered.
        wanted: The features to read; None: all.
        name: What messages call the file.

    Raises:
        Refused: There is no record, or none at the head of the file can be read.
    """
    return table_of(_examples(stream), KeyedFormat(_value, is_text=False, has_order=False), wanted, name)


def _examples(stream: BinaryIO) -> Iterator[Fields | Rejected]:
    parse = _example_parser()
    for number, record in enumerate(read_records(stream), start=1):
        if isinstance(record, Rejected):
            yield record
            continue
        features = parse(record)
        # Next to anything can be parsed as some protocol buffer: one without a feature is of another kind.
        if features:
            yield Fields(number, features, record)
        else:
            yield Rejected(number, Reason.NOT_A_RECORD, "it has no features", readable(record))


def _example_parser() -> Callable[[bytes], Any]:
    """A function from a serialized tf.Example to its features by name; empty where it is none."""
    # Here, since TensorFlow takes seconds to import and no other format needs it.
    from google.protobuf.message import DecodeError
    from tensorflow.core.example.example_pb2 import Example

    def parse(record: bytes) -> Any:
        try:
            return Example.FromString(record).features.feature
        except DecodeError:
            return {}

    return parse


def _value(feature: Any, column: str) -> Value:
    match feature.WhichOneof("kind"):
        case "bytes_list":
            return [in_utf8(value, column) for value in feature.bytes_list.value]
        case "float_list":
            return [_float_text(value) for value in feature.float_list.value]
        case "int64_list":
            return [str(value) for value in feature.int64_list.value]
        case _:
            return []


def _float_text(value: float) -> str:
    # A 32-bit 0.1 is 0.10000000149011612 as Python's float, but was written as 0.1.
    return as_text(float(str(np.float32(value))))
