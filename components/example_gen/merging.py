"""Merging of rows in long form, one per text and label, into one example per text."""

from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from numpy.typing import NDArray

from components.example_gen.splitting import labels_key
from schema.features import LABELS, UNKNOWN_LABELS


def merge_copies(table: pa.Table, source: NDArray[np.integer], position: NDArray[np.int64]) -> pa.Table:
    """Return a table with one row per text and source: the first one, with the labels of all.

    Args:
        table: Rows of a partition, from `runs.read_partition`, which has all copies of each of its texts.
        source: Integers [rows], equal for rows that may be merged: those of one entry of `examples.inputs`.
        position: Integers [rows] that sort by file and line.
    """
    keys = table["text_key"].to_numpy()
    by_text = np.lexsort((position, source, keys))
    if not len(by_text):
        return table
    is_first = np.ones(len(by_text), bool)
    is_first[1:] = (np.diff(keys[by_text]) != 0) | (np.diff(source[by_text]) != 0)
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(by_text))
    merged = [_merge(table, by_text[start:end]) for start, end in zip(starts, ends, strict=True) if end - start > 1]
    kept = by_text[starts[ends - starts == 1]]
    rows = [table.take(pa.array(kept)), *([pa.Table.from_pylist(merged, table.schema)] if merged else [])]
    return pa.concat_tables(rows).combine_chunks()


def _merge(table: pa.Table, rows: NDArray[np.intp]) -> dict[str, Any]:
    """Return the first of some rows with the labels of all, each once; unknown is what all leave open."""
    first: dict[str, Any] = table.slice(int(rows[0]), 1).to_pylist()[0]
    labels = list(dict.fromkeys(label for each in table["labels"].take(pa.array(rows)).to_pylist() for label in each))
    example = tf.train.Example.FromString(first["example"])
    values = example.features.feature[LABELS].bytes_list.value
    values[:] = [label.encode() for label in labels]
    silences = [set(each) for each in table["unknown"].take(pa.array(rows)).to_pylist()]
    unknown = [label for label in first["unknown"] if label not in labels and all(label in each for each in silences)]
    if unknown != first["unknown"]:
        del example.features.feature[UNKNOWN_LABELS]
        if unknown:
            example.features.feature[UNKNOWN_LABELS].bytes_list.value.extend([label.encode() for label in unknown])
    serialized = example.SerializeToString(deterministic=True)
    key = labels_key(labels, unknown)
    return first | {"labels": labels, "unknown": unknown, "labels_key": key, "example": serialized}
