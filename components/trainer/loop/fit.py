"""Fitting a model on batches, and asking it about them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.common.progress import PROGRESS
from components.trainer.hardware import is_chief
from components.trainer.loop.callbacks import ReportProgress, StopOnNaN
from components.trainer.loop.fitting import Fitting, Plan, out_of_memory_in_one_line
from components.trainer.loop.resume import Interruption
from components.trainer.loop.steps import Steps, shared
from components.trainer.loop.trainable import rate_factors
from components.trainer.model import build_optimizer
from components.trainer.settings import TrainingSettings


def fit(
    model: Any,
    train: tf.data.Dataset,
    evaluation: tf.data.Dataset,
    settings: TrainingSettings,
    n_examples: int,
    log_dir: str,
    *,
    loss: keras.losses.Loss,
    interruption: Interruption | None = None,
    ids_of: Callable[[int], Sequence[str]] | None = None,
) -> None:
    """Fits the model in place and leaves it at the epoch with the lowest eval loss.

    Args:
        model: From `build_classifier`, or its `head_alone`; built under the strategy that it is to be fitted with.
        train: Batches for gradients; read again for each epoch.
        evaluation: Batches for early stopping.
        settings: The recipe.
        n_examples: Of the train split.
        log_dir: TensorBoard events and history.json go there.
        loss: From `multi_hot_loss`.
        interruption: Where to go on from, and where to keep what to go on from; None begins anew.
        ids_of: As `StopOnNaN` takes it.

    Raises:
        FloatingPointError: The loss is not a number.
        MemoryError: A step does not fit into memory.
    """
    plan = Plan.of(settings, n_examples)
    strategy = model.distribute_strategy
    with strategy.scope():
        model.compile(
            optimizer=build_optimizer(settings, plan.updates, rate_factors(model, settings.layer_decay)),
            loss=loss,
            metrics=[],
        )
    steps = Steps(model, model.loss, strategy, settings.accumulate, xla=settings.xla)
    callbacks: list[Any] = []
    fitting = Fitting(model, steps, plan, settings.patience, callbacks, interruption)
    done = fitting.progress.step
    if done:
        PROGRESS.info("resuming after step %d of %d", done, plan.steps)
    callbacks.append(StopOnNaN(done, ids_of))
    if is_chief(strategy):
        callbacks += [
            ReportProgress(plan.steps, plan.epochs, done),
            keras.callbacks.TensorBoard(log_dir=log_dir, update_freq=50, write_graph=False),
        ]
    for callback in callbacks:
        callback.set_model(model)
    # Pooled outputs, which a lone head is trained on, have no length.
    longest = model.backbone.max_sequence_length if settings.xla and settings.trainable != "head" else None
    with out_of_memory_in_one_line(settings.batch_size):
        # The order of an epoch depends on the seed and on how many went before: skipping leads to where it was.
        batches = iter(shared(train.repeat().skip(done), strategy, longest))
        fitting.run(batches, shared(evaluation, strategy, longest))
    if is_chief(strategy):
        Path(log_dir, "history.json").write_text(json.dumps(fitting.progress.history), encoding="utf-8")


def predict(model: Any, batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of all examples, each float32 [n, n_labels], in the order of the batches."""
    forward = tf.function(lambda inputs: tf.sigmoid(model(inputs, training=False)), reduce_retracing=True)
    pairs = [(forward(inputs).numpy(), labels.numpy()) for inputs, labels in batches]
    probabilities, labels = zip(*pairs, strict=True)
    return np.concatenate(probabilities), np.concatenate(labels)
