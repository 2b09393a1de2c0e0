"""Shards: the files of scores. Each appears complete under its name or not at all.

Columns, in Parquet as in JSON Lines: `id`; `text` (and `text_pair`), `labels`, `decisions` and `probabilities` as far
as they are asked for; `slices`, if there are slice columns; and `model_version`. `decisions`, `probabilities` and
`slices` have a field for each label or column, under its own name: in Parquet each is a column of its own below the
struct, so that a label named `id` or `text` is in nobody's way.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.common import files
from components.registry import ModelRecord
from serving.scoring.settings import ScoringSettings

SCORES = "scores"
UNFINISHED = "unfinished"  # folder for files that are still being written
_DIGITS = 6  # of probabilities in JSON


def shard_path(output: str, number: int, count: int, output_format: str) -> str:
    """Return the path of a file of scores.

    Example:
        >>> shard_path("out", 3, 12, "parquet")
        'out/scores/scores-00003-of-00012.parquet'
    """
    return f"{output.rstrip('/')}/{SCORES}/scores-{number:05d}-of-{count:05d}.{output_format}"


def scored_table(
    rows: pa.RecordBatch,
    probabilities: NDArray[np.float32],
    record: ModelRecord,
    settings: ScoringSettings,
    model_version: int | None,
) -> pa.Table:
    """Return the scores of some rows.

    Args:
        rows: Columns id, text, pair and slices, from `chunks.read_chunk`.
        probabilities: [n, n_labels], of all outputs of the model, retired ones included.
        record: Record of the model: its labels and thresholds.
        settings: Columns to return.
        model_version: Version of the model; None if it is not a version of a registry.
    """
    kept = [index for index, label in enumerate(record.outputs) if label is not None]
    names = [record.labels[index] for index in kept]
    probabilities = probabilities[:, kept]
    given = probabilities > np.asarray(record.thresholds, np.float32)[kept]
    columns: dict[str, Any] = {"id": rows["id"]}
    if "text" in settings.fields:
        columns["text"] = rows["text"]
        if settings.text_pair is not None:
            columns["text_pair"] = rows["pair"]
    if settings.slices:
        values = np.array(rows["slices"].to_pylist(), object).T
        columns["slices"] = _struct(settings.slices, [pa.array(column, pa.string()) for column in values])
    if "labels" in settings.fields:
        columns["labels"] = _given_labels(names, probabilities, given)
    if "decisions" in settings.fields:
        columns["decisions"] = _struct(names, [pa.array(column) for column in given.T])
    if "probabilities" in settings.fields:
        columns["probabilities"] = _struct(names, [pa.array(column) for column in probabilities.T])
    columns["model_version"] = pa.array([model_version] * len(rows), pa.int64())
    return pa.table(columns)


def write_shard(table: pa.Table, output: str, path: str, output_format: str) -> None:
    """Write a file of scores in another folder, and rename it.

    Args:
        table: The scores.
        output: Folder of the scoring.
        path: Path of the file, from `shard_path`.
        output_format: parquet or jsonl.
    """
    # In another folder, since who reads a folder of scores takes every file in it for one.
    partial = f"{output.rstrip('/')}/{UNFINISHED}/{uuid.uuid4().hex}.{output_format}"
    with files.create_whole(partial) as file:
        if output_format == "parquet":
            pq.write_table(table, file, compression="zstd")
        else:
            for line in _json_lines(table):
                file.write(line)
    files.rename(partial, path)


def _struct(names: Any, columns: list[pa.Array]) -> pa.StructArray:
    return pa.StructArray.from_arrays(columns, names=list(names))


def _given_labels(names: list[str], probabilities: NDArray[np.float32], given: NDArray[np.bool_]) -> pa.ListArray:
    """Return the labels above their thresholds of each row, the most probable first."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    is_given = np.take_along_axis(given, order, axis=1)
    offsets = np.concatenate(([0], np.cumsum(is_given.sum(axis=1))))
    values = pa.array(np.asarray(names, object)[order[is_given]], pa.string())
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def _json_lines(table: pa.Table) -> Iterator[bytes]:
    for batch in table.to_batches(max_chunksize=1_000):
        for row in batch.to_pylist():
            if "probabilities" in row:
                row["probabilities"] = {name: round(value, _DIGITS) for name, value in row["probabilities"].items()}
            yield f"{json.dumps(row, ensure_ascii=False)}\n".encode()
