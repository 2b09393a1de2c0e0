"""Length-grouped batches: texts of like length share a batch, and each batch is padded to its own longest text.

The cost of a batch is set by its longest text, so mixing a tweet with an essay pays for the essay twice. Sorting
everything would always show the model short texts before long ones; sorting within windows of shuffled examples, and
shuffling the batches cut from a window, keeps nearly all of the gain and the randomness.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.preprocessing.features import ID, LABELS, SEGMENT_IDS, TOKEN_IDS

# Batches cut from one sorted window: 50 is where a longer window stops paying.
_WINDOW = 50
# Serialized examples held for shuffling; a million short ones take about 300 MB.
_SHUFFLE_BUFFER = 200_000
_PAD_ID = 0  # [PAD] is line 0 of every published BERT vocabulary; the padding mask is what hides it.


@dataclass(frozen=True)
class LabelCounts:
    """How many examples a split has, and how many of them have each label (float64 [n_labels])."""

    examples: int
    positives: NDArray[np.float64]

    def log_odds(self) -> NDArray[np.float64]:
        """log(p / (1 - p)) of each label's frequency, half an example added on both sides so that it is finite."""
        return np.asarray(np.log(self.positives + 0.5) - np.log(self.examples - self.positives + 0.5))


def count_labels(patterns: Sequence[str], n_labels: int) -> LabelCounts:
    """Counts over all records of the patterns' TFRecord files (gzip), in one pass."""
    labels = _records(patterns).batch(1024).map(lambda serialized: _parse(serialized, n_labels, pair=False)[1])
    start = (tf.constant(0, tf.int64), tf.zeros([n_labels], tf.float64))
    examples, positives = labels.reduce(
        start,
        lambda so_far, batch: (
            so_far[0] + tf.shape(batch, tf.int64)[0],
            so_far[1] + tf.reduce_sum(tf.cast(batch, tf.float64), axis=0),
        ),
    )
    return LabelCounts(int(examples.numpy()), positives.numpy())


def occurring_tokens(patterns: Sequence[str], vocabulary_size: int) -> NDArray[np.bool_]:
    """Which token ids the records of the patterns' TFRecord files have, padding's among them; bool [vocabulary_size].

    For data sets in the millions this pass costs seconds a million, beside a training of hours.
    """
    spec = {TOKEN_IDS: tf.io.RaggedFeature(tf.int64)}
    tokens = _records(patterns).batch(1024).map(
        lambda serialized: tf.unique(tf.io.parse_example(serialized, spec)[TOKEN_IDS].flat_values)[0],
        num_parallel_calls=tf.data.AUTOTUNE,
    )  # fmt: skip
    occurring = np.zeros(vocabulary_size, bool)
    occurring[_PAD_ID] = True
    for ids in tokens.as_numpy_iterator():
        occurring[ids] = True
    return occurring


