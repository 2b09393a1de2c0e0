"""Warm start: initializing a model from the weights of a blessed one instead of those of the pretrained checkpoint.

Weights are read from the SavedModel in the registry: a second copy of them for this purpose would double what every
push copies and every server holds. Those of the encoder are used as they are, the columns of the head by label name, so
that a label may have moved, been renamed, or be new. A new label starts as it would without a warm start.
"""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the operations of the exported models' tokenizer

from components.baseline.shared_labels import match_outputs, missing_labels
from components.common.progress import PROGRESS
from components.registry import ModelRecord, differences
from components.trainer.serving_classifier import keras_weights
from components.trainer.settings import TrainerConfig, WarmStart
from schema.errors import Refused


def start_from(model: Any, config: TrainerConfig, candidate: ModelRecord) -> bool:
    """Set the model's weights to those of `config.start`, or log why they stay as they are.

    Args:
        model: Classifier from `build_classifier`, with a head that is initialized for all labels.
        config: Configuration with the version to start from, and the checkpoint that the model was read from.
        candidate: Record of the model; labels, retired, renamed and checkpoint_fingerprint are used.

    Returns:
        Whether the model starts from the version.
    """
    if config.start is None:
        PROGRESS.info("starting from checkpoint %s: there is no blessed model yet", config.checkpoint)
        return False
    try:
        new_labels = _copy_weights(model, config.start, candidate)
    except Refused as refused:
        PROGRESS.info("starting from checkpoint %s: %s", config.checkpoint, refused)
        return False
    suffix = f"; new labels: {', '.join(new_labels)}" if new_labels else ""
    PROGRESS.info("starting from %s%s", config.start.path, suffix)
    return True


def _copy_weights(model: Any, start: WarmStart, candidate: ModelRecord) -> list[str]:
    """Copy the weights of a version into a model and return the labels that it lacks.

    Raises:
        Refused: The version cannot be started from; the model is unchanged.
    """
    record = ModelRecord.read(start.path)
    if record.model_id != start.model_id:
        raise Refused(f"{start.path} has another model than when the pipeline was built")
    if found := differences(start.path, record):
        raise Refused(f"{start.path} is damaged: {found[0]}")
    if record.checkpoint_fingerprint is None:
        raise Refused(f"{start.path} was exported before models recorded the fingerprint of their checkpoint")
    if record.checkpoint_fingerprint != candidate.checkpoint_fingerprint:
        # Token ids may stand for other words, even if all shapes are equal.
        raise Refused(f"{start.path} was trained from another checkpoint, {record.checkpoint}")
    *encoder, kernel, bias = model.weights
    *old_encoder, old_kernel, old_bias = _read_weights(start.path, model.backbone.num_heads)
    if [tuple(weight.shape) for weight in encoder] != [weight.shape for weight in old_encoder]:
        raise Refused(f"{start.path} has an encoder of another architecture")
    outputs = match_outputs(record, candidate)
    new_kernel, new_bias = np.array(kernel), np.array(bias)
    for old_column, label in enumerate(outputs):
        if label is not None:
            column = candidate.labels.index(label)
            new_kernel[:, column], new_bias[column] = old_kernel[:, old_column], old_bias[old_column]
    model.set_weights([*old_encoder, new_kernel, new_bias])
    return missing_labels(outputs, candidate)


def _read_weights(model_dir: str, n_heads: int) -> list[np.ndarray]:
    """Read the weights of an exported model, in the order of its Keras model; the head's two are the last.

    Raises:
        Refused: The model cannot be loaded or has no head.
    """
    try:
        exported = tf.saved_model.load(model_dir)
        weights = keras_weights(exported.signatures["serve_text"].variables, n_heads)
        if weights is None:
            # An older export, whose graph was that of the Keras model. The seeds of its dropout layers are variables as
            # well, of an integer type.
            weights = [variable.numpy() for variable in exported.variables if variable.dtype.is_floating]
    except Exception as error:  # any failure means that there is nothing to start from
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise Refused(f"{model_dir} cannot be loaded: {reason}") from error
    if len(weights) < 2 or weights[-2].ndim != 2:
        raise Refused(f"{model_dir} has no head of its own")
    return weights
