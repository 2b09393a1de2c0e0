"""TFRecord files of tf.Examples. TensorFlow and NumPy are imported only when such a file is read."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from components.example_gen.formats.format import FileOptions, Format
from components.example_gen.formats.framing import read_records
from components.example_gen.formats.keyed import Fields, KeyedFormat, keyed_table
from components.example_gen.formats.rows import Cell, Reason, Rejected, Table, readable
from components.example_gen.formats.sniffing import GZIP, NOT_TEXT, PARQUET, PARQUET_ENCRYPTED
from components.example_gen.formats.values import as_text, decode_utf8


def read_table(stream: BinaryIO, options: FileOptions) -> Table:
    """Read the beginning of the file, and the rest as its rows are iterated over.

    Every cell is a list, as every feature of a tf.Example is.

    Args:
        stream: Decompressed, buffered bytes of the file.
        options: How the file is read.

    Raises:
        Refused: The file is empty, or no record at its beginning can be read.
    """
    return keyed_table(_examples(stream), KeyedFormat(_to_cell, is_text=False, has_order=False), options)


def _examples(stream: BinaryIO) -> Iterator[Fields | Rejected]:
    parse = _example_parser()
    for number, record in enumerate(read_records(stream), start=1):
        if isinstance(record, Rejected):
            yield record
            continue
        features = parse(record)
        # Almost any bytes can be parsed as some protocol buffer: one without a feature is not a tf.Example.
        if features:
            yield Fields(number, features, record)
        else:
            yield Rejected(number, Reason.NOT_A_RECORD, "it has no features", readable(record))


def _example_parser() -> Callable[[bytes], Any]:
    """Return a function from a serialized tf.Example to its features by name, empty if it cannot be parsed."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.example.example_pb2 import Example

    def parse(record: bytes) -> Any:
        try:
            return Example.FromString(record).features.feature
        except DecodeError:
            return {}

    return parse


def _to_cell(feature: Any, column: str) -> Cell:
    match feature.WhichOneof("kind"):
        case "bytes_list":
            return [decode_utf8(value, column) for value in feature.bytes_list.value]
        case "float_list":
            return _floats_to_text(feature.float_list.value)
        case "int64_list":
            return [str(value) for value in feature.int64_list.value]
        case _:
            return []


def _floats_to_text(values: Any) -> list[str]:
    import numpy as np

    # A 32-bit 0.1 is 0.10000000149011612 as a Python float, but 0.1 was meant.
    return [as_text(float(str(np.float32(value)))) for value in values]


def _sniff(head: bytes, _: FileOptions) -> str:
    for start in (GZIP, PARQUET, PARQUET_ENCRYPTED):
        if head.startswith(start):
            return NOT_TEXT[start]
    # A record begins with its length in eight bytes, little-endian; no record is so long that the last one is not 0.
    return "" if len(head) < 8 or head[7] == 0 else "is not a TFRecord file; check examples.format"


TFRECORD = Format(
    name="tfrecord",
    description="TFRecord files of tf.Examples",
    suffixes=(".tfrecord", ".tfrecords"),
    sniff=_sniff,
    read_table=read_table,
    wraps_in_lists=True,
)
