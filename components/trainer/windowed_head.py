"""Training the head alone on texts in windows: the encoder reads each window once, as in `loop.pooled`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.common.progress import PROGRESS
from components.trainer.loop.pooled import groups_of_rows
from components.trainer.loop.row_store import MEMORY_LIMIT, RowStore
from components.trainer.loop.settings import LoopSettings
from components.trainer.windowed_classifier import WindowedClassifier

_WINDOWS_BETWEEN_MESSAGES = 2_000


@dataclass(frozen=True)
class PooledWindows:
    """Pooled outputs of a split's windows, and labels of its texts.

    Attributes:
        outputs: float32 [n_windows, hidden], in memory or memory-mapped; the windows of a text follow one another.
        ends: Index after the last window of each text, int64 [n].
        labels: int8 [n, n_labels], or float32 of soft labels, in memory or memory-mapped; -1 where unknown.
    """

    outputs: NDArray[np.float32]
    ends: NDArray[np.int64]
    labels: NDArray[Any]

    def batches(self, batch_size: int, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Return a dataset of ceil(n / batch_size) batches per epoch, shuffled as `Pooled.batches` shuffles.

        Args:
            batch_size: Texts per batch.
            shuffle_seed: Seed of the order, which differs in every epoch; None keeps the order of the texts.

        Returns:
            Dataset of ({pooled: float32 [b, most_windows, hidden], counts: int64 [b]}, float32 [b, n_labels]); the
            windows of a text are followed by zeros.
        """
        signature = (
            {
                "pooled": tf.TensorSpec([None, None, self.outputs.shape[1]], tf.float32),
                "counts": tf.TensorSpec([None], tf.int64),
            },
            tf.TensorSpec([None, self.labels.shape[1]], tf.float32),
        )

        def rows_of_batches() -> Iterator[NDArray[np.int64]]:
            for group in groups_of_rows(len(self.ends), batch_size, shuffle_seed, epochs):
                yield from (group[start : start + batch_size] for start in range(0, len(group), batch_size))

        epochs = iter(range(1 << 62))
        return tf.data.Dataset.from_generator(
            lambda: map(self._batch, rows_of_batches()), output_signature=signature
        ).prefetch(tf.data.AUTOTUNE)

    def _batch(self, rows: NDArray[np.int64]) -> tuple[dict[str, NDArray[Any]], NDArray[np.float32]]:
        starts = np.where(rows > 0, self.ends[rows - 1], 0)
        counts = self.ends[rows] - starts
        pooled = np.zeros((len(rows), counts.max(), self.outputs.shape[1]), np.float32)
        for place, start, count in zip(pooled, starts, counts, strict=True):
            place[:count] = self.outputs[start : start + count]
        return {"pooled": pooled, "counts": counts}, self.labels[rows].astype(np.float32)


class WindowedHeadAlone(keras.Model):  # type: ignore[misc]
    """Model of a windowed classifier's last layers, from batches of `PooledWindows` to logits.

    Args:
        model: Classifier, whose head is trained with this model.
    """

    def __init__(self, model: WindowedClassifier) -> None:
        super().__init__(name="head", dtype="float32")
        self.head = model.head
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Compute logits, float32 [n, n_labels]."""
        windows = tf.RaggedTensor.from_tensor(inputs["pooled"], inputs["counts"])
        return self.head(windows.values, windows.value_rowids(), training=training)


def windowed_head_over_pooled(
    model: WindowedClassifier,
    train: tf.data.Dataset,
    evaluation: tf.data.Dataset,
    settings: LoopSettings,
    folder: str,
    *,
    soft: bool = False,
) -> tuple[Any, tf.data.Dataset, tf.data.Dataset]:
    """Build the head alone, and the batches of pooled outputs that it is trained on, as `head_over_pooled` does.

    Args:
        model: Classifier.
        train: Batches of (encoder inputs, labels), in a random order.
        evaluation: Batches of (encoder inputs, labels), in any order.
        settings: Recipe; with `max_steps`, no more batches of train than that are encoded.
        folder: Folder for `encode_windows`.
        soft: Whether labels may be fractions.

    Returns:
        Head, train batches and eval batches.
    """
    if settings.max_steps is not None:
        train = train.take(settings.max_steps)
    return (
        WindowedHeadAlone(model),
        encode_windows(model, train, folder, soft=soft).batches(settings.batch_size, settings.seed),
        encode_windows(model, evaluation, folder, soft=soft).batches(settings.batch_size),
    )


def encode_windows(
    model: WindowedClassifier, batches: tf.data.Dataset, folder: str, *, limit: int = MEMORY_LIMIT, soft: bool = False
) -> PooledWindows:
    """Run the encoder once over every window, without gradients and dropout.

    Args:
        model: Classifier.
        batches: Batches of (encoder inputs, labels float32 [n, n_labels] of 0, 1 and -1), whose order is kept.
        folder: Folder of a temporary file for outputs of more than `limit` bytes; it vanishes with the process.
        limit: Bytes that are kept in memory.
        soft: Whether labels may be fractions, which take four bytes each instead of one.
    """
    dtype = np.float32 if soft else np.int8

    def encode(inputs: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        return model.encode(model.cut(inputs)[0]), model.count(inputs)

    forward = tf.function(encode, reduce_retracing=True)
    outputs = RowStore(model.backbone.hidden_dim, np.float32, folder, limit)
    labels = RowStore(model.output_dense.units, dtype, folder, limit)
    counts: list[NDArray[np.int64]] = []
    n_done = n_reported = 0
    for inputs, batch_labels in batches:
        pooled, batch_counts = forward(inputs)
        outputs.append(pooled.numpy())
        labels.append(batch_labels.numpy().astype(dtype))
        counts.append(batch_counts.numpy().astype(np.int64))
        n_done += len(pooled)
        if n_done - n_reported >= _WINDOWS_BETWEEN_MESSAGES:
            n_reported = n_done
            PROGRESS.info("encoding every window of every text once: %d done", n_done)
    ends = np.cumsum(np.concatenate([np.zeros(0, np.int64), *counts]))
    return PooledWindows(outputs.to_array(), ends, labels.to_array())
