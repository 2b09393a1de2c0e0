"""The classifier: a BERT encoder under a multi-hot sigmoid head."""

from collections.abc import Sequence
from typing import Any

import keras
import keras_hub

from components.trainer.optimizer import FusedAdamW, WarmupLinearDecay
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
        float [n, n_labels].
    """
    return keras_hub.models.BertTextClassifier(
        backbone, num_classes=n_labels, preprocessor=None, activation=None, dropout=dropout
    )


def multi_hot_loss(retired: Sequence[int] = ()) -> keras.losses.Loss:
    """The mean over examples and labels of sigmoid cross entropy with logits.

    For logit z and label y in {0, 1}: l(z, y) = max(z, 0) - z y + log(1 + exp(-|z|)), the form that neither overflows
    nor loses digits. Each label is its own yes or no; nothing couples them. Over n examples and the set A of columns
    that are not retired, the loss is the sum of l(z_ij, y_ij) over all i and all j in A, divided by n |A|: a retired
    column adds nothing, has no gradient, and does not thin out the others.

    Args:
        retired: Columns of labels that are not in use any more.
    """
    if retired:
        return _LossOfOthers(frozenset(retired))
    return keras.losses.BinaryCrossentropy(from_logits=True, name="sigmoid_cross_entropy")


class _LossOfOthers(keras.losses.BinaryCrossentropy):  # type: ignore[misc]
    """Leaves columns out, whatever stands in them."""

    def __init__(self, left_out: frozenset[int]) -> None:
        super().__init__(from_logits=True, name="sigmoid_cross_entropy")
        self._left_out = left_out

    def call(self, y_true: Any, y_pred: Any) -> Any:
        columns = [column for column in range(y_pred.shape[-1]) if column not in self._left_out]
        return super().call(keras.ops.take(y_true, columns, axis=-1), keras.ops.take(y_pred, columns, axis=-1))


def build_optimizer(settings: TrainingSettings, total_steps: int) -> keras.optimizers.Optimizer:
    """AdamW as BERT was trained with: warmup, linear decay to zero, global-norm clipping.

    Source: google-research/bert, optimization.py (epsilon 1e-6; no decay of LayerNorm and biases).
    """
    optimizer = FusedAdamW(
        learning_rate=WarmupLinearDecay(settings.learning_rate, settings.warmup, total_steps),
        weight_decay=settings.weight_decay,
        epsilon=1e-6,
        global_clipnorm=settings.clip_norm,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
