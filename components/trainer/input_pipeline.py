"""Length-grouped batches: texts of similar length share a batch, which is padded to its own longest text.

The cost of a batch depends on its longest text, so mixing a tweet with an essay costs two essays. Sorting everything
would always show the model short texts before long ones; sorting within windows of shuffled examples and shuffling the
batches of a window keeps nearly all of the gain and of the randomness.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.preprocessing.features import ID, LABELS, SEGMENT_IDS, TOKEN_IDS
from components.trainer.loop.label_counts import LabelCounts

# Batches per sorted window. Longer windows save hardly any more padding.
_WINDOW = 50
# Serialized examples that are shuffled at a time; a million short ones take about 300 MB. With many labels or with long
# texts, there are fewer, to fit in this number of bytes: an example has four of them for each label and three for each
# token.
_SHUFFLE_BUFFER, _SHUFFLE_BYTES = 200_000, 256 << 20
_PAD_ID = 0  # [PAD] is line 0 of every published BERT vocabulary, and the padding mask hides it anyway.


def count_labels(patterns: Sequence[str], n_labels: int) -> LabelCounts:
    """Count the examples of each label, and those of which nobody knows whether they have it, in one pass.

    Args:
        patterns: Glob patterns of TFRecord files (gzip) of transformed tf.Examples.
        n_labels: Width of the multi-hot vectors.
    """
    labels = _read_records(patterns).batch(1024).map(lambda serialized: _parse(serialized, n_labels, pair=False)[1])
    zeros = tf.zeros([n_labels], tf.float64)
    examples, positives, unknown = labels.reduce(
        (tf.constant(0, tf.int64), zeros, zeros),
        lambda counts, batch: (
            counts[0] + tf.shape(batch, tf.int64)[0],
            counts[1] + tf.reduce_sum(tf.cast(tf.maximum(batch, 0.0), tf.float64), axis=0),
            counts[2] + tf.reduce_sum(tf.cast(batch < 0.0, tf.float64), axis=0),
        ),
    )
    return LabelCounts(int(examples.numpy()), positives.numpy(), unknown.numpy())


def occurring_token_ids(patterns: Sequence[str], vocabulary_size: int) -> NDArray[np.bool_]:
    """Find the token ids that occur, in one pass that takes seconds for a million examples.

    Args:
        patterns: Glob patterns of TFRecord files (gzip) of transformed tf.Examples.
        vocabulary_size: Number of token ids.

    Returns:
        bool [vocabulary_size]; the id of padding always occurs.
    """
    spec = {TOKEN_IDS: tf.io.RaggedFeature(tf.int64)}
    tokens = _read_records(patterns).batch(1024).map(
        lambda serialized: tf.unique(tf.io.parse_example(serialized, spec)[TOKEN_IDS].flat_values)[0],
        num_parallel_calls=tf.data.AUTOTUNE,
    )  # fmt: skip
    occurs = np.zeros(vocabulary_size, bool)
    occurs[_PAD_ID] = True
    for ids in tokens.as_numpy_iterator():
        occurs[ids] = True
    return occurs


def length_grouped_batches(
    patterns: Sequence[str],
    n_labels: int,
    batch_size: int,
    *,
    pair: bool = False,
    shuffle_seed: int | None = None,
    yield_ids: bool = False,
    sort_by_id: bool = False,
    max_tokens: int = 0,
) -> tf.data.Dataset:
    """Return a dataset of batches of (encoder inputs, multi-hot labels) from transformed examples.

    Args:
        patterns: Glob patterns of TFRecord files (gzip) of transformed tf.Examples.
        n_labels: Width of the multi-hot vectors.
        batch_size: Examples per batch; the last batch of a window may be smaller.
        pair: Whether the examples are pairs of texts, which have segment ids.
        shuffle_seed: Seed of the order, which differs in every epoch; None keeps the order of the files.
        yield_ids: Whether to yield the examples' ids instead of their labels.
        sort_by_id: Whether to start from an order by id, so that it does not matter how Beam divided the examples into
            files. All serialized examples are then held in memory.
        max_tokens: Tokens of the longest texts, if they are read in windows; fewer examples are then shuffled at a
            time.

    Returns:
        A dataset of ({token_ids, padding_mask, segment_ids}: int32 [n, longest], labels: float32 [n, n_labels] or
        ids: string [n]).
    """
    records = _sort_by_id(_read_records(patterns)) if sort_by_id else _read_records(patterns)
    if shuffle_seed is not None:
        buffer = min(_SHUFFLE_BUFFER, _SHUFFLE_BYTES // (300 + 4 * n_labels + 3 * max_tokens))
        records = records.shuffle(buffer, seed=shuffle_seed, reshuffle_each_iteration=True)

    def batches_of_window(tokens: dict[str, tf.RaggedTensor], labels: tf.Tensor) -> tf.data.Dataset:
        def take_rows(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
            chosen = {name: tf.gather(values, rows) for name, values in tokens.items()}
            return encoder_inputs(chosen[TOKEN_IDS], chosen.get(SEGMENT_IDS)), tf.gather(labels, rows)

        by_length = tf.argsort(tokens[TOKEN_IDS].row_lengths(), stable=True)
        batches = tf.data.Dataset.from_tensor_slices(by_length).batch(batch_size)
        if shuffle_seed is not None:
            batches = batches.shuffle(_WINDOW, seed=shuffle_seed)
        return batches.map(take_rows)

    windows = records.batch(_WINDOW * batch_size).map(
        lambda serialized: _parse(serialized, n_labels, pair=pair, yield_ids=yield_ids),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return windows.flat_map(batches_of_window).prefetch(tf.data.AUTOTUNE)


def ids_of_batch(batches: tf.data.Dataset, number: int) -> list[str]:
    """Return the ids of the examples in a batch.

    Args:
        batches: Dataset from `length_grouped_batches` with `yield_ids` and otherwise the arguments of the dataset that
            was trained on; not iterated over before.
        number: Number of the batch, from 0 over all epochs.
    """
    _, ids = next(iter(batches.repeat().skip(number)))
    return [each.decode() for each in ids.numpy().tolist()]


def encoder_inputs(token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None = None) -> dict[str, tf.Tensor]:
    """Pad token ids and compute the other inputs of the encoder.

    Args:
        token_ids: Ragged token ids int [n, None].
        segment_ids: Ragged segment ids int [n, None], as long as the token ids; None for single texts, whose segment
            ids are zeros.

    Returns:
        {token_ids, padding_mask, segment_ids}, each int32 [n, longest]. Segment ids are padded with zeros, as BERT's.
    """
    padded = tf.cast(token_ids.to_tensor(_PAD_ID), tf.int32)
    mask = tf.sequence_mask(token_ids.row_lengths(), tf.shape(padded)[1], dtype=tf.int32)
    segments = tf.zeros_like(padded) if segment_ids is None else tf.cast(segment_ids.to_tensor(0), tf.int32)
    return {"token_ids": padded, "padding_mask": mask, "segment_ids": segments}


def _read_records(patterns: Sequence[str]) -> tf.data.Dataset:
    # Several files are read at a time, in a fixed order: two runs with the same seed see the same examples.
    files = sorted(tf.io.gfile.glob(list(patterns)))
    return tf.data.TFRecordDataset(files, compression_type="GZIP", num_parallel_reads=min(4, len(files)))


def _sort_by_id(records: tf.data.Dataset) -> tf.data.Dataset:
    """Sort serialized examples by the hash of their id."""

    def sort(serialized: tf.Tensor) -> tf.Tensor:
        ids = tf.io.parse_example(serialized, {ID: tf.io.FixedLenFeature([], tf.string)})[ID]
        return tf.gather(serialized, tf.argsort(tf.strings.to_hash_bucket_fast(ids, tf.int64.max), stable=True))

    return records.batch(tf.int64.max).map(sort).unbatch()


def _parse(
    serialized: tf.Tensor, n_labels: int, *, pair: bool, yield_ids: bool = False
) -> tuple[dict[str, tf.RaggedTensor], tf.Tensor]:
    """Parse serialized examples [n] into ragged tokens by feature, and labels or ids."""
    tokens = {name: tf.io.RaggedFeature(tf.int64) for name in (TOKEN_IDS, *([SEGMENT_IDS] if pair else []))}
    second, spec = (
        (ID, tf.io.FixedLenFeature([], tf.string))
        if yield_ids
        else (LABELS, tf.io.FixedLenFeature([n_labels], tf.float32))
    )
    parsed = tf.io.parse_example(serialized, tokens | {second: spec})
    return {name: parsed[name] for name in tokens}, parsed[second]
