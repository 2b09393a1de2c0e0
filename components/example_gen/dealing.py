"""Stratified splits: rows and labels of all partitions are counted by bucket, and the buckets dealt out together.

Used with `split_by: stratified`. Only counts are held in memory: 12 bytes for each pair of a bucket and a label, of
labels with up to `_FREQUENT` rows. More frequent ones are left to chance, which is right to a hundredth of their share.
"""

import uuid
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.common.files import open_seekable, write_whole
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import SPLITS, InputFiles
from components.example_gen.sources.sources import InputFile
from components.stratification.deal import Deal, Weights, bucket_of, reduced
from components.stratification.stratify import UNDEALT, BucketCounts, stratify

STRATIFIED = "stratified"
_FREQUENT = 100_000
_MOST_PENDING = 20_000_000  # pairs that are added up at a time
# The label is null where rows are counted, whatever their labels.
_COUNTS = pa.schema([("weights", pa.int32()), ("bucket", pa.uint32()), ("label", pa.string()), ("rows", pa.int64())])


def weights_of(files: InputFiles) -> Weights | None:
    """Return the weights by which the rows of an input are dealt out; None if all of them go to one split."""
    weights = dict(files.weights)
    return reduced(tuple(weights.get(split, 0) for split in SPLITS)) if len(weights) > 1 else None


def all_weights(settings: ExamplesSettings) -> list[Weights]:
    """Return the different weights of the inputs, in order."""
    return list(dict.fromkeys(weights for entry in settings.inputs if (weights := weights_of(entry)) is not None))


def count_partition(table: pa.Table, inputs: Sequence[InputFile], settings: ExamplesSettings, folder: str) -> str:
    """Count the rows of a partition by bucket and label, and write the counts to a file of a folder; return its path.

    Args:
        table: Rows of the partition, from `runs.read_partition`.
        inputs: Files that the rows are from; `inputs[order]` is the file of this order.
        settings: Settings of the inputs. Copies that will be merged count once.
        folder: Folder to write to.
    """
    known, entries = all_weights(settings), np.array([file.input for file in inputs])
    of_entry = [weights_of(entry) for entry in settings.inputs]
    index_of_entry = np.array([-1 if weights is None else known.index(weights) for weights in of_entry])
    entry = entries[table["file"].to_numpy()]
    weights, bucket = index_of_entry[entry], bucket_of(table["unit_key"].to_numpy())
    counted = weights >= 0
    if settings.copies == "merge" and len(entry):
        _, first = np.unique(
            np.stack([table["text_key"].to_numpy(), table["merge_key"].to_numpy(), entry.astype(np.uint64)]),
            axis=1,
            return_index=True,
        )
        counted &= np.isin(np.arange(len(entry)), first)
    labels = table["labels"].combine_chunks()
    owners = pc.list_parent_indices(labels).to_numpy()
    flat = labels.flatten().filter(pa.array(weights[owners] >= 0))
    owners = owners[weights[owners] >= 0]
    rows = [(weights[counted], bucket[counted], pa.nulls(int(counted.sum()), pa.string()))]
    rows.append((weights[owners], bucket[owners], flat))
    counts = pa.concat_tables([
        pa.table([pa.array(part[0], pa.int32()), pa.array(part[1], pa.uint32()), part[2]], names=_COUNTS.names[:3])
        for part in rows
    ])  # fmt: skip
    summed = counts.group_by(_COUNTS.names[:3]).aggregate([([], "count_all")]).rename_columns(_COUNTS.names)
    return _write(summed.cast(_COUNTS), folder)


def deal_out(paths: Sequence[str], settings: ExamplesSettings, base: Deal) -> Deal:
    """Deal out all buckets that rows are in.

    Args:
        paths: Files that `count_partition` wrote.
        settings: Settings of the inputs.
        base: What was dealt out before, which stays.

    Returns:
        The base and what was dealt out besides.
    """
    totals = _label_totals(paths)
    splits = dict(base.splits)
    for index, weights in enumerate(all_weights(settings)):
        labels = [label for label, rows in totals.items() if rows <= _FREQUENT]
        counts = _add_up(paths, index, labels)
        of_all = base.of(weights).copy()
        of_all[counts.buckets] = stratify(counts, weights, of_all[counts.buckets])
        splits[weights] = of_all
    return Deal(splits)


