"""Fitting a model on batches, and predicting with it."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.common.progress import PROGRESS
from components.trainer.decisions.scores import Scorer
from components.trainer.loop.callbacks import ReportProgress, StopOnNaN, WriteEvents
from components.trainer.loop.distribution import is_chief
from components.trainer.loop.event_files import Notes
from components.trainer.loop.optimizer import WarmupLinearDecay, build_optimizer
from components.trainer.loop.parts import Parts
from components.trainer.loop.plan import Plan
from components.trainer.loop.resume import TrainingState
from components.trainer.loop.settings import LoopSettings
from components.trainer.loop.steps import Steps, share_batches
from components.trainer.loop.trainable import rate_factors
from components.trainer.loop.training_loop import TrainingLoop, explain_out_of_memory


def fit(
    model: Any,
    train: tf.data.Dataset,
    evaluation: tf.data.Dataset,
    settings: LoopSettings,
    n_examples: int,
    log_dir: str,
    *,
    loss: keras.losses.Loss,
    eval_loss: keras.losses.Loss | None = None,
    state: TrainingState | None = None,
    find_ids: Callable[[int], Sequence[str]] | None = None,
    scorer: Scorer | None = None,
    notes: Notes | None = None,
    parts: Parts | None = None,
) -> None:
    """Fit the model in place, to the weights of the best epoch.

    Args:
        model: Model from `build_classifier` or `head_alone`, built in the scope of the strategy that it is fitted with.
        train: Batches for gradients, iterated over once per epoch.
        evaluation: Batches for early stopping.
        settings: Recipe.
        n_examples: Number of examples of the train split.
        log_dir: Folder of TensorBoard events and history.json.
        loss: Loss from `multi_hot_loss`.
        eval_loss: Loss of the eval split; None if it is the same.
        state: Where the state is saved and restored from; None saves none.
        find_ids: Function from the number of a batch to the ids of its examples, see `StopOnNaN`.
        scorer: Function that scores the predictions on the eval split after each epoch, for history.json and
            `monitor: macro_f1`; None to leave that out.
        notes: What TensorBoard shows besides the numbers; None for nothing.
        parts: Division of batches whose gradient cannot be computed at once; None for none.

    Raises:
        FloatingPointError: The loss is not a number.
        MemoryError: A step does not fit in memory.
    """
    plan = Plan.of(settings, n_examples)
    strategy = model.distribute_strategy
    with strategy.scope():
        model.compile(
            optimizer=build_optimizer(settings, plan, rate_factors(model, settings.layer_decay)),
            loss=loss,
            metrics=[],
        )
    steps = Steps(model, model.loss, strategy, settings.accumulate, xla=settings.xla, eval_loss=eval_loss, parts=parts)
    loop = TrainingLoop(model, steps, plan, settings.patience, settings.monitor, state, scorer)
    done = loop.progress.step
    if done:
        PROGRESS.info("resuming after step %d of %d", done, plan.steps)
    schedule = WarmupLinearDecay(settings.peak_learning_rate, settings.warmup, plan.updates)

    def learning_rate(step: int) -> float:
        return schedule.at(plan.update_of(step))

    callbacks: list[Any] = [StopOnNaN(learning_rate, done, find_ids)]
    if is_chief(strategy):
        callbacks += [
            ReportProgress(plan.steps, plan.epochs, done),
            WriteEvents(
                log_dir, plan, loop.progress, learning_rate, lambda: steps.gradient_norm, notes or Notes(),
                scorer.labels if scorer else (),
            ),
        ]  # fmt: skip
    # Pooled outputs, on which the head alone is trained, have no length.
    max_length = model.backbone.max_sequence_length if settings.xla and settings.trainable != "head" else None
    with explain_out_of_memory(settings.batch_size):
        # The order of an epoch depends on the seed and the number of earlier epochs, so skipping leads to the position
        # at which the saved training stopped.
        batches = iter(share_batches(train.repeat().skip(done), strategy, max_length))
        loop.run(batches, share_batches(evaluation, strategy, max_length), callbacks)
    if is_chief(strategy):
        loop.progress.history.write(log_dir)


def predict(model: Any, batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Predict all examples of a dataset.

    Args:
        model: Model from `build_classifier` or `head_alone`.
        batches: Batches of (inputs, labels float32 [n, n_labels]).

    Returns:
        Probabilities and labels, each float32 [n, n_labels], in the order of the batches.
    """
    forward = tf.function(lambda inputs: tf.sigmoid(model(inputs, training=False)), reduce_retracing=True)
    pairs = [(forward(inputs).numpy(), labels.numpy()) for inputs, labels in batches]
    probabilities, labels = zip(*pairs, strict=True)
    return np.concatenate(probabilities), np.concatenate(labels)
