"""Rows on their way from the files to the splits, in sorted runs on disk, so that memory does not grow with the data.

All copies of a text are in one partition, whatever file they come from. A run holds some rows of some files, by
partition; who writes a partition takes its part of every run. (An in-process Beam would hold a GroupByKey in memory.)
"""

import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.common.files import open_seekable, write_whole
from components.example_gen.quarantine import SCHEMA, QuarantinedRow, batch_of
from components.example_gen.sources.sources import InputFile

_PARTITION_BYTES = 64 << 20  # of input; a few times that is in memory while a partition is written
_MOST_PARTITIONS = 512
_RUN_BYTES = 32 << 20  # of examples; held in memory until they are written
_UNIT_BYTES = 16 << 20  # of input: what one worker reads at a time, unless one file is larger
_COMPRESSION_RATIO = 3  # of text, roughly

_ROWS = pa.schema([
    ("text_key", pa.uint64()), ("labels_key", pa.uint64()), ("order", pa.uint64()), ("split", pa.uint8()),
    ("allowed", pa.uint8()), ("pinned", pa.bool_()), ("file", pa.int32()), ("line", pa.int64()),
    ("labels", pa.list_(pa.string())), ("example", pa.binary()),
])  # fmt: skip


class SpilledRow(NamedTuple):
    """An accepted row; `components.example_gen.copies.Rows` says what the fields are.

    Attributes:
        file: `InputFile.order`.
        line: `Row.line`.
        labels: Of the example, for counting.
        example: The serialized tf.Example.
    """

    text_key: int
    labels_key: int
    order: int
    split: int
    allowed: int
    pinned: bool
    file: int
    line: int
    labels: list[str]
    example: bytes


def expanded_size(file: InputFile) -> int:
    """Bytes of text in a file, roughly."""
    compressed = file.path.endswith((".gz", ".parquet"))
    return file.size * (_COMPRESSION_RATIO if compressed else 1)


def partition_count(size: int) -> int:
    """Into how many partitions so many bytes of input go."""
    return min(max(1, math.ceil(size / _PARTITION_BYTES)), _MOST_PARTITIONS)


def units_of_work(files: Sequence[InputFile]) -> list[tuple[InputFile, ...]]:
    """Small files together, large ones alone, in their order: a run is as large as it can be."""
    units: list[list[InputFile]] = []
    size = _UNIT_BYTES
    for file in files:
        if size + expanded_size(file) > _UNIT_BYTES:
            units.append([])
            size = 0
        units[-1].append(file)
        size += expanded_size(file)
    return [tuple(unit) for unit in units]


class RunWriter:
    """Collects rows and writes them as runs."""

    def __init__(self, folder: str, partitions: int) -> None:
        self._folder = folder
        self._partitions = partitions
        self._rows: list[SpilledRow] = []
        self._bytes = 0
        self.paths: list[str] = []

    def add(self, row: SpilledRow) -> None:
        self._rows.append(row)
        self._bytes += len(row.example)
        if self._bytes >= _RUN_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what is held, complete or not at all."""
        if not self._rows:
            return
        batch = batch_of(self._rows, _ROWS)
        self._rows, self._bytes = [], 0
        partition = batch["text_key"].to_numpy() % np.uint64(self._partitions)
        batch = batch.take(pa.array(np.argsort(partition, kind="stable")))
        counts = np.bincount(partition.astype(np.int64), minlength=self._partitions)
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        slices = [batch.slice(start, count) for start, count in zip(starts, counts, strict=True)]
        self.paths.append(_write(slices, _ROWS, self._folder))


def read_partition(paths: Iterable[str], partition: int) -> pa.Table:
    """The rows of one partition out of all runs, in the order of the runs."""
    batches = []
    for path in paths:
        with open_seekable(path) as stream, pa.ipc.open_file(stream) as run:
            batches.append(run.get_batch(partition))
    return pa.Table.from_batches(batches, _ROWS).combine_chunks()


def write_rejects(rows: Sequence[QuarantinedRow], folder: str) -> str:
    """Writes rows for the quarantine on their way there; returns the path."""
    return _write([batch_of(rows, SCHEMA)], SCHEMA, folder)


def read_rejects(paths: Iterable[str]) -> Iterator[QuarantinedRow]:
    """The rows of the files, in order."""
    for path in paths:
        with open_seekable(path) as stream, pa.ipc.open_file(stream) as run:
            for row in run.get_batch(0).to_pylist():
                yield QuarantinedRow(**row)


def _write(batches: Sequence[pa.RecordBatch], schema: pa.Schema, folder: str) -> str:
    path = f"{folder}/{uuid.uuid4().hex}"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        for batch in batches:
            writer.write_batch(batch)
    write_whole(path, sink.getvalue())
    return path