def assign_dealt(table: pa.Table, deal: Deal, inputs: Sequence[InputFile], settings: ExamplesSettings) -> pa.Table:
    """Return the rows of a partition with the splits that they were dealt to.

    A row whose group decides may go to no other split, as where groups are split by their hash.
    """
    split = table["split"].to_numpy().copy()
    allowed = table["allowed"].to_numpy().copy()
    bucket = bucket_of(table["unit_key"].to_numpy())
    entry = np.array([file.input for file in inputs])[table["file"].to_numpy()]
    for index, files in enumerate(settings.inputs):
        weights = weights_of(files)
        rows = np.flatnonzero(entry == index)
        if weights is None or not len(rows):
            continue
        dealt = deal.of(weights)[bucket[rows]]
        assert (dealt != UNDEALT).all()
        is_grouped = allowed[rows] == np.left_shift(1, split[rows])
        split[rows] = dealt
        allowed[rows] = np.where(is_grouped, np.left_shift(1, dealt), allowed[rows])
    for name, values in (("split", split), ("allowed", allowed)):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.uint8()))
    return table


def _label_totals(paths: Sequence[str]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for table in map(_read, paths):
        of_labels = table.filter(pc.is_valid(table["label"])).group_by("label").aggregate([("rows", "sum")])
        for label, rows in zip(of_labels["label"].to_pylist(), of_labels["rows_sum"].to_pylist(), strict=True):
            totals[label] = totals.get(label, 0) + rows
    return dict(sorted(totals.items()))


def _add_up(paths: Sequence[str], index: int, labels: Sequence[str]) -> BucketCounts:
    """Add up the counts of all partitions for one of the weights; labels are numbered in the order given."""
    column_of = pa.array(labels, pa.string())
    rows, pairs = _Sums(), _Sums()
    for table in map(_read, paths):
        table = table.filter(pc.equal(table["weights"], index))
        bucket, count = table["bucket"].to_numpy().astype(np.int64), table["rows"].to_numpy()
        label = pc.fill_null(pc.index_in(table["label"], column_of), -1).to_numpy().astype(np.int64)
        is_total = table["label"].is_null().to_numpy()
        rows.add(bucket[is_total], count[is_total])
        is_pair = label >= 0
        pairs.add(bucket[is_pair] * len(labels) + label[is_pair], count[is_pair])
    buckets, n_rows = rows.result()
    keys, pair_rows = pairs.result()
    pair_bucket, pair_label = np.divmod(keys, max(1, len(labels)))
    return BucketCounts(buckets, n_rows, np.searchsorted(buckets, pair_bucket), pair_label, pair_rows)


class _Sums:
    """Sums by key, added up whenever enough are waiting."""

    def __init__(self) -> None:
        self._keys, self._sums = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._n_waiting = 0

    def add(self, keys: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        self._waiting.append((keys, values))
        self._n_waiting += len(keys)
        if self._n_waiting > _MOST_PENDING:
            self._add_up()

    def result(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the keys, ascending, and their sums."""
        self._add_up()
        return self._keys, self._sums

    def _add_up(self) -> None:
        keys, values = (np.concatenate(parts) for parts in zip((self._keys, self._sums), *self._waiting, strict=True))
        self._keys, inverse = np.unique(keys, return_inverse=True)
        self._sums = np.bincount(inverse, values, len(self._keys)).astype(np.int64)
        self._waiting, self._n_waiting = [], 0


def _write(table: pa.Table, folder: str) -> str:
    path = f"{folder}/{uuid.uuid4().hex}"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, _COUNTS, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    write_whole(path, sink.getvalue())
    return path


def _read(path: str) -> pa.Table:
    with open_seekable(path) as stream, pa.ipc.open_file(stream) as file:
        return file.read_all()
