"""The rows that could not be examples, kept for a person to look at and mend. Needs neither TensorFlow nor TFX."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from components.common.files import create_whole, open_seekable

ROWS_FILE = "rows.parquet"
_GROUP_ROWS = 20_000

SCHEMA = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("raw", pa.string())])


class QuarantinedRow(NamedTuple):
    """A row of `rows.parquet`."""

    file: str
    line: int
    reason: str
    raw: str


def write_rows(rows: Iterable[QuarantinedRow], uri: str) -> None:
    """Writes the rows, in the order given, complete or not at all, with no more than a group of them in memory."""
    remaining = iter(rows)
    with create_whole(f"{uri}/{ROWS_FILE}") as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        writer.write_table(SCHEMA.empty_table())  # a file of no groups is not read back
        while group := list(islice(remaining, _GROUP_ROWS)):
            writer.write_batch(batch_of(group, SCHEMA))


def batch_of(rows: Iterable[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows, of which there is one at least, as columns of a schema that has a field for each of their values."""
    columns = zip(zip(*rows, strict=True), schema, strict=True)
    return pa.record_batch([pa.array(values, field.type) for values, field in columns], schema=schema)


def read_rows(uri: str) -> Iterator[QuarantinedRow]:
    """Reads the rows of an artifact, in order."""
    with open_seekable(f"{uri}/{ROWS_FILE}") as file:
        for batch in pq.ParquetFile(file).iter_batches():
            for row in batch.to_pylist():
                yield QuarantinedRow(**row)
