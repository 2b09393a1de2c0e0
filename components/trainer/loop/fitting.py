"""The loop over epochs and batches: what is to be done when, and nothing of how."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from components.trainer.loop.resume import Interruption, Progress
from components.trainer.loop.steps import Steps
from components.trainer.settings import TrainingSettings


@dataclass(frozen=True)
class Plan:
    """How long a training is.

    Attributes:
        epochs: At most.
        batches: Of an epoch.
        accumulate: Batches per update; an epoch's last update has what is left of them.
    """

    epochs: int
    batches: int
    accumulate: int

    @classmethod
    def of(cls, settings: TrainingSettings, n_examples: int) -> "Plan":
        batches = math.ceil(n_examples / settings.batch_size)
        if settings.max_steps is not None and settings.max_steps < settings.epochs * batches:
            # A trial run: one epoch of so many steps.
            return cls(1, settings.max_steps, settings.accumulate)
        return cls(settings.epochs, batches, settings.accumulate)

    @property
    def steps(self) -> int:
        """Batches in all."""
        return self.epochs * self.batches

    @property
    def updates(self) -> int:
        """What the learning rate is scheduled by."""
        return self.epochs * math.ceil(self.batches / self.accumulate)

    def ends_update(self, batch: int) -> bool:
        """Whether the weights change after an epoch's batch, the first being 0."""
        return (batch + 1) % self.accumulate == 0 or batch + 1 == self.batches


class Fitting:
    """A training under way.

    Args:
        model: Compiled.
        steps: Its steps.
        plan: How many.
        patience: Epochs without a lower eval loss before it ends.
        callbacks: Keras's, told of epochs and batches.
        interruption: Where its state is kept, if it is.
    """

    def __init__(
        self,
        model: Any,
        steps: Steps,
        plan: Plan,
        patience: int,
        callbacks: Sequence[Any],
        interruption: Interruption | None,
    ) -> None:
        self._model, self._steps, self._plan, self._patience = model, steps, plan, patience
        self._callbacks, self._interruption = callbacks, interruption
        self.progress = interruption.read(self._variables) if interruption else Progress()

    @property
    def _variables(self) -> list[Any]:
        # The seeds of the dropouts are among the model's.
        return [*self._model.variables, *self._model.optimizer.variables]

    def run(self, batches: Any, evaluation: Any) -> None:
        """Trains to the end, and leaves the model at its best epoch.

        Args:
            batches: An iterator over the shares of all epochs' batches, from the next one on.
            evaluation: The shares of the eval split, to be iterated over.
        """
        self._tell("on_train_begin")
        while self.progress.step < self._plan.steps and self.progress.waited < self._patience:
            epoch, first = divmod(self.progress.step, self._plan.batches)
            self._tell("on_epoch_begin", epoch)
            for batch in range(first, self._plan.batches):
                self._train_on(batches, batch)
            self._end_epoch(self._steps.evaluate(iter(evaluation)))
            self._tell("on_epoch_end", epoch, {name: values[-1] for name, values in self.progress.history.items()})
            self._keep()
        if self.progress.best:
            self._model.set_weights(self.progress.best)
        self._tell("on_train_end")

    def _train_on(self, batches: Any, batch: int) -> None:
        progress = self.progress
        self._tell("on_train_batch_begin", batch)
        updates = self._plan.ends_update(batch)
        loss, examples = self._steps.update(batches) if updates else self._steps.gather(batches)
        progress.step, progress.loss, progress.examples = (
            progress.step + 1,
            progress.loss + loss,
            progress.examples + examples,
        )
        self._tell("on_train_batch_end", batch, {"loss": progress.loss / progress.examples})
        # An epoch's end is kept with what came of it.
        if updates and batch + 1 < self._plan.batches:
            self._keep()

    def _end_epoch(self, eval_loss: float) -> None:
        progress, losses = self.progress, self.progress.history
        improves = not losses["val_loss"] or eval_loss < min(losses["val_loss"])
        losses["loss"].append(progress.loss / progress.examples)
        losses["val_loss"].append(eval_loss)
        progress.loss = progress.examples = 0.0
        progress.waited = 0 if improves else progress.waited + 1
        if improves:
            progress.best = self._model.get_weights()

    def _keep(self) -> None:
        if self._interruption:
            self._interruption.keep(self._variables, self.progress)

    def _tell(self, event: str, *arguments: Any) -> None:
        for callback in self._callbacks:
            getattr(callback, event)(*arguments)


@contextmanager
def out_of_memory_in_one_line(batch_size: int) -> Iterator[None]:
    """Says what to lower where TensorFlow lists its allocations over a hundred lines.

    Raises:
        MemoryError: TensorFlow or Python ran out of memory.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise MemoryError(
            f"a step on {batch_size} examples does not fit; lower training.batch_size (and raise training.accumulate "
            "as much, for the same updates) or max_tokens"
        ) from error
