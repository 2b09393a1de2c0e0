"""Classifier: an encoder with a multi-hot sigmoid head."""

from typing import Any

import keras
import tensorflow as tf

from components.checkpoints.pooling import Pooling
from components.trainer.cpu import optimize_for_cpu
from components.trainer.pooling import Pool
from components.trainer.windowed_classifier import WindowedClassifier


class Classifier(keras.Model):  # type: ignore[misc]
    """Encoder, pooling, dropout and the head, as `build_classifier` describes them.

    Attributes:
        backbone: The encoder.
        pooling: How one vector is made of the outputs of a text's tokens.
        pool: Layer that does it; None for cls, which is the pooler of the encoder.
        output_dropout: Dropout layer before the head.
        output_dense: The head.
        num_classes: Width of the head.
        dropout: Rate of the dropout.
    """

    def __init__(self, backbone: Any, n_labels: int, dropout: float, pooling: Pooling) -> None:
        # === Layers ===
        # Three digits are enough inside an encoder, but not for a loss, so the rest is float32.
        self.backbone = backbone
        self.pool = None if pooling == "cls" else Pool(pooling, dtype="float32", name="pool")
        self.output_dropout = keras.layers.Dropout(dropout, dtype="float32", name="classifier_dropout")
        self.output_dense = keras.layers.Dense(
            n_labels, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02), dtype="float32", name="logits"
        )

        # === Functional Model ===
        outputs = backbone(backbone.input)
        if self.pool is None:
            pooled = outputs["pooled_output"]
        else:
            pooled = self.pool(outputs["sequence_output"], backbone.input["padding_mask"])
        super().__init__(inputs=backbone.input, outputs=self.output_dense(self.output_dropout(pooled)))

        # === Config ===
        self.num_classes = n_labels
        self.dropout = dropout
        self.pooling: Pooling = pooling

    def pooled(self, inputs: dict[str, tf.Tensor], *, training: bool = False) -> tf.Tensor:
        """Compute what the head reads, float [n, hidden].

        Args:
            inputs: {token_ids, padding_mask, segment_ids}, each int [n, length].
            training: Whether to apply dropout.
        """
        outputs = self.backbone(inputs, training=training)
        if self.pool is None:
            return outputs["pooled_output"]
        return self.pool(outputs["sequence_output"], inputs["padding_mask"])


def build_classifier(backbone: Any, n_labels: int, dropout: float, pooling: Pooling = "cls") -> Classifier:
    """Add the head to an encoder: pooled output -> dropout -> dense(n_labels), the logits.

    The dense kernel is initialized from a normal distribution with a standard deviation of 0.02, truncated at two of
    them, and the bias with zeros, as in google-research/bert's run_classifier.py.

    Args:
        backbone: Backbone from `components.checkpoints.backbone`. Its pooler is frozen if `pooling` leaves it unused.
        n_labels: Width of the head.
        dropout: Rate between the pooled output and the head.
        pooling: How one vector is made of the outputs of a text's tokens, see `components.trainer.pooling`.

    Returns:
        A `keras.Model` from {token_ids, padding_mask, segment_ids}, each int [n, length], to logits
        float32 [n, n_labels], whatever the encoder computes in.
    """
    if pooling != "cls":
        backbone.pooled_dense.trainable = False
    model = Classifier(backbone, n_labels, dropout, pooling)
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
    copy = build_classifier(backbone, model.num_classes, model.dropout, model.pooling)
    copy.set_weights(model.get_weights())
    return copy
