"""Merging of rows in long form, one per text and label, into one example per text, or per key and text."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from numpy.typing import NDArray

from components.example_gen.splitting import labels_key
from schema.features import LABELS, UNKNOWN_LABELS


def merge_copies(table: pa.Table, source: NDArray[np.integer], position: NDArray[np.int64]) -> pa.Table:
    """Return a table with one row per text, key and source: the first one, with the labels of all.

    Args:
        table: Rows of a partition, from `runs.read_partition`, which has all copies of each of its texts.
        source: Integers [rows], equal for rows that may be merged: those of one entry of `examples.inputs`.
        position: Integers [rows] that sort by file and line.
    """
    keys, merge_keys = table["text_key"].to_numpy(), table["merge_key"].to_numpy()
    by_text = np.lexsort((position, merge_keys, source, keys))
    if not len(by_text):
        return table
    is_first = np.ones(len(by_text), bool)
    is_first[1:] = np.any(
        [values[by_text][1:] != values[by_text][:-1] for values in (keys, source, merge_keys)], axis=0
    )
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(by_text))
    merged = [_merge(table, by_text[start:end]) for start, end in zip(starts, ends, strict=True) if end - start > 1]
    kept = by_text[starts[ends - starts == 1]]
    rows = [table.take(pa.array(kept)), *([pa.Table.from_pylist(merged, table.schema)] if merged else [])]
    return pa.concat_tables(rows).combine_chunks()


def find_conflicts(keys: pa.Table) -> pa.Table:
    """Return the keys and texts of rows whose key the first row has with another text.

    Args:
        keys: All rows of some keys, from `runs.read_keys`.

    Returns:
        A row per key and text, with file and line of the first row of the key.
    """
    key, text = keys["merge_key"].to_numpy(), keys["text_key"].to_numpy()
    order = np.lexsort((text, keys["line"].to_numpy(), keys["file"].to_numpy(), key))
    is_first = np.ones(len(order), bool)
    is_first[1:] = key[order][1:] != key[order][:-1]
    first = order[is_first][np.cumsum(is_first) - 1] if len(order) else order
    conflicting = text[order] != text[first]
    pairs = np.stack([key[order][conflicting], text[order][conflicting]])
    _, distinct = np.unique(pairs, axis=1, return_index=True)
    rows, firsts = order[conflicting][distinct], first[conflicting][distinct]
    columns = {name: keys[name].take(pa.array(firsts)) for name in ("file", "line")}
    return pa.table({name: keys[name].take(pa.array(rows)) for name in ("merge_key", "text_key")} | columns)


def first_rows(table: pa.Table, conflicts: pa.Table) -> dict[int, tuple[int, int]]:
    """Return (file, line) of the first row of the key by index of the rows of a table that have another text.

    Args:
        table: Rows of a partition, from `runs.read_partition`.
        conflicts: Conflicts of all keys, from `find_conflicts`.
    """
    if not conflicts.num_rows:
        return {}
    first = {
        (row["merge_key"], row["text_key"]): (row["file"], row["line"])
        for row in conflicts.filter(pc.is_in(conflicts["text_key"], table["text_key"])).to_pylist()
    }
    pairs = zip(table["merge_key"].to_pylist(), table["text_key"].to_pylist(), strict=True)
    return {index: first[pair] for index, pair in enumerate(pairs) if pair in first}


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
