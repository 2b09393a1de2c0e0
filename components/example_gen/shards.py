"""How the examples of a split lie in files, and in what order."""

import json
import uuid
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from numpy.typing import NDArray
from tfx.components.example_gen.write_split import DEFAULT_FILE_NAME

from components.common import files
from components.example_gen.copies import Rows, Settled, settle_copies
from components.example_gen.formats.rows import Reason, readable
from components.example_gen.parsing import Record
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.report import MOST_CONTRADICTIONS, Contradiction, DuplicatesTally, Tally
from components.example_gen.settings import SPLITS, Split
from components.example_gen.sources.sources import InputFile
from schema.features import ID, LABELS, SPAN, TEXT, TEXT_LENGTH, TEXT_PAIR

UNFINISHED = "unfinished"  # the folder in the artifact for what is under way
_LINES = 1 << 40  # more than any file has


def order_of(file: str, row: str) -> int:
    """Where an example stands among those of its split: shuffled, but alike in every run and under every runner."""
    return int.from_bytes(blake2b(f"{file}:{row}".encode(), digest_size=8).digest(), "big")


def serialize(record: Record, slices: Sequence[str], span: int | None) -> bytes:
    """A serialized tf.Example.

    Its features: id [1], text [1], text_pair [1] if there is one, labels [0..n] and each of `slices` [1], all strings;
    text_length [1] and, where inputs come in spans, span [1], int64.
    """
    example = tf.train.Example()
    feature = example.features.feature
    feature[ID].bytes_list.value.append(record.id.encode())
    feature[TEXT].bytes_list.value.append(record.text.encode())
    if record.pair is not None:
        feature[TEXT_PAIR].bytes_list.value.append(record.pair.encode())
    feature[TEXT_LENGTH].int64_list.value.append(len(record.text) + len(record.pair or ""))
    if span is not None:
        feature[SPAN].int64_list.value.append(span)
    # Without this, a row of no labels would lack the feature instead of having an empty one.
    feature[LABELS].bytes_list.SetInParent()
    feature[LABELS].bytes_list.value.extend([label.encode() for label in record.labels])
    for name, value in zip(slices, record.slices, strict=True):
        feature[name].bytes_list.value.append(value.encode())
    serialized: bytes = example.SerializeToString(deterministic=True)
    return serialized


def write_partition(
    table: pa.Table, shard: str, uri: str, inputs: Sequence[InputFile]
) -> tuple[Tally, list[QuarantinedRow]]:
    """Writes one file of examples a split, and counts them.

    Args:
        table: From `runs.read_partition`.
        shard: Ends the files' names: "00000-of-00001".
        uri: Of the examples artifact.
        inputs: `inputs[order]` is the file of that order.

    Returns:
        The count of what was written, and the rows that are in no split because a copy of their text is in another.
    """
    rows = Rows(
        **{name: table[name].combine_chunks().to_numpy(zero_copy_only=False) for name in Rows.__dataclass_fields__}
    )
    settled = settle_copies(rows)
    examples = table["example"]
    tally = Tally()
    for index, split in enumerate(SPLITS):
        members = np.flatnonzero(settled.split == index)
        members = members[np.argsort(rows.order[members], kind="stable")]
        tally.splits[split] += len(members)
        tally.digest += _write_shard(split, shard, examples.take(pa.array(members)), uri)
    _count_labels(table, settled, tally)
    file = table["file"].to_numpy()
    for order, count in zip(*np.unique(file[~settled.set_aside], return_counts=True), strict=True):
        tally.spans[inputs[order].span] += int(count)
    tally.duplicates = _duplicates(table, settled, inputs)
    aside = [_quarantined(table, settled, int(row), inputs) for row in np.flatnonzero(settled.set_aside)]
    tally.reasons[Reason.IN_OTHER_SPLIT] += len(aside)
    return tally, aside


