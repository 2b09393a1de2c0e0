"""The loop over epochs and batches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from components.trainer.decisions.scores import Scorer
from components.trainer.loop.plan import Plan
from components.trainer.loop.resume import Progress, TrainingState
from components.trainer.loop.settings import Monitor
from components.trainer.loop.steps import Evaluation, Steps


class TrainingLoop:
    """A training in progress.

    Args:
        model: Compiled model.
        steps: Steps of the model.
        plan: Number of epochs and batches.
        patience: Epochs without a better one after which the training ends.
        monitor: What decides which epoch is better.
        state: Where the state is saved and restored from; None saves none.
        scorer: Function that scores the predictions on the eval split after each epoch, which `macro_f1` needs; None to
            leave that out.

    Attributes:
        progress: How far the training is.
    """

    def __init__(
        self,
        model: Any,
        steps: Steps,
        plan: Plan,
        patience: int,
        monitor: Monitor,
        state: TrainingState | None,
        scorer: Scorer | None = None,
    ) -> None:
        self._model, self._steps, self._plan, self._patience = model, steps, plan, patience
        self._callbacks: Sequence[Any] = ()
        self._state, self._scorer = state, scorer
        self.progress = state.restore(self._variables) if state else Progress()
        self.progress.history = self.progress.history.model_copy(update={"monitor": monitor})

    @property
    def _variables(self) -> list[Any]:
        # The model's include the seeds of its dropout layers.
        return [*self._model.variables, *self._model.optimizer.variables]

    def run(self, batches: Any, evaluation: Any, callbacks: Sequence[Any]) -> None:
        """Train to the end and set the weights of the best epoch.

        Args:
            batches: Iterator over the shares of the batches of all epochs that remain.
            evaluation: Iterable over the shares of the eval split.
            callbacks: Keras callbacks.
        """
        self._callbacks = callbacks
        for callback in callbacks:
            callback.set_model(self._model)
        self._notify("on_train_begin")
        while self.progress.step < self._plan.steps and self.progress.waited < self._patience:
            epoch, first = divmod(self.progress.step, self._plan.batches)
            self._notify("on_epoch_begin", epoch)
            for batch in range(first, self._plan.batches):
                self._train_on(batches, batch)
            with averaged(self._model):
                self._end_epoch(self._steps.evaluate(iter(evaluation)))
            self._notify("on_epoch_end", epoch, self.progress.history.last_epoch())
            self._save_if_due()
        if self.progress.best:
            self._model.set_weights(self.progress.best)
        self._notify("on_train_end")

    def _train_on(self, batches: Any, batch: int) -> None:
        progress = self.progress
        self._notify("on_train_batch_begin", batch)
        ends_update = self._plan.ends_update(batch)
        loss, examples = self._steps.update(batches) if ends_update else self._steps.accumulate(batches)
        progress.step += 1
        progress.loss += loss
        progress.examples += examples
        self._notify("on_train_batch_end", batch, {"loss": progress.loss / progress.examples})
        # The state after an epoch's last batch is saved with the epoch's results.
        if ends_update and batch + 1 < self._plan.batches:
            self._save_if_due()

    def _end_epoch(self, evaluation: Evaluation) -> None:
        progress, eval_loss = self.progress, evaluation.loss
        scores = self._scorer(evaluation.probabilities, evaluation.labels) if self._scorer else None
        self._notify("on_test_end", {"evaluation": evaluation, "scores": scores})
        progress.history = progress.history.with_epoch(progress.loss / progress.examples, eval_loss, scores)
        is_better = progress.history.best_epoch == len(progress.history.loss)
        progress.loss = progress.examples = 0.0
        progress.waited = 0 if is_better else progress.waited + 1
        if is_better:
            progress.best = self._model.get_weights()

    def _save_if_due(self) -> None:
        if self._state:
            self._state.save_if_due(self._variables, self.progress)

    def _notify(self, event: str, *arguments: Any) -> None:
        for callback in self._callbacks:
            getattr(callback, event)(*arguments)


@contextmanager
def averaged(model: Any) -> Iterator[None]:
    """Give a model the moving average of its weights, if its optimizer keeps one, within this context.

    Args:
        model: Compiled model.
    """
    if not model.optimizer.use_ema:
        yield
        return
    weights = model.trainable_variables
    latest = [np.asarray(weight) for weight in weights]
    for weight, average in zip(weights, model.optimizer.averages(), strict=True):
        weight.assign(average)
    yield
    for weight, value in zip(weights, latest, strict=True):
        weight.assign(value)


@contextmanager
def explain_out_of_memory(batch_size: int) -> Iterator[None]:
    """Replace TensorFlow's list of allocations, a hundred lines, by one line that names the setting to lower.

    Raises:
        MemoryError: TensorFlow or Python ran out of memory.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise MemoryError(
            f"a training step on {batch_size} examples does not fit in memory; lower training.batch_size (and raise "
            "training.accumulate as much, for the same updates) or max_tokens"
        ) from error
