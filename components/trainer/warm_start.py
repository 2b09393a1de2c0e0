"""Warm start: initializing a model from the weights of a blessed one instead of those of the pretrained checkpoint.

Weights are read from the SavedModel in the registry: a second copy of them for this purpose would double what every
push copies and every server holds. Those of the encoder are used as they are, the columns of the head by label name, so
that a label may have moved, been renamed, or be new. A new label starts as it would without a warm start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the operations of the exported models' tokenizer

from components.baseline.shared_labels import match_outputs, missing_labels
from components.common.progress import PROGRESS
from components.registry import ModelRecord, differences
from components.trainer.serving_classifier import keras_weights
from components.trainer.settings import TrainerConfig, WarmStart
from components.trainer.windowed_classifier import WindowedClassifier, window_classifier
from components.trainer.windowed_serving import window_scores
from schema.errors import Refused


def start_from(model: Any, config: TrainerConfig, candidate: ModelRecord) -> bool:
    """Set the model's weights to those of `config.start`, or log why they stay as they are.

    Args:
        model: Classifier from `build_classifier`, or a `WindowedClassifier` of one, with a head that is initialized
            for all labels.
        config: Configuration with the version to start from, and the checkpoint that the model was read from.
        candidate: Record of the model; labels, retired, renamed, pooling and
            checkpoint_fingerprint are used.

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
    if record.pooling != candidate.pooling:
        raise Refused(
            f"{start.path} was trained with pooling {record.pooling}, and this one is with {candidate.pooling}"
        )
    classifier = window_classifier(model)
    *encoder, kernel, bias = classifier.weights
    old = _read_weights(start.path, classifier.backbone.num_heads)
    *old_encoder, old_kernel, old_bias = old.classifier
    if [tuple(weight.shape) for weight in encoder] != [weight.shape for weight in old_encoder]:
        raise Refused(f"{start.path} has an encoder of another architecture")
    outputs = match_outputs(record, candidate)
    columns = {candidate.labels.index(label): column for column, label in enumerate(outputs) if label is not None}
    classifier.set_weights([*old_encoder, *(_matched(each, was, columns) for each, was in (
        (kernel, old_kernel), (bias, old_bias)
    ))])  # fmt: skip
    if isinstance(model, WindowedClassifier) and model.head.scores is not None and old.window_scores is not None:
        model.head.scores.set_weights([_matched(model.head.scores.kernel, old.window_scores, columns)])
    return missing_labels(outputs, candidate)


def _matched(weight: Any, old: np.ndarray, columns: Mapping[int, int]) -> np.ndarray:
    """Return a weight with the columns of another one.

    Args:
        weight: [..., n_labels].
        old: Weight of the other model, [..., its number of labels].
        columns: The other model's column by column.
    """
    matched = np.array(weight)
    for column, old_column in columns.items():
        matched[..., column] = old[..., old_column]
    return matched


@dataclass(frozen=True)
class _Weights:
    """Weights of an exported model.

    Attributes:
        classifier: Those of its Keras classifier, in its order; the head's two are the last.
        window_scores: Kernel of the windows' scores; None if it has none.
    """

    classifier: list[np.ndarray]
    window_scores: np.ndarray | None


def _read_weights(model_dir: str, n_heads: int) -> _Weights:
    """Read the weights of an exported model.

    Raises:
        Refused: The model cannot be loaded or has no head.
    """
    try:
        exported = tf.saved_model.load(model_dir)
        variables = exported.signatures["serve_text"].variables
        weights = keras_weights(variables, n_heads)
        if weights is None:
            # An older export, whose graph was that of the Keras model. The seeds of its dropout layers are variables as
            # well, of an integer type.
            weights = [variable.numpy() for variable in exported.variables if variable.dtype.is_floating]
    except Exception as error:  # any failure means that there is nothing to start from
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise Refused(f"{model_dir} cannot be loaded: {reason}") from error
    if len(weights) < 2 or weights[-2].ndim != 2:
        raise Refused(f"{model_dir} has no head of its own")
    return _Weights(weights, window_scores(variables))
