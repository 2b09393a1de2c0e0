"""Reader and writer of quarantined rows, kept for a person to inspect and repair. Needs neither TensorFlow nor TFX."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from components.common.files import create_whole, open_seekable
from schema.errors import Refused
from schema.visible import in_one_line

ROWS_FILE = "rows.parquet"
_ROWS_PER_GROUP = 20_000

SCHEMA = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("raw", pa.string())])


class QuarantinedRow(NamedTuple):
    """Row that was rejected.

    Attributes:
        file: Name of the file.
        line: Line on which the row begins, counted from 1; 0 for rows of queries.
        reason: Reason and detail, as in `Rejected.explanation`.
        raw: First characters of the row.
    """

    file: str
    line: int
    reason: str
    raw: str


def write_rows(rows: Iterable[QuarantinedRow], uri: str) -> None:
    """Write the rows of an artifact in the given order, atomically, with one group of rows in memory at a time."""
    remaining = iter(rows)
    with create_whole(f"{uri}/{ROWS_FILE}") as file, pq.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        writer.write_table(SCHEMA.empty_table())  # a file without row groups cannot be read back
        while group := list(islice(remaining, _ROWS_PER_GROUP)):
            writer.write_batch(to_batch(group, SCHEMA))


def to_batch(rows: Iterable[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Return one or more rows as columns.

    Args:
        rows: At least one row; each has a value per field of the schema.
        schema: Names and types of the columns.
    """
    columns = zip(zip(*rows, strict=True), schema, strict=True)
    return pa.record_batch([pa.array(values, field.type) for values, field in columns], schema=schema)


def read_rows(uri: str) -> Iterator[QuarantinedRow]:
    """Read the rows of an artifact in order.

    Raises:
        Refused: The file is gone or damaged.
    """
    path = f"{uri}/{ROWS_FILE}"
    try:
        with open_seekable(path) as file:
            for batch in pq.ParquetFile(file).iter_batches():
                if batch.schema != SCHEMA:
                    raise Refused(f"{path}: is not a file of quarantined rows; run check again")
                for row in batch.to_pylist():
                    yield QuarantinedRow(**row)
    except (OSError, ValueError, pa.ArrowException) as error:  # pyarrow raises each of these for damaged files
        raise Refused(f"{path}: cannot be read ({in_one_line(str(error))}); run check again") from None
