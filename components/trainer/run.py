"""The Trainer's `run_fn`: fit on the train split, choose thresholds on the eval split, export."""

import hashlib
import json
import math
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.preprocessing.features import SEGMENT_IDS
from components.progress import PROGRESS
from components.registry import ModelRecord, write_record
from components.trainer.callbacks import ReportProgress, StopOnNaN
from components.trainer.checkpoint import find_checkpoint, load_backbone
from components.trainer.decisions import decide
from components.trainer.export import export_classifier
from components.trainer.input_pipeline import count_labels, length_grouped_batches
from components.trainer.losses import multi_hot_loss, prior_bias
from components.trainer.model import build_classifier, build_optimizer
from components.trainer.pooled import head_over_pooled
from components.trainer.settings import TrainerConfig, TrainingSettings
from components.trainer.trainable import freeze, rate_factors
from schema.label_list import label_list, read_schema

_PACKAGES = ("tfx", "tensorflow", "tensorflow-text", "keras", "keras-hub")


def run_fn(fn_args: FnArgs) -> None:
    """What TFX's Trainer calls.

    Raises:
        Refused: The checkpoint cannot be used.
        FloatingPointError: The loss is not a number; nothing is exported.
    """
    config = TrainerConfig.model_validate(fn_args.custom_config["trainer"])
    settings = config.training
    keras.utils.set_random_seed(settings.seed)
    transform = tft.TFTransformOutput(fn_args.transform_output)
    places = label_list(read_schema(fn_args.schema_path))
    labels, retired = places.names, places.retired_columns

    checkpoint = find_checkpoint(config.checkpoint)
    PROGRESS.info("reading checkpoint %s", config.checkpoint)
    model = build_classifier(load_backbone(checkpoint), len(labels), settings.dropout)
    freeze(model, settings.trainable)
    pair = SEGMENT_IDS in transform.transformed_feature_spec()
    counts = count_labels(fn_args.train_files, len(labels))
    train = length_grouped_batches(
        fn_args.train_files,
        len(labels),
        settings.batch_size,
        pair=pair,
        shuffle_seed=settings.seed,
        n_examples=counts.examples,
    )
    evaluation = length_grouped_batches(fn_args.eval_files, len(labels), settings.batch_size, pair=pair)
    if settings.head_bias == "prior":
        model.layers[-1].bias.assign(prior_bias(counts, settings.loss))
    fitted = model
    if settings.trainable == "head":
        fitted, train, evaluation = head_over_pooled(model, train, evaluation, settings, fn_args.model_run_dir)
    loss = multi_hot_loss(retired, settings.loss, counts, settings.label_smoothing)
    fit(fitted, train, evaluation, settings, counts.examples, fn_args.model_run_dir, loss=loss)

    PROGRESS.info("choosing thresholds on the eval split")
    decisions = decide(model, *predict(fitted, evaluation), labels, settings, fn_args.model_run_dir, retired)
    PROGRESS.info("exporting")
    export_classifier(model, transform, labels, decisions.thresholds, fn_args.serving_model_dir, retired=retired)
    record = ModelRecord(
        model_id=_directory_digest(Path(fn_args.serving_model_dir)),
        labels=list(labels),
        thresholds=[float(threshold) for threshold in decisions.thresholds],
        checkpoint=config.checkpoint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={package: version(package) for package in _PACKAGES},
        retired=[label for label in labels if label in places.retired],
        renamed=dict(places.aliases),
        calibration=decisions.calibration,
    )
    write_record(fn_args.serving_model_dir, record)


def fit(
    model: Any,
    train: tf.data.Dataset,
    evaluation: tf.data.Dataset,
    settings: TrainingSettings,
    n_examples: int,
    log_dir: str,
    *,
    loss: keras.losses.Loss,
) -> None:
    """Fits the model in place and leaves it at the epoch with the lowest eval loss.

    Args:
        model: From `build_classifier`, or its `head_alone`.
        train: Batches for gradients.
        evaluation: Batches for early stopping.
        settings: The recipe.
        n_examples: Of the train split.
        log_dir: TensorBoard events and history.json go there.
        loss: From `multi_hot_loss`.
    """
    epochs = settings.epochs
    total_steps = epochs * math.ceil(n_examples / settings.batch_size)
    if settings.max_steps is not None and settings.max_steps < total_steps:
        # A trial run: one epoch of so many steps.
        epochs, total_steps = 1, settings.max_steps
        train = train.repeat().take(total_steps)
    model.compile(
        optimizer=build_optimizer(settings, total_steps, rate_factors(model, settings.layer_decay)),
        loss=loss,
        metrics=[],
        # A batch has its own length, and XLA would compile for each.
        jit_compile=False,
    )
    history = model.fit(
        train,
        validation_data=evaluation,
        epochs=epochs,
        verbose=0,
        callbacks=[
            ReportProgress(total_steps, epochs),
            StopOnNaN(),
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=settings.patience, restore_best_weights=True, start_from_epoch=0
            ),
            keras.callbacks.TensorBoard(log_dir=log_dir, update_freq=50, write_graph=False),
        ],
    )
    Path(log_dir, "history.json").write_text(json.dumps(history.history), encoding="utf-8")


def predict(model: Any, batches: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of all examples, each float32 [n, n_labels], in the order of the batches."""
    forward = tf.function(lambda inputs: tf.sigmoid(model(inputs, training=False)), reduce_retracing=True)
    pairs = [(forward(inputs).numpy(), labels.numpy()) for inputs, labels in batches]
    probabilities, labels = zip(*pairs, strict=True)
    return np.concatenate(probabilities), np.concatenate(labels)


def _directory_digest(directory: Path) -> str:
    """SHA-256 over the names and contents of all files of the export: two models are one if and only if it is equal."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        digest.update(path.relative_to(directory).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
