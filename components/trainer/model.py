"""Classifier: an encoder with a multi-hot sigmoid head."""

from typing import Any

import keras
import keras_hub

from components.trainer.cpu import optimize_for_cpu
from components.trainer.windowed_classifier import WindowedClassifier


def build_classifier(backbone: Any, n_labels: int, dropout: float) -> Any:
    """Add the head to an encoder: pooled output -> dropout -> dense(n_labels), the logits.

    The dense kernel is initialized from a normal distribution with a standard deviation of 0.02, truncated at two of
    them, and the bias with zeros, as in google-research/bert's run_classifier.py.

    Args:
        backbone: Backbone from `components.checkpoints.backbone`.
        n_labels: Width of the head.
        dropout: Rate between the pooled output and the head.

    Returns:
        A `keras.Model` from {token_ids, padding_mask, segment_ids}, each int [n, length], to logits
        float32 [n, n_labels], whatever the encoder computes in.
    """
    model = keras_hub.models.BertTextClassifier(
        backbone, num_classes=n_labels, preprocessor=None, activation=None, dropout=dropout
    )
    # KerasHub gives the head the encoder's type. Three digits are enough inside an encoder, but not for a loss.
    for layer in (model.output_dropout, model.output_dense):
        layer.dtype_policy = "float32"
    optimize_for_cpu(model)
    return model


def plain_copy(model: Any) -> Any:
    """Copy a classifier into one with the same weights that computes in float32, without a distribution strategy.

    Args:
        model: Classifier from `build_classifier`, or a `WindowedClassifier` of one.

    Returns:
        Another classifier of the same kind.
    """
    if isinstance(model, WindowedClassifier):
        windowed = WindowedClassifier(plain_copy(model.classifier), model.windows, model.batch_size)
        windowed.set_weights(model.get_weights())
        return windowed
    backbone = type(model.backbone).from_config(model.backbone.get_config() | {"dtype": "float32"})
    # KerasHub's configuration lacks what `components.checkpoints.backbone` changes.
    for old, new in zip(model.backbone._flatten_layers(), backbone._flatten_layers(), strict=True):
        if isinstance(new, keras.layers.LayerNormalization):
            new.epsilon = old.epsilon
        elif isinstance(new, keras.layers.Dense):
            new.activation = old.activation
    copy = build_classifier(backbone, model.num_classes, model.dropout)
    copy.set_weights(model.get_weights())
    return copy
