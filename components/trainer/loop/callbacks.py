"""Callbacks of the training loop: progress messages, and an end to training when the loss is not a number."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from components.common.progress import LASTING, PROGRESS

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
    """

    def __init__(self, first_step: int = 0, find_ids: Callable[[int], Sequence[str]] | None = None) -> None:
        super().__init__()
        self._step = first_step
        self._find_ids = find_ids
        self._learning_rate: Any = math.nan

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        # Read before the update, which advances the schedule.
        self._learning_rate = self.model.optimizer.learning_rate

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        self._step += 1
        if math.isfinite((logs or {})["loss"]):
            return
        rows = "" if self._find_ids is None else f", rows {_join(self._find_ids(self._step - 1))}"
        raise FloatingPointError(
            f"the loss is not a number at step {self._step} (learning rate {float(self._learning_rate):.2g}{rows}); "
            "lower training.learning_rate, or look at these rows"
        )


def _join(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _MAX_IDS} more" if len(ids) > _MAX_IDS else ""
    return ", ".join(ids[:_MAX_IDS]) + more


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
