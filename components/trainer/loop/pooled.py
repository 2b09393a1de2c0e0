"""Training the head alone: the encoder reads each text once, and the epochs iterate over its pooled outputs.

Equivalent to training the whole model with a frozen encoder in inference mode, at the cost of one dense layer. It is
the head's own layers that are trained, so the whole model has the trained head at the end.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.common.progress import PROGRESS
from components.trainer.loop.row_store import MEMORY_LIMIT, RowStore
from components.trainer.loop.settings import LoopSettings

# Large splits are shuffled in runs of 32 batches that are adjacent on disk, of which 64 are mixed at a time.
_RUNS, _RUN_BATCHES = 64, 32
_TEXTS_BETWEEN_MESSAGES = 2_000


@dataclass(frozen=True)
class Pooled:
    """Pooled outputs and labels of a split.

    Attributes:
        outputs: float32 [n, hidden], in memory or memory-mapped.
        labels: int8 [n, n_labels], or float32 of soft labels, in memory or memory-mapped; -1 where unknown.
        rows: Rows that batches are made of, int [m]; None for all.
    """

    outputs: NDArray[np.float32]
    labels: NDArray[Any]
    rows: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.outputs) if self.rows is None else len(self.rows)

    def batches(self, batch_size: int, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Return a dataset of ceil(n / batch_size) batches per epoch.

        Up to 2,048 batches of rows are shuffled at once. Larger splits are shuffled in runs of 32 batches of rows, of
        which 64 are mixed at a time: a memory-mapped file is then read in long pieces, not row by row. The rows of a
        run are in a random order already if the batches that they were encoded from were.

        Args:
            batch_size: Examples per batch.
            shuffle_seed: Seed of the order, which differs in every epoch; None keeps the order of the rows.

        Returns:
            Dataset of (float32 [b, hidden], float32 [b, n_labels]).
        """
        epochs = itertools.count()

        def groups() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
            for group in groups_of_rows(len(self), batch_size, shuffle_seed, epochs):
                rows = group if self.rows is None else self.rows[group]
                yield self.outputs[rows], self.labels[rows].astype(np.float32)

        signature = tuple(tf.TensorSpec([None, part.shape[1]], tf.float32) for part in (self.outputs, self.labels))
        return (
            tf.data.Dataset.from_generator(groups, output_signature=signature)
            .flat_map(lambda *group: tf.data.Dataset.from_tensor_slices(group).batch(batch_size))
            .prefetch(tf.data.AUTOTUNE)
        )


def head_alone(model: Any) -> Any:
    """Build a model of a classifier's last layers, from pooled outputs to logits.

    Args:
        model: Classifier from `build_classifier`.

    Returns:
        A `keras.Model` from float [n, hidden] to float [n, n_labels].
    """
    pooled = keras.Input([model.backbone.hidden_dim], dtype="float32", name="pooled_output")
    return keras.Model(pooled, model.output_dense(model.output_dropout(pooled)), name="head")


def head_over_pooled(
    model: Any,
    train: tf.data.Dataset,
    evaluation: tf.data.Dataset,
    settings: LoopSettings,
    folder: str,
    *,
    soft: bool = False,
) -> tuple[Any, tf.data.Dataset, tf.data.Dataset]:
    """Build the head alone, and the batches of pooled outputs that it is trained on.

    Args:
        model: Classifier from `build_classifier`.
        train: Batches of (encoder inputs, labels), in a random order.
        evaluation: Batches of (encoder inputs, labels), in any order.
        settings: Recipe; with `max_steps`, no more batches of train than that are encoded.
        folder: Folder for `encode`.
        soft: Whether labels may be fractions.

    Returns:
        Head, train batches and eval batches.
    """
    if settings.max_steps is not None:
        train = train.take(settings.max_steps)
    return (
        head_alone(model),
        encode(model, train, folder, soft=soft).batches(settings.batch_size, settings.seed),
        encode(model, evaluation, folder, soft=soft).batches(settings.batch_size),
    )


def encode(
    model: Any, batches: tf.data.Dataset, folder: str, *, limit: int = MEMORY_LIMIT, soft: bool = False
) -> Pooled:
    """Run the encoder once over every text, without gradients and dropout.

    Args:
        model: Classifier from `build_classifier`.
        batches: Batches of (encoder inputs, labels float32 [n, n_labels] of 0, 1 and -1), whose order is kept.
        folder: Folder of a temporary file for outputs of more than `limit` bytes; it vanishes with the process.
        limit: Bytes that are kept in memory.
        soft: Whether labels may be fractions, which take four bytes each instead of one.
    """
    dtype = np.float32 if soft else np.int8
    forward = tf.function(
        lambda inputs: tf.cast(model.pooled(inputs), tf.float32),
        reduce_retracing=True,
    )
    outputs = RowStore(model.backbone.hidden_dim, np.float32, folder, limit)
    labels = RowStore(model.layers[-1].units, dtype, folder, limit)
    n_done = n_reported = 0
    for inputs, batch_labels in batches:
        outputs.append(forward(inputs).numpy())
        labels.append(batch_labels.numpy().astype(dtype))
        n_done += len(batch_labels)
        if n_done - n_reported >= _TEXTS_BETWEEN_MESSAGES:
            n_reported = n_done
            PROGRESS.info("encoding every text once: %d done", n_done)
    return Pooled(outputs.to_array(), labels.to_array())


def groups_of_rows(
    n: int, batch_size: int, shuffle_seed: int | None, epochs: Iterator[int]
) -> Iterator[NDArray[np.int64]]:
    """Yield all row numbers once, in groups of whole batches except for one group with the remaining rows.

    Args:
        n: Number of rows.
        batch_size: Rows of a batch.
        shuffle_seed: Seed of the order; None keeps the order of the rows.
        epochs: Numbers of the epochs to come, of which one is taken if the order is random.
    """
    seed = None if shuffle_seed is None else (shuffle_seed, next(epochs))
    length = batch_size * _RUN_BATCHES
    starts = np.arange(math.ceil(n / length)) * length
    shuffle: Callable[[NDArray[np.int64]], NDArray[np.int64]] = lambda values: values  # noqa: E731
    if seed is not None:
        shuffle = np.random.default_rng(seed).permutation
    starts = shuffle(starts)
    for first in range(0, len(starts), _RUNS):
        runs = [np.arange(start, min(start + length, n)) for start in starts[first : first + _RUNS]]
        yield shuffle(np.concatenate(runs))