def make_folders(uri: str) -> None:
    """Makes the folders that `write_partition` writes to."""
    for folder in (*(f"Split-{split}" for split in SPLITS), UNFINISHED):
        files.make_folder(f"{uri}/{folder}")


def remove_unfinished(uri: str) -> None:
    """Removes runs, and what interrupted attempts at writing a shard may have left."""
    files.remove_folder(f"{uri}/{UNFINISHED}")


def _write_shard(split: Split, shard: str, examples: pa.ChunkedArray, uri: str) -> int:
    """Writes a file, complete or not at all; returns the sum of its examples' hashes."""
    # Not beside its place: a reader of the split takes every file there for examples.
    partial = f"{uri}/{UNFINISHED}/{split}-{shard}-{uuid.uuid4().hex}"
    digest = 0
    with tf.io.TFRecordWriter(partial, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for scalar in examples:
            example = scalar.as_py()
            writer.write(example)
            digest += int.from_bytes(blake2b(example, digest_size=8).digest(), "big")
    files.rename(partial, f"{uri}/Split-{split}/{DEFAULT_FILE_NAME}-{shard}.gz")
    return digest


def _count_labels(table: pa.Table, settled: Settled, tally: Tally) -> None:
    labels = table["labels"].combine_chunks()
    owners = pc.list_parent_indices(labels).to_numpy()
    names = labels.flatten().dictionary_encode()
    kept = ~settled.set_aside[owners]
    codes, owners = names.indices.to_numpy(zero_copy_only=False)[kept], owners[kept]
    counts = np.bincount(codes, minlength=len(names.dictionary))
    place = _places(table)
    first = np.full(len(names.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(first, codes, place[owners])
    for name, count, seen in zip(names.dictionary.to_pylist(), counts, first, strict=True):
        if count:
            tally.count_label(name, int(count), divmod(int(seen), _LINES))


def _places(table: pa.Table) -> NDArray[np.int64]:
    """One number for file and line, in their order."""
    return np.asarray(table["file"].to_numpy().astype(np.int64) * _LINES + table["line"].to_numpy())


def _duplicates(table: pa.Table, settled: Settled, inputs: Sequence[InputFile]) -> DuplicatesTally:
    disagreeing = [copies for copies, differ in zip(settled.groups, settled.contradictory, strict=True) if differ]
    return DuplicatesTally(
        texts=len(settled.groups),
        rows=sum(len(copies) for copies in settled.groups),
        contradictory=len(disagreeing),
        contradictions=[_contradiction(table, copies, inputs) for copies in disagreeing[:MOST_CONTRADICTIONS]],
    )


def _contradiction(table: pa.Table, copies: NDArray[np.intp], inputs: Sequence[InputFile]) -> Contradiction:
    """The first copy, and the first that has other labels."""
    place, keys = _places(table)[copies], table["labels_key"].to_numpy()[copies]
    first = copies[np.argmin(place)]
    others = copies[keys != table["labels_key"].to_numpy()[first]]
    other = others[np.argmin(_places(table)[others])]
    rows = table.select(["file", "line", "labels"]).take(pa.array([first, other])).to_pylist()
    return Contradiction(
        rows=[f"{inputs[row['file']].name}:{row['line']}" for row in rows], labels=[row["labels"] for row in rows]
    )


def _quarantined(table: pa.Table, settled: Settled, row: int, inputs: Sequence[InputFile]) -> QuarantinedRow:
    example = tf.train.Example.FromString(table["example"][row].as_py())
    fields = {
        name: [value.decode() for value in feature.bytes_list.value]
        for name, feature in sorted(example.features.feature.items())
        if feature.HasField("bytes_list")
    }
    return QuarantinedRow(
        file=inputs[table["file"][row].as_py()].name,
        line=table["line"][row].as_py(),
        reason=f"{Reason.IN_OTHER_SPLIT}: {SPLITS[settled.home[row]]}",
        raw=readable(json.dumps(fields, ensure_ascii=False).encode()),
    )