def length_grouped_batches(
    patterns: Sequence[str],
    n_labels: int,
    batch_size: int,
    *,
    pair: bool = False,
    shuffle_seed: int | None = None,
    ids: bool = False,
    any_order: bool = True,
) -> tf.data.Dataset:
    """Batches of (encoder inputs, multi-hot labels) from transformed examples.

    Args:
        patterns: Of TFRecord files (gzip) of transformed tf.Examples.
        n_labels: Width of the multi-hot vector.
        batch_size: Examples per batch; the last of a window may be smaller.
        pair: Whether the examples are pairs: then they bring their segment ids.
        shuffle_seed: Seed of the order, which differs in every epoch; None reads in the files' order.
        ids: Give the examples' ids in place of their labels.
        any_order: False: begin from an order by id, so that it does not matter in which files, and in which order, Beam
            has left the examples. All of them, serialized, are then in memory.

    Returns:
        A dataset of ({token_ids, padding_mask, segment_ids}: int32 [n, longest], labels: float32 [n, n_labels] or
        ids: string [n]).
    """
    records = _records(patterns) if any_order else _by_id(_records(patterns))
    if shuffle_seed is not None:
        records = records.shuffle(_SHUFFLE_BUFFER, seed=shuffle_seed, reshuffle_each_iteration=True)

    def batches_of_window(tokens: dict[str, tf.RaggedTensor], labels: tf.Tensor) -> tf.data.Dataset:
        def batch(row: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            chosen = {name: tf.gather(values, row) for name, values in tokens.items()}
            return encoder_inputs(chosen[TOKEN_IDS], chosen.get(SEGMENT_IDS)), tf.gather(labels, row)

        by_length = tf.argsort(tokens[TOKEN_IDS].row_lengths(), stable=True)
        rows = tf.data.Dataset.from_tensor_slices(by_length).batch(batch_size)
        if shuffle_seed is not None:
            rows = rows.shuffle(_WINDOW, seed=shuffle_seed)
        return rows.map(batch)

    windows = records.batch(_WINDOW * batch_size).map(
        lambda serialized: _parse(serialized, n_labels, pair=pair, ids=ids), num_parallel_calls=tf.data.AUTOTUNE
    )
    return windows.flat_map(batches_of_window).prefetch(tf.data.AUTOTUNE)


def ids_of_batch(batches: tf.data.Dataset, number: int) -> list[str]:
    """The ids of the examples in a batch, by its number from 0 over all epochs.

    Args:
        batches: From `length_grouped_batches` with `ids`, else as those that were trained on; never read before.
        number: Of the batch.
    """
    _, ids = next(iter(batches.repeat().skip(number)))
    return [each.decode() for each in ids.numpy().tolist()]


def encoder_inputs(token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None = None) -> dict[str, tf.Tensor]:
    """Pads ragged token ids [n, None] to the longest of them and adds mask and segment ids, each int32 [n, longest].

    Segment ids [n, None] are padded with zeros, as BERT's; single texts have none and get zeros.
    """
    padded = tf.cast(token_ids.to_tensor(_PAD_ID), tf.int32)
    mask = tf.sequence_mask(token_ids.row_lengths(), tf.shape(padded)[1], dtype=tf.int32)
    segments = tf.zeros_like(padded) if segment_ids is None else tf.cast(segment_ids.to_tensor(0), tf.int32)
    return {"token_ids": padded, "padding_mask": mask, "segment_ids": segments}


def _records(patterns: Sequence[str]) -> tf.data.Dataset:
    # Several files are read at once, in a fixed order: two runs with one seed see the same examples.
    files = sorted(tf.io.gfile.glob(list(patterns)))
    return tf.data.TFRecordDataset(files, compression_type="GZIP", num_parallel_reads=min(4, len(files)))


def _by_id(records: tf.data.Dataset) -> tf.data.Dataset:
    """The same, in the order of the hashes of their ids."""

    def in_order(serialized: tf.Tensor) -> tf.Tensor:
        named = tf.io.parse_example(serialized, {ID: tf.io.FixedLenFeature([], tf.string)})[ID]
        return tf.gather(serialized, tf.argsort(tf.strings.to_hash_bucket_fast(named, tf.int64.max), stable=True))

    return records.batch(tf.int64.max).map(in_order).unbatch()


def _parse(
    serialized: tf.Tensor, n_labels: int, *, pair: bool, ids: bool = False
) -> tuple[dict[str, tf.RaggedTensor], tf.Tensor]:
    tokens = {name: tf.io.RaggedFeature(tf.int64) for name in (TOKEN_IDS, *([SEGMENT_IDS] if pair else []))}
    other, spec = (
        (ID, tf.io.FixedLenFeature([], tf.string)) if ids else (LABELS, tf.io.FixedLenFeature([n_labels], tf.float32))
    )
    parsed = tf.io.parse_example(serialized, tokens | {other: spec})
    return {name: parsed[name] for name in tokens}, parsed[other]
