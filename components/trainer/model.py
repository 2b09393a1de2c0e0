"""The classifier: a BERT encoder under a multi-hot sigmoid head."""

from collections.abc import Mapping
from typing import Any

import keras
import keras_hub

from components.trainer.cpu.operations import compiled_gelu, exact_gelu, make_lean
from components.trainer.cpu.optimizer import FusedAdamW, WarmupLinearDecay
from components.trainer.settings import TrainingSettings


def build_classifier(backbone: Any, n_labels: int, dropout: float) -> Any:
    """Puts the head on a BERT encoder: pooled output -> dropout -> dense(n_labels), the logits.

    The dense kernel is initialised from a normal truncated at two standard deviations of 0.02 and the bias with
    zeros, as in google-research/bert's run_classifier.py.

    Args:
        backbone: A `keras_hub.models.BertBackbone`.
        n_labels: Width of the head.
        dropout: Rate between the pooled output and the head.

    Returns:
        A `keras.Model` from {token_ids, padding_mask, segment_ids}, each int [n, length], to logits
        float32 [n, n_labels], whatever the encoder computes in.
    """
    model = keras_hub.models.BertTextClassifier(
        backbone, num_classes=n_labels, preprocessor=None, activation=None, dropout=dropout
    )
    # Three digits are enough inside an encoder, not for what the loss is made of; KerasHub takes the encoder's type.
    for layer in (model.output_dropout, model.output_dense):
        layer.dtype_policy = "float32"
    make_lean(model)
    return model


def plain_copy(model: Any) -> Any:
    """The classifier with the same weights that computes in float32, and that no strategy spreads over devices."""
    backbone = type(model.backbone).from_config(model.backbone.get_config() | {"dtype": "float32"})
    # What KerasHub's configuration does not tell, see `components.checkpoints.backbone`.
    for old, new in zip(model.backbone._flatten_layers(), backbone._flatten_layers(), strict=True):
        if isinstance(new, keras.layers.LayerNormalization):
            new.epsilon = old.epsilon
        elif isinstance(new, keras.layers.Dense):
            new.activation = exact_gelu if old.activation is compiled_gelu else old.activation
    copy = build_classifier(backbone, model.num_classes, model.dropout)
    copy.set_weights(model.get_weights())
    return copy


def build_optimizer(
    settings: TrainingSettings, total_steps: int, rate_factors: Mapping[str, float] | None = None
) -> keras.optimizers.Optimizer:
    """AdamW as BERT was trained with: warmup, linear decay to zero, global-norm clipping.

    Source: google-research/bert, optimization.py (epsilon 1e-6; no decay of LayerNorm and biases).

    Args:
        settings: The recipe.
        total_steps: After so many the learning rate is 0.
        rate_factors: From `components.trainer.loop.trainable.rate_factors`.
    """
    optimizer = FusedAdamW(
        learning_rate=WarmupLinearDecay(settings.peak_learning_rate, settings.warmup, total_steps),
        weight_decay=settings.weight_decay,
        epsilon=1e-6,
        global_clipnorm=settings.clip_norm,
        rate_factors=rate_factors,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
