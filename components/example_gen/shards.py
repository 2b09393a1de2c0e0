"""Shards: the files of a split's examples, and the order of the examples in them."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from numpy.typing import NDArray
from tfx.components.example_gen.write_split import DEFAULT_FILE_NAME

from components.common import files
from components.example_gen.copies import Assignments, Rows, assign_copies
from components.example_gen.formats.rows import Reason, readable
from components.example_gen.merging import first_rows, merge_copies
from components.example_gen.parsing.row_parser import LabelledText
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.report import MOST_CONTRADICTIONS, Contradiction, DuplicatesTally, Tally
from components.example_gen.sources.settings import SPLITS, Split
from components.example_gen.sources.sources import InputFile
from components.example_gen.splitting import stable_hash
from schema.features import (
    GROUP_KEY,
    ID,
    LABELS,
    NO_GROUP,
    SOFT_LABELS,
    SOFT_SCORES,
    SPAN,
    TEXT,
    TEXT_LENGTH,
    TEXT_PAIR,
    UNKNOWN_LABELS,
)

UNFINISHED = "unfinished"  # folder of the artifact for files that are still being written
_MOST_LINES = 1 << 40  # more than any file has


def shuffle_key(file: str, row: str) -> int:
    """Return the sort key of an example in its split: random, but the same in every run and under every runner.

    Args:
        file: Name of the file.
        row: Line of the row; its id, if the row is from a query.

    Returns:
        64 bits.
    """
    return int.from_bytes(blake2b(f"{file}:{row}".encode(), digest_size=8).digest(), "big")


def serialize(row: LabelledText, slices: Sequence[str], span: int | None, *, grouped: bool = False) -> bytes:
    """Return a row as a serialized tf.Example.

    Args:
        row: Parts of the example.
        slices: Names of the slice columns.
        span: Span of the row; None if inputs have no spans.
        grouped: Whether a group is configured.

    Returns:
        Example with the string features id [1], text [1], text_pair [1] if the row has one, labels [0..n],
        unknown_labels and soft_labels [1..n] if the row has any, and each of `slices` [1], the int64 features
        text_length [1], span [1] if inputs have spans, and group_key [1] if there are groups, and the floats
        soft_scores, one for each of soft_labels.
    """
    example = tf.train.Example()
    feature = example.features.feature
    feature[ID].bytes_list.value.append(row.id.encode())
    feature[TEXT].bytes_list.value.append(row.text.encode())
    if row.pair is not None:
        feature[TEXT_PAIR].bytes_list.value.append(row.pair.encode())
    feature[TEXT_LENGTH].int64_list.value.append(len(row.text) + len(row.pair or ""))
    if span is not None:
        feature[SPAN].int64_list.value.append(span)
    if grouped:
        feature[GROUP_KEY].int64_list.value.append(stable_hash(row.group) >> 1 if row.group else NO_GROUP)
    # Without this, a row without labels would lack the feature instead of having an empty one.
    feature[LABELS].bytes_list.SetInParent()
    feature[LABELS].bytes_list.value.extend([label.encode() for label in row.labels])
    if row.unknown:
        feature[UNKNOWN_LABELS].bytes_list.value.extend([label.encode() for label in row.unknown])
    if row.scores:
        feature[SOFT_LABELS].bytes_list.value.extend([label.encode() for label in row.scores])
        feature[SOFT_SCORES].float_list.value.extend(row.scores.values())
    for name, value in zip(slices, row.slices, strict=True):
        feature[name].bytes_list.value.append(value.encode())
    serialized: bytes = example.SerializeToString(deterministic=True)
    return serialized


def write_partition(
    table: pa.Table,
    shard: str,
    uri: str,
    inputs: Sequence[InputFile],
    *,
    merge: bool = False,
    conflicts: pa.Table | None = None,
) -> tuple[Tally, list[QuarantinedRow]]:
    """Write one file of examples per split.

    Args:
        table: Rows of the partition, from `runs.read_partition`.
        shard: End of the files' names: "00000-of-00001".
        uri: URI of the examples artifact.
        inputs: Files that the rows are from; `inputs[order]` is the file of this order.
        merge: Whether copies from one entry of the inputs become one example with the labels of all.
        conflicts: Keys and texts from `merging.find_conflicts`, whose rows are set aside; None if no key is configured.

    Returns:
        Counts of the examples, and the rows that are set aside because a copy of their text is in another split, or
        the first row of their key has another text.
    """
    table, conflicting = _without_conflicts(table, conflicts, inputs)
    read = table.num_rows
    if merge:
        entries = np.array([file.input for file in inputs])
        table = merge_copies(table, entries[table["file"].to_numpy()], _positions(table))
    rows = Rows(
        **{name: table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in Rows.__dataclass_fields__}
    )
    assignments = assign_copies(rows)
    if pc.any(pc.greater(pc.list_value_length(table["unknown"]), 0)).as_py():
        assignments = _without_silence(assignments, table)
    examples = table["example"]
    tally = Tally(merged=read - table.num_rows)
    for index, split in enumerate(SPLITS):
        members = np.flatnonzero(assignments.split == index)
        members = members[np.argsort(rows.order[members], kind="stable")]
        tally.splits[split] += len(members)
        tally.digest += _write_shard(split, shard, examples.take(pa.array(members)), uri)
    _count_labels(table, assignments, tally)
    _count_unknown(table, assignments, tally)
    file = table["file"].to_numpy()
    for order, count in zip(*np.unique(file[~assignments.set_aside], return_counts=True), strict=True):
        tally.spans[inputs[order].span] += int(count)
    tally.duplicates = _duplicates(table, assignments, inputs)
    set_aside = [
        _quarantined(table, int(row), inputs, f"{Reason.IN_OTHER_SPLIT}: {SPLITS[assignments.home[row]]}")
        for row in np.flatnonzero(assignments.set_aside)
    ]
    tally.reasons[Reason.IN_OTHER_SPLIT] += len(set_aside)
    tally.reasons[Reason.OTHER_TEXT] += len(conflicting)
    return tally, [*conflicting, *set_aside]


def _without_conflicts(
    table: pa.Table, conflicts: pa.Table | None, inputs: Sequence[InputFile]
) -> tuple[pa.Table, list[QuarantinedRow]]:
    """Return the rows with the text that the first row of their key has, and the others for the quarantine."""
    first = {} if conflicts is None else first_rows(table, conflicts)
    if not first:
        return table, []
    set_aside = [
        _quarantined(table, row, inputs, f"{Reason.OTHER_TEXT}: {inputs[file].name}:{line}")
        for row, (file, line) in first.items()
    ]
    kept = np.ones(table.num_rows, bool)
    kept[list(first)] = False
    return table.filter(pa.array(kept)).combine_chunks(), set_aside


def make_folders(uri: str) -> None:
    """Create the folders that `write_partition` writes to."""
    for folder in (*(f"Split-{split}" for split in SPLITS), UNFINISHED):
        files.make_folder(f"{uri}/{folder}")


def remove_unfinished(uri: str) -> None:
    """Remove the runs, and files that an interrupted attempt to write a shard may have left."""
    files.remove_folder(f"{uri}/{UNFINISHED}")


def _write_shard(split: Split, shard: str, examples: pa.ChunkedArray, uri: str) -> int:
    """Write a file of examples atomically; return the sum of their hashes."""
    # In another folder, since readers of a split take every file in its folder for examples.
    partial = f"{uri}/{UNFINISHED}/{split}-{shard}-{uuid.uuid4().hex}"
    digest = 0
    with tf.io.TFRecordWriter(partial, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for scalar in examples:
            example = scalar.as_py()
            writer.write(example)
            digest += int.from_bytes(blake2b(example, digest_size=8).digest(), "big")
    files.rename(partial, f"{uri}/Split-{split}/{DEFAULT_FILE_NAME}-{shard}.gz")
    return digest


def _count_labels(table: pa.Table, assignments: Assignments, tally: Tally) -> None:
    labels = table["labels"].combine_chunks()
    owners = pc.list_parent_indices(labels).to_numpy()
    names = labels.flatten().dictionary_encode()
    kept = ~assignments.set_aside[owners]
    codes, owners = names.indices.to_numpy(zero_copy_only=False)[kept], owners[kept]
    counts = np.bincount(codes, minlength=len(names.dictionary))
    positions = _positions(table)
    first = np.full(len(names.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(first, codes, positions[owners])
    for name, count, position in zip(names.dictionary.to_pylist(), counts, first, strict=True):
        if count:
            tally.count_label(name, int(count), divmod(int(position), _MOST_LINES))


def _count_unknown(table: pa.Table, assignments: Assignments, tally: Tally) -> None:
    unknown = table["unknown"].combine_chunks()
    owners = pc.list_parent_indices(unknown).to_numpy()
    kept = unknown.flatten().filter(pa.array(~assignments.set_aside[owners]))
    for each in pc.value_counts(kept).to_pylist():
        tally.unknown[each["values"]] += each["counts"]


def _without_silence(assignments: Assignments, table: pa.Table) -> Assignments:
    """Return the assignments with those copies as contradictory that differ in what both know."""
    given, unknown = table["labels"], table["unknown"]

    def contradicts(copies: NDArray[np.intp]) -> bool:
        chosen = pa.array(copies)
        sets = [set(labels) for labels in given.take(chosen).to_pylist()]
        silent = [set(labels) for labels in unknown.take(chosen).to_pylist()]
        return any(
            label not in labels and label not in silence
            for label in set().union(*sets)
            for labels, silence in zip(sets, silent, strict=True)
        )

    contradictory = [
        differ and contradicts(copies)
        for copies, differ in zip(assignments.groups, assignments.contradictory, strict=True)
    ]
    return replace(assignments, contradictory=contradictory)


def _positions(table: pa.Table) -> NDArray[np.int64]:
    """Return one number per row that sorts by file and line; shape [rows]."""
    return np.asarray(table["file"].to_numpy().astype(np.int64) * _MOST_LINES + table["line"].to_numpy())


def _duplicates(table: pa.Table, assignments: Assignments, inputs: Sequence[InputFile]) -> DuplicatesTally:
    contradictory = [
        copies for copies, differ in zip(assignments.groups, assignments.contradictory, strict=True) if differ
    ]
    return DuplicatesTally(
        texts=len(assignments.groups),
        rows=sum(len(copies) for copies in assignments.groups),
        contradictory=len(contradictory),
        contradictions=[_contradiction(table, copies, inputs) for copies in contradictory[:MOST_CONTRADICTIONS]],
    )


def _contradiction(table: pa.Table, copies: NDArray[np.intp], inputs: Sequence[InputFile]) -> Contradiction:
    """Return the first copy, and the first one that has other labels."""
    positions, labels_keys = _positions(table), table["labels_key"].to_numpy()
    first = copies[np.argmin(positions[copies])]
    others = copies[labels_keys[copies] != labels_keys[first]]
    other = others[np.argmin(positions[others])]
    rows = table.select(["file", "line", "labels"]).take(pa.array([first, other])).to_pylist()
    return Contradiction(
        rows=[f"{inputs[row['file']].name}:{row['line']}" for row in rows], labels=[row["labels"] for row in rows]
    )


def _quarantined(table: pa.Table, row: int, inputs: Sequence[InputFile], reason: str) -> QuarantinedRow:
    example = tf.train.Example.FromString(table["example"][row].as_py())
    fields = {
        name: [value.decode() for value in feature.bytes_list.value]
        for name, feature in sorted(example.features.feature.items())
        if feature.HasField("bytes_list")
    }
    return QuarantinedRow(
        file=inputs[table["file"][row].as_py()].name,
        line=table["line"][row].as_py(),
        reason=reason,
        raw=readable(json.dumps(fields, ensure_ascii=False).encode()),
    )
