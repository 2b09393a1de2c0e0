"""The rows that could not be examples, kept for a person to look at and mend."""

import io
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from tfx.types.artifact import Artifact

from components.files import read_bytes, write_whole

ROWS_FILE = "rows.parquet"

_SCHEMA = pa.schema([("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("raw", pa.string())])


class Quarantine(Artifact):  # type: ignore[misc]
    """Rows turned away, and the count of all.

    `rows.parquet` has a row for each: file, line (1-based, on which it begins), reason, raw (its first characters).
    `report.json` is an `IngestReport`.
    """

    # Kubeflow wants "namespace.Name" and, in a container, imports the class by it.
    TYPE_NAME = "components.Quarantine"


class QuarantinedRow(NamedTuple):
    """A row of `rows.parquet`."""

    file: str
    line: int
    reason: str
    raw: str


def write_rows(rows: Iterable[QuarantinedRow], uri: str) -> None:
    """Writes the rows, in the order given, complete or not at all."""
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    table = pa.table([pa.array(values, field.type) for values, field in zip(columns, _SCHEMA, strict=True)], _SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    write_whole(f"{uri}/{ROWS_FILE}", sink.getvalue())


def read_rows(uri: str) -> Iterator[QuarantinedRow]:
    """Reads the rows of an artifact, in order."""
    for batch in pq.ParquetFile(io.BytesIO(read_bytes(f"{uri}/{ROWS_FILE}"))).iter_batches():
        for row in batch.to_pylist():
            yield QuarantinedRow(**row)
