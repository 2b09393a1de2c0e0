"""Out-of-fold probabilities: each example is judged by a head that saw neither it nor its copies and its group."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.common.progress import PROGRESS
from components.trainer.loop.fit import fit
from components.trainer.loop.label_counts import LabelCounts
from components.trainer.loop.losses import multi_hot_loss, prior_bias
from components.trainer.loop.pooled import Pooled
from components.trainer.loop.settings import LoopSettings

_DROPOUT = 0.1
_PREDICTED_AT_ONCE = 8_192
_LEAST_BATCH, _LARGEST_BATCH, _BATCHES = 8, 256, 100


def out_of_fold_probabilities(
    train: Pooled, evaluation: Pooled, fold_of: NDArray[np.int64], retired: tuple[int, ...], folder: str
) -> NDArray[np.float32]:
    """Train a head for each fold on all other folds, and return what it says of the fold.

    The heads are trained with the plain loss, whatever the run was trained with, since others change what
    probabilities mean; each until the loss on the eval split no longer falls, for six epochs at most.

    Args:
        train: Feature vectors and labels of the train split.
        evaluation: Those of the eval split.
        fold_of: Fold of each example of the train split, [n].
        retired: Columns of retired labels.
        folder: Folder for logs, which are not needed afterwards.

    Returns:
        float32 [n, n_labels].
    """
    probabilities = np.zeros(train.labels.shape, np.float32)
    folds = int(fold_of.max()) + 1
    for fold in range(folds):
        PROGRESS.info("fold %d of %d", fold + 1, folds)
        held_out = np.flatnonzero(fold_of == fold)
        rest = Pooled(train.outputs, train.labels, np.flatnonzero(fold_of != fold))
        head = _train(rest, evaluation, retired, f"{folder}/{fold}")
        for start in range(0, len(held_out), _PREDICTED_AT_ONCE):
            rows = held_out[start : start + _PREDICTED_AT_ONCE]
            probabilities[rows] = tf.sigmoid(head(train.outputs[rows], training=False)).numpy()
    return probabilities


def _train(train: Pooled, evaluation: Pooled, retired: tuple[int, ...], folder: str) -> Any:
    # At least a hundred batches per epoch, if there are enough examples: fewer updates would learn nothing.
    batch_size = min(_LARGEST_BATCH, max(_LEAST_BATCH, len(train) // _BATCHES))
    settings = LoopSettings(trainable="head", epochs=6, batch_size=batch_size, learning_rate=1e-2)
    keras.utils.set_random_seed(settings.seed)
    counts = _count(train)
    head = _build_head(train.outputs.shape[1], prior_bias(counts, settings.loss))
    fit(
        head, train.batches(batch_size, settings.seed), evaluation.batches(_LARGEST_BATCH), settings, len(train),
        folder, loss=multi_hot_loss(retired, settings.loss, counts, known_per_example=_known(counts, retired)),
        eval_loss=multi_hot_loss(retired, settings.loss, counts, known_per_example=_known(_count(evaluation), retired)),
    )  # fmt: skip
    return head


def _count(train: Pooled) -> LabelCounts:
    rows = np.arange(len(train)) if train.rows is None else train.rows
    positives, unknown = np.zeros(train.labels.shape[1]), np.zeros(train.labels.shape[1])
    for start in range(0, len(rows), _PREDICTED_AT_ONCE):
        labels = train.labels[rows[start : start + _PREDICTED_AT_ONCE]]
        positives += np.maximum(labels, 0).sum(axis=0, dtype=np.float64)
        unknown += (labels < 0).sum(axis=0)
    return LabelCounts(len(rows), positives, unknown)


def _known(counts: LabelCounts, retired: tuple[int, ...]) -> float | None:
    """Return the mean number of known labels of an example, which the loss needs; None if all are known."""
    return (counts.without(retired).known_per_example or 1.0) if counts.has_unknown else None


def _build_head(width: int, bias: NDArray[np.float64]) -> Any:
    vectors = keras.Input([width], dtype="float32")
    dense = keras.layers.Dense(
        len(bias), kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02), dtype="float32"
    )
    head = keras.Model(vectors, dense(keras.layers.Dropout(_DROPOUT)(vectors)))
    dense.bias.assign(bias)
    return head
