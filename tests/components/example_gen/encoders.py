"""Encoders of the same rows in each input format."""

import csv
import gzip
import io
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.example_gen.formats.framing import masked_checksum

Rows = Sequence[Mapping[str, Any]]

SUFFIXES = {"csv": ".csv", "tsv": ".tsv", "jsonl": ".jsonl", "parquet": ".parquet", "tfrecord": ".tfrecord"}


def encode(rows: Rows, file_format: str) -> bytes:
    """Return a file of the rows; CSV and TSV take strings only."""
    match file_format:
        case "csv" | "tsv":
            return _delimited(rows, "," if file_format == "csv" else "\t")
        case "jsonl":
            return json_lines(rows)
        case "parquet":
            return parquet(rows)
        case _:
            return tfrecord([example(row) for row in rows])


def json_lines(rows: Rows) -> bytes:
    """Return a file of JSON Lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet(rows: Rows, **options: Any) -> bytes:
    """Return a Parquet file of rows, written with options of pyarrow's."""
    return parquet_table(pa.Table.from_pylist(list(rows)), **options)


def parquet_table(table: pa.Table, **options: Any) -> bytes:
    """Return a Parquet file of a table, written with options of pyarrow's."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def tfrecord(records: Sequence[bytes]) -> bytes:
    """Return a TFRecord file."""
    return b"".join(frame(record) for record in records)


def frame(record: bytes) -> bytes:
    """Return a record with length and checksums around it."""
    length = struct.pack("<Q", len(record))
    return b"".join((
        length, struct.pack("<I", masked_checksum(length)), record, struct.pack("<I", masked_checksum(record)),
    ))  # fmt: skip


def example(row: Mapping[str, Any]) -> bytes:
    """Return a serialized tf.Example of strings and bytes, ints, or floats, or lists of them."""
    from tensorflow.core.example.example_pb2 import Example

    message = Example()
    for name, value in row.items():
        feature = message.features.feature[name]
        values = value if isinstance(value, list) else [value]
        if all(isinstance(element, int) for element in values):
            feature.int64_list.value.extend(values)
        elif all(isinstance(element, float) for element in values):
            feature.float_list.value.extend(values)
        else:
            encoded = [element.encode() if isinstance(element, str) else element for element in values]
            feature.bytes_list.value.extend(encoded)
    return bytes(message.SerializeToString(deterministic=True))


def gzipped(content: bytes) -> bytes:
    """Return bytes compressed with gzip, the same each time."""
    return gzip.compress(content, mtime=0)


def _delimited(rows: Rows, delimiter: str) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(rows[0]), delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()
