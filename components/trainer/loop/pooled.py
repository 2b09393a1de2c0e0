"""Training the head alone: the encoder reads each text once, and its pooled outputs are what every epoch is over.

Equal to training the whole model with a frozen encoder in inference mode, at the cost of one dense layer: the head's
own layers are trained, so the whole model has the trained head at the end.
"""

import itertools
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import DTypeLike, NDArray

from components.common.files import is_remote
from components.common.progress import PROGRESS
from components.trainer.settings import TrainingSettings

# More bytes than this are kept in a file: 1.4 million rows of 384 values fit, of BERT-Base's 768 half as many.
MEMORY_LIMIT = 2 << 30
# Rows that are shuffled together, in runs that lie together on the disk.
_RUNS, _RUN_BATCHES = 64, 32
_TEXTS_BETWEEN_MESSAGES = 2_000


@dataclass(frozen=True)
class Pooled:
    """What the head sees of a split.

    Attributes:
        outputs: float32 [n, hidden], in memory or mapped.
        labels: uint8 [n, n_labels], likewise.
    """

    outputs: NDArray[np.float32]
    labels: NDArray[np.uint8]

    def batches(self, batch_size: int, shuffle_seed: int | None = None) -> tf.data.Dataset:
        """Batches of (float32 [b, hidden], float32 [b, n_labels]); ceil(n / batch_size) of them in every epoch.

        Up to 2,048 batches of rows are shuffled at once. Larger splits are shuffled in runs of 32 batches of rows, of
        which 64 at a time are mixed: a mapped file is then read in long pieces, not row by row, and the rows of a run
        are random already, if the batches that they came from were.

        Args:
            batch_size: Examples per batch.
            shuffle_seed: Seed of the order, which differs in every epoch; None keeps the rows' order.
        """
        epochs = itertools.count()

        def groups() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
            seed = None if shuffle_seed is None else (shuffle_seed, next(epochs))
            for rows in _groups(len(self.outputs), batch_size, seed):
                yield self.outputs[rows], self.labels[rows].astype(np.float32)

        signature = tuple(tf.TensorSpec([None, part.shape[1]], tf.float32) for part in (self.outputs, self.labels))
        return (
            tf.data.Dataset.from_generator(groups, output_signature=signature)
            .flat_map(lambda *group: tf.data.Dataset.from_tensor_slices(group).batch(batch_size))
            .prefetch(tf.data.AUTOTUNE)
        )


def head_alone(model: Any) -> Any:
    """A `keras.Model` from pooled outputs float [n, hidden] to logits float [n, n_labels]: the model's last layers."""
    pooled = keras.Input([model.backbone.hidden_dim], dtype="float32", name="pooled_output")
    return keras.Model(pooled, model.output_dense(model.output_dropout(pooled)), name="head")


def head_over_pooled(
    model: Any, train: tf.data.Dataset, evaluation: tf.data.Dataset, settings: TrainingSettings, folder: str
) -> tuple[Any, tf.data.Dataset, tf.data.Dataset]:
    """The head alone, and batches of pooled outputs in place of those of tokens.

    Args:
        model: From `build_classifier`.
        train: Of (encoder inputs, labels), in a random order.
        evaluation: Likewise, in any order.
        settings: The recipe; of a trial's `max_steps`, only so many batches are encoded.
        folder: As `encode` takes it.
    """
    if settings.max_steps is not None:
        train = train.take(settings.max_steps)
    return (
        head_alone(model),
        encode(model, train, folder).batches(settings.batch_size, settings.seed),
        encode(model, evaluation, folder).batches(settings.batch_size),
    )


def encode(model: Any, batches: tf.data.Dataset, folder: str, *, limit: int = MEMORY_LIMIT) -> Pooled:
    """Runs the encoder once over every text, without gradients or dropout.

    Args:
        model: From `build_classifier`.
        batches: Of (encoder inputs, labels float32 [n, n_labels] of 0 and 1); their order is kept.
        folder: Outputs of more than `limit` bytes go to a file in it, which is gone when the process ends.
        limit: Bytes that are kept in memory.
    """
    forward = tf.function(
        lambda inputs: tf.cast(model.backbone(inputs, training=False)["pooled_output"], tf.float32),
        reduce_retracing=True,
    )
    outputs = _Rows(model.backbone.hidden_dim, np.float32, folder, limit)
    labels = _Rows(model.layers[-1].units, np.uint8, folder, limit)
    done = reported = 0
    for inputs, given in batches:
        outputs.append(forward(inputs).numpy())
        labels.append(given.numpy().astype(np.uint8))
        done += len(given)
        if done - reported >= _TEXTS_BETWEEN_MESSAGES:
            reported = done
            PROGRESS.info("encoding every text once: %d done", done)
    return Pooled(outputs.finished(), labels.finished())


def _groups(n: int, batch_size: int, seed: tuple[int, int] | None) -> Iterator[NDArray[np.int64]]:
    """Row numbers, each once, in groups that are whole batches but for the last rows of one of them."""
    length = batch_size * _RUN_BATCHES
    starts = np.arange(math.ceil(n / length)) * length
    shuffled: Callable[[NDArray[np.int64]], NDArray[np.int64]] = lambda values: values  # noqa: E731
    if seed is not None:
        shuffled = np.random.default_rng(seed).permutation
    starts = shuffled(starts)
    for first in range(0, len(starts), _RUNS):
        runs = [np.arange(start, min(start + length, n)) for start in starts[first : first + _RUNS]]
        yield shuffled(np.concatenate(runs))


class _Rows:
    """Rows of one width and type, in memory up to a limit and then in a file."""

    def __init__(self, width: int, dtype: DTypeLike, folder: str, limit: int) -> None:
        self._width = width
        self._dtype = np.dtype(dtype)
        self._folder = folder
        self._limit = limit
        self._kept: list[NDArray[Any]] = []
        self._bytes = 0
        self._file: BinaryIO | None = None

    def append(self, rows: NDArray[Any]) -> None:
        self._bytes += rows.nbytes
        self._kept.append(rows)
        if self._file is None and self._bytes > self._limit:
            self._file = _nameless_file(self._folder)
        if self._file is not None:
            for part in self._kept:
                self._file.write(np.ascontiguousarray(part, self._dtype).tobytes())
            self._kept.clear()

    def finished(self) -> NDArray[Any]:
        """All rows, [n, width]."""
        if self._file is None:
            return np.concatenate([np.empty([0, self._width], self._dtype), *self._kept])
        with self._file as file:
            file.flush()
            n = os.fstat(file.fileno()).st_size // (self._width * self._dtype.itemsize)
            # The map outlives the file object; nothing has the file's name, so nothing is left of it after a crash.
            return np.memmap(file, self._dtype, mode="r", shape=(n, self._width))


def _nameless_file(folder: str) -> BinaryIO:
    if is_remote(folder):
        return tempfile.TemporaryFile()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)
