"""Starting from a blessed model's weights in place of the pretrained checkpoint's.

They are read from the SavedModel in the registry: a second copy beside it, for this alone, would double what every push
copies and every server holds. The encoder's are taken as they are, the head's columns by label name, so that a label
may have moved, been renamed, or be new; a new one starts as any label does.
"""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - the exported models' tokenizer needs its operations

from components.baseline.shared_labels import lacking, outputs_in_terms_of
from components.common.progress import PROGRESS
from components.registry import ModelRecord
from components.trainer.settings import TrainerConfig, WarmStart
from schema.errors import Refused


def start_from(model: Any, config: TrainerConfig, candidate: ModelRecord) -> bool:
    """Sets the model's weights to those of `config.start`, and says so; or says why it stays as it is.

    Args:
        model: From `build_classifier`, its head initialised for all labels.
        config: What to start from, and the checkpoint that the model was read from.
        candidate: Whose labels, retired, renamed and checkpoint_fingerprint are the model's.

    Returns:
        Whether the model starts from the version.
    """
    if config.start is None:
        PROGRESS.info("starting from checkpoint %s: there is no blessed model yet", config.checkpoint)
        return False
    try:
        new = _copy(model, config.start, candidate)
    except Refused as refused:
        PROGRESS.info("starting from checkpoint %s: %s", config.checkpoint, refused)
        return False
    PROGRESS.info("starting from %s%s", config.start.path, f"; new labels: {', '.join(new)}" if new else "")
    return True


def _copy(model: Any, start: WarmStart, candidate: ModelRecord) -> list[str]:
    """Returns the labels whose part of the head stays as it was."""
    record = ModelRecord.read(start.path)
    if record.model_id != start.model_id:
        raise Refused(f"{start.path} is not the model any more that it was when the pipeline was built")
    if record.checkpoint_fingerprint is None:
        raise Refused(f"{start.path} was exported before models said which checkpoint's files they were made from")
    if record.checkpoint_fingerprint != candidate.checkpoint_fingerprint:
        # Other words have other ids there, whatever the shapes.
        raise Refused(f"{start.path} was made from another checkpoint, {record.checkpoint}")
    weights = _weights_of(start.path)
    *encoder, kernel, bias = model.weights
    *old_encoder, old_kernel, old_bias = weights
    if [tuple(weight.shape) for weight in encoder] != [weight.shape for weight in old_encoder]:
        raise Refused(f"{start.path} has an encoder of another architecture")
    outputs = outputs_in_terms_of(record, candidate)
    pairs = [(candidate.labels.index(label), place) for place, label in enumerate(outputs) if label is not None]
    new_kernel, new_bias = np.array(kernel), np.array(bias)
    for to, place in pairs:
        new_kernel[:, to], new_bias[to] = old_kernel[:, place], old_bias[place]
    model.set_weights([*old_encoder, new_kernel, new_bias])
    return lacking(outputs, candidate)


def _weights_of(model_dir: str) -> list[np.ndarray]:
    """Of an exported model, in the order of its Keras model's; at least the head's two."""
    try:
        variables = tf.saved_model.load(model_dir).variables
    except Exception as error:  # whatever it is, there is nothing to start from
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise Refused(f"{model_dir} cannot be loaded: {reason}") from error
    # The seeds of dropouts are variables too, and no weights.
    weights = [variable.numpy() for variable in variables if variable.dtype.is_floating]
    if len(weights) < 2 or weights[-2].ndim != 2:
        raise Refused(f"{model_dir} has no head of its own")
    return weights
