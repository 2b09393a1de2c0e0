"""Callbacks of the training loop: progress messages, event files, and an end when the loss is not a number."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from components.common.progress import LASTING, PROGRESS
from components.trainer.loop.event_files import (
    BATCH_LOSS,
    EPOCH_LOSS,
    GRADIENT_NORM,
    LABEL_F1,
    LEARNING_RATE,
    MACRO_F1,
    TRAIN,
    VALIDATION,
    EventFiles,
    Notes,
    samples_table,
)
from components.trainer.loop.plan import Plan
from components.trainer.loop.resume import Progress

_POINTS, _MIN_BATCHES_BETWEEN_POINTS = 500, 20
_SECONDS_BETWEEN_MESSAGES = 2.0
_MAX_IDS = 64


class ReportProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback that logs the progress of the training, at most every two seconds, and the losses of each epoch.

    Args:
        total_steps: Maximum number of batches over all epochs.
        epochs: Maximum number of epochs.
        first_step: Number of batches before this training was resumed.
    """

    def __init__(self, total_steps: int, epochs: int, first_step: int = 0) -> None:
        super().__init__()
        self._total_steps = total_steps
        self._epochs = epochs
        self._first_step = self._step = first_step
        self._epoch = 0
        self._last_message = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._step += 1
        now = time.monotonic()
        if now - self._last_message < _SECONDS_BETWEEN_MESSAGES:
            return
        self._last_message = now
        done = self._step - self._first_step
        if done == 1:
            # The first step traces the graph, so the remaining time is estimated from the others.
            self._started = now
            return
        remaining = (now - self._started) / (done - 1) * (self._total_steps - self._step)
        PROGRESS.info(
            "epoch %d of %d, step %d of %d, loss %.4f, about %s left",
            self._epoch, self._epochs, self._step, self._total_steps, (logs or {})["loss"], _duration(remaining),
        )  # fmt: skip

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        losses = logs or {}
        logging.getLogger(__name__).info("epoch %d: %s", epoch + 1, losses)
        macro_f1 = f", eval macro F1 {losses['val_macro_f1']:.3f}" if "val_macro_f1" in losses else ""
        PROGRESS.info(
            "epoch %d of %d, loss %.4f, eval loss %.4f%s",
            epoch + 1, self._epochs, losses.get("loss", math.nan), losses.get("val_loss", math.nan), macro_f1,
            extra=LASTING,
        )  # fmt: skip


class StopOnNaN(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback that raises at the first loss that is not a number, so that no such model is exported.

    Args:
        first_step: Number of batches before this training was resumed.
        find_ids: Function from the number of a batch, from 0 over all epochs, to the ids of its examples; None if
            they cannot be found.
        learning_rate: Function from the number of a batch to its learning rate.
    """

    def __init__(
        self,
        learning_rate: Callable[[int], float],
        first_step: int = 0,
        find_ids: Callable[[int], Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        self._step = first_step
        self._find_ids = find_ids
        self._learning_rate = learning_rate

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._step += 1
        if math.isfinite((logs or {})["loss"]):
            return
        rows = "" if self._find_ids is None else f", rows {_join(self._find_ids(self._step - 1))}"
        rate = self._learning_rate(self._step - 1)
        raise FloatingPointError(
            f"the loss is not a number at step {self._step} (learning rate {rate:.2g}{rows}); "
            "lower training.learning_rate, or look at these rows"
        )


class WriteEvents(keras.callbacks.Callback):  # type: ignore[misc]
    """Callback that writes TensorBoard's event files, see `components.trainer.loop.event_files`.

    Numbers of batches are written every few batches, for which the loss is averaged: about 500 points a training, and
    at least 20 batches apart, so that a training of one dense layer is not slowed down either, and one at the end of an
    epoch.

    Args:
        log_dir: Folder of the files.
        plan: Number of epochs and batches.
        progress: Progress of the training, with the epochs before it was resumed.
        learning_rate: Function from the number of a batch, from 0 over all epochs, to its learning rate.
        gradient_norm: Function that returns the norm of the last update's gradient.
        notes: What else the files say.
        labels: Label names of the samples.
    """

    def __init__(
        self,
        log_dir: str,
        plan: Plan,
        progress: Progress,
        learning_rate: Callable[[int], float],
        gradient_norm: Callable[[], Any],
        notes: Notes,
        labels: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._log_dir, self._plan, self._progress = log_dir, plan, progress
        self._notes, self._labels = notes, labels
        self._learning_rate, self._gradient_norm = learning_rate, gradient_norm
        self._every = max(_MIN_BATCHES_BETWEEN_POINTS, plan.steps // _POINTS)
        self._since = (progress.loss, progress.examples)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._files = EventFiles(self._log_dir)
        self._files.write_start(self._notes.hyper_parameters)
        # TFX gives a training that is resumed a new folder.
        for epoch in range(len(self._progress.history.loss)):
            self._write_epoch(epoch)
        self._files.flush()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._since = (self._progress.loss, self._progress.examples)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        progress = self._progress
        if progress.step % self._every and batch + 1 < self._plan.batches:
            return
        loss, examples = self._since
        mean = (progress.loss - loss) / (progress.examples - examples)
        self._since = (progress.loss, progress.examples)
        values = {BATCH_LOSS: mean, LEARNING_RATE: self._learning_rate(progress.step - 1)}
        norm = self._gradient_norm()
        self._files.write_scalars(TRAIN, progress.step, values | ({} if norm is None else {GRADIENT_NORM: float(norm)}))

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        evaluation, scores = (logs or {})["evaluation"], (logs or {})["scores"]
        if scores is not None and self._notes.samples is not None:
            table = samples_table(
                self._notes.samples, self._labels, evaluation.labels, evaluation.probabilities, scores.thresholds
            )
            self._files.write_text("eval_texts", len(self._progress.history.loss) + 1, table)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._write_epoch(epoch)
        self._files.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        self._files.close()

    def _write_epoch(self, epoch: int) -> None:
        history = self._progress.history
        self._files.write_scalars(TRAIN, epoch + 1, {EPOCH_LOSS: history.loss[epoch]})
        values = {EPOCH_LOSS: history.val_loss[epoch]}
        if epoch < len(history.val_macro_f1):
            values[MACRO_F1] = history.val_macro_f1[epoch]
            values |= {f"{LABEL_F1}{label}": scores[epoch] for label, scores in history.val_f1.items()}
        self._files.write_scalars(VALIDATION, epoch + 1, values)


def _join(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MAX_IDS} more" if len(ids) > _MAX_IDS else ""
    return ", ".join(ids[:_MAX_IDS]) + more


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
