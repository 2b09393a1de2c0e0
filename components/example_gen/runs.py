"""Runs: files of rows between reading and writing, sorted by partition, so that memory does not grow with the data.

All copies of a text are in the same partition, even if they are from different files. A run holds rows of one or more
files, by partition; the writer of a partition reads that partition of every run. (An in-process Beam runner would hold
a GroupByKey in memory.)
"""

import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.common.files import open_seekable, write_whole
from components.example_gen.quarantine import SCHEMA, QuarantinedRow, to_batch
from components.example_gen.sources.sources import InputFile

_PARTITION_BYTES = 64 << 20  # input per partition; a few times that is in memory while a partition is written
_MOST_PARTITIONS = 512
_RUN_BYTES = 32 << 20  # examples per run, which are in memory until the run is written
_UNIT_BYTES = 16 << 20  # input that one worker reads at a time, unless one file is larger
_COMPRESSION_RATIO = 3  # approximate ratio of text to compressed text

_ROWS = pa.schema([
    ("text_key", pa.uint64()), ("labels_key", pa.uint64()), ("order", pa.uint64()), ("unit_key", pa.uint64()),
    ("split", pa.uint8()), ("allowed", pa.uint8()), ("pinned", pa.bool_()), ("file", pa.int32()), ("line", pa.int64()),
    ("labels", pa.list_(pa.string())), ("unknown", pa.list_(pa.string())), ("example", pa.binary()),
    ("merge_key", pa.uint64()),
])  # fmt: skip
# What has to be known about all rows of a key, which may be in several partitions.
_KEYS = pa.schema([("merge_key", pa.uint64()), ("text_key", pa.uint64()), ("file", pa.int32()), ("line", pa.int64())])


class SpilledRow(NamedTuple):
    """Accepted row. Attributes that are not listed here are described by `components.example_gen.copies.Rows`.

    Attributes:
        unit_key: See `components.example_gen.splitting.Assignment`.
        file: `InputFile.order` of the row's file.
        line: `Row.line`.
        labels: Labels of the example, to count them.
        unknown: Labels of which nobody knows whether the example has them.
        example: Serialized tf.Example.
        merge_key: 64 bits that rows which become one example have in common, besides the text; 0 if the text alone
            decides.
    """

    text_key: int
    labels_key: int
    order: int
    unit_key: int
    split: int
    allowed: int
    pinned: bool
    file: int
    line: int
    labels: list[str]
    unknown: list[str]
    example: bytes
    merge_key: int = 0


def expanded_size(file: InputFile) -> int:
    """Return the approximate size of a file's text, in bytes."""
    compressed = file.path.endswith((".gz", ".parquet"))
    return file.size * (_COMPRESSION_RATIO if compressed else 1)


def partition_count(size: int) -> int:
    """Return the number of partitions for an input of `size` bytes."""
    return min(max(1, math.ceil(size / _PARTITION_BYTES)), _MOST_PARTITIONS)


def units_of_work(files: Sequence[InputFile]) -> list[tuple[InputFile, ...]]:
    """Group files that one worker reads together: several small ones, or a large one alone, in their order.

    Larger units make larger, and so fewer, runs.
    """
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
    """Writer that collects rows and writes them as runs.

    Args:
        folder: Folder to write to.
        partitions: Number of partitions.
        with_keys: Whether rows are merged by a key, so that files of keys are written too.

    Attributes:
        paths: Paths of the runs written so far.
        key_paths: Paths of the files of keys, for `read_keys`.
    """

    def __init__(self, folder: str, partitions: int, *, with_keys: bool = False) -> None:
        self._folder = folder
        self._partitions = partitions
        self._with_keys = with_keys
        self._rows: list[SpilledRow] = []
        self._bytes = 0
        self.paths: list[str] = []
        self.key_paths: list[str] = []

    def add(self, row: SpilledRow) -> None:
        """Add a row; write a run if enough rows are in memory."""
        self._rows.append(row)
        self._bytes += len(row.example)
        if self._bytes >= _RUN_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the rows in memory as a run, atomically."""
        if not self._rows:
            return
        batch = to_batch(self._rows, _ROWS)
        self._rows, self._bytes = [], 0
        self.paths.append(write_batches(self._slices(batch, "text_key"), _ROWS, self._folder))
        if self._with_keys:
            keys = batch.select(_KEYS.names)
            self.key_paths.append(write_batches(self._slices(keys, "merge_key"), _KEYS, self._folder))

    def _slices(self, batch: pa.RecordBatch, key: str) -> list[pa.RecordBatch]:
        """Return the rows of each partition of a key."""
        partition = batch[key].to_numpy() % np.uint64(self._partitions)
        batch = batch.take(pa.array(np.argsort(partition, kind="stable")))
        counts = np.bincount(partition.astype(np.int64), minlength=self._partitions)
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        return [batch.slice(start, count) for start, count in zip(starts, counts, strict=True)]


def read_keys(paths: Iterable[str], partition: int) -> pa.Table:
    """Read key, text, file and line of all rows whose key is in a partition."""
    return _read_batches(paths, partition, _KEYS)


def read_partition(paths: Iterable[str], partition: int) -> pa.Table:
    """Read the rows of one partition from all runs, in the order of the runs."""
    return _read_batches(paths, partition, _ROWS)


def read_all(paths: Sequence[str]) -> pa.Table:
    """Read all rows of files that `write_batches` wrote, of which there is at least one."""
    tables = []
    for path in paths:
        with open_seekable(path) as stream, pa.ipc.open_file(stream) as run:
            tables.append(run.read_all())
    return pa.concat_tables(tables)


def _read_batches(paths: Iterable[str], partition: int, schema: pa.Schema) -> pa.Table:
    batches = []
    for path in paths:
        with open_seekable(path) as stream, pa.ipc.open_file(stream) as run:
            batches.append(run.get_batch(partition))
    return pa.Table.from_batches(batches, schema).combine_chunks()


def write_rejects(rows: Sequence[QuarantinedRow], folder: str) -> str:
    """Write rows that the quarantine will contain to a file of a folder; return its path."""
    return write_batches([to_batch(rows, SCHEMA)], SCHEMA, folder)


class RejectWriter:
    """Writer of the rows of some files that the quarantine will contain.

    Args:
        folder: Folder that files are written to.
        most_held: Number of rows in memory at most.

    Attributes:
        paths: The files, in order; see `read_rejects`.
    """

    def __init__(self, folder: str, most_held: int) -> None:
        self.paths: list[str] = []
        self._folder, self._most_held = folder, most_held
        self._rows: list[QuarantinedRow] = []

    def add(self, row: QuarantinedRow) -> None:
        """Add a row; write those in memory if they are as many as may be there."""
        self._rows.append(row)
        if len(self._rows) >= self._most_held:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are in memory."""
        if self._rows:
            self.paths.append(write_rejects(self._rows, self._folder))
            self._rows = []


def read_rejects(paths: Iterable[str]) -> Iterator[QuarantinedRow]:
    """Yield the rows of files that `write_rejects` wrote, in order."""
    for path in paths:
        with open_seekable(path) as stream, pa.ipc.open_file(stream) as run:
            for row in run.get_batch(0).to_pylist():
                yield QuarantinedRow(**row)


def write_batches(batches: Sequence[pa.RecordBatch], schema: pa.Schema, folder: str) -> str:
    """Write batches to a new Arrow file of a folder, complete or not at all; return its path."""
    path = f"{folder}/{uuid.uuid4().hex}"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        for batch in batches:
            writer.write_batch(batch)
    write_whole(path, sink.getvalue())
    return path
