"""Losses of independent labels, from logits, and the bias that a head should begin with under each.

Every loss is the mean, over examples and labels in use, of y P(z) + (1 - y) N(z): P is what logit z costs where the
label is given, N where it is not, and y the target. With p = sigmoid(z), softplus(x) = log(1 + exp(x)):

    plain        P = -log p                    N = -log(1 - p)
    weighted     P = -w log p                  N = -log(1 - p)
    focal        P = -a (1 - p)^g log p        N = -(1 - a) p^g log(1 - p)
    asymmetric   P = -(1 - p)^g+ log p         N = -q^g- log(1 - q),  q = max(p - m, 0)

-log p = softplus(-z) and (1 - p)^g = exp(-g softplus(z)) lose no digits and never overflow; p itself does both. Keras
casts logits to the loss's own dtype, float32, whatever the model computes in.

With any but the plain one the probabilities are not frequencies any more: weights push them up, focal towards one
half. Thresholds are chosen from these very probabilities, so labels are given as well as before;
`training.calibration` makes frequencies of them again.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from components.trainer.choices import AsymmetricLoss, FocalLoss, LossSettings, PlainLoss, WeightedLoss
from components.trainer.input_pipeline import LabelCounts

# Below this a probability raised to a power is nothing, and its slope could be no number.
_LEAST = 1e-8


def multi_hot_loss(
    retired: Sequence[int] = (),
    settings: LossSettings | None = None,
    counts: LabelCounts | None = None,
    smoothing: float = 0.0,
) -> keras.losses.Loss:
    """The loss of logits float [n, n_labels] against labels float [n, n_labels] of 0 and 1.

    Over n examples and the set A of columns that are not retired, it is the sum of y P(z) + (1 - y) N(z) over all
    examples and all of A, divided by n |A|: a retired column adds nothing, has no gradient, and does not thin out the
    others. The plain one is, in Keras's own form, max(z, 0) - z y + log(1 + exp(-|z|)).

    Args:
        retired: Columns of labels that are not in use any more.
        settings: Which; None is the plain one.
        counts: Of the train split; the weighted loss needs them.
        smoothing: Targets are y (1 - smoothing) + smoothing / 2 (Szegedy et al., 2016, section 7, of two classes).

    Raises:
        ValueError: The weighted loss has no counts.
    """
    match settings:
        case None | PlainLoss():
            if not retired:
                name = "sigmoid_cross_entropy"
                return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing, name=name)
            return _Plain(frozenset(retired), smoothing)
        case WeightedLoss():
            if counts is None:
                raise ValueError("positive weights need the label counts of the train split")
            weights = positive_weights(counts, settings.cap).astype(np.float32)
            return _Weighted(frozenset(retired), smoothing, weights)
        case FocalLoss():
            return _Focal(frozenset(retired), smoothing, settings)
        case AsymmetricLoss():
            return _Asymmetric(frozenset(retired), smoothing, settings)
        case _:
            assert_never(settings)


def positive_weights(counts: LabelCounts, cap: float) -> NDArray[np.float64]:
    """Weight of each label, float64 [n_labels]: negatives / positives, within 1 / cap and cap; of none, the cap.

    Source: PyTorch's documentation of BCEWithLogitsLoss, pos_weight. The bounds are ours: a label with three positives
    would otherwise outweigh all others, and one that every example has would cost nothing.
    """
    negatives = counts.examples - counts.positives
    ratio = np.divide(negatives, counts.positives, out=np.full_like(negatives, np.inf), where=counts.positives > 0)
    return np.asarray(np.clip(ratio, 1 / cap, cap))


def prior_bias(counts: LabelCounts, settings: LossSettings) -> NDArray[np.float64]:
    """The bias, float64 [n_labels], with which a head that knows nothing of a text begins best.

    The plain loss is least at each label's log odds in train. A weight w moves that by log w, for then
    w p / (1 - p) is the odds. Focal and asymmetric begin at the log odds too: there nearly all negatives are easy,
    which is what either loss is for (Lin et al., 2017, section 3.3, begin at the odds of a rare class).
    """
    if isinstance(settings, WeightedLoss):
        return np.asarray(counts.log_odds() + np.log(positive_weights(counts, settings.cap)))
    return counts.log_odds()


class _MultiHot(keras.losses.Loss):  # type: ignore[misc]
    """Smooths the targets and leaves retired columns out, whatever stands in them."""

    def __init__(self, left_out: frozenset[int], smoothing: float, name: str) -> None:
        super().__init__(name=name)
        self._left_out = left_out
        self._smoothing = smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        columns = [column for column in range(y_pred.shape[-1]) if column not in self._left_out]
        if self._left_out:
            y_true, y_pred = ops.take(y_true, columns, axis=-1), ops.take(y_pred, columns, axis=-1)
        targets = y_true * (1.0 - self._smoothing) + 0.5 * self._smoothing if self._smoothing else y_true
        return ops.mean(self.terms(targets, y_pred, columns), axis=-1)

    def terms(self, targets: Any, logits: Any, columns: Sequence[int]) -> Any:
        """The sum y P(z) + (1 - y) N(z), float32 [n, len(columns)], of the columns in use."""
        raise NotImplementedError


class _Plain(_MultiHot):
    def __init__(self, left_out: frozenset[int], smoothing: float) -> None:
        super().__init__(left_out, smoothing, "sigmoid_cross_entropy")

    def terms(self, targets: Any, logits: Any, columns: Sequence[int]) -> Any:  # noqa: ARG002
        return ops.binary_crossentropy(targets, logits, from_logits=True)


class _Weighted(_MultiHot):
    def __init__(self, left_out: frozenset[int], smoothing: float, weights: NDArray[np.float32]) -> None:
        super().__init__(left_out, smoothing, "weighted_cross_entropy")
        self._weights = weights

    def terms(self, targets: Any, logits: Any, columns: Sequence[int]) -> Any:
        weights = self._weights[list(columns)]
        return targets * weights * ops.softplus(-logits) + (1.0 - targets) * ops.softplus(logits)


class _Focal(_MultiHot):
    """Lin et al., 2017: equation 5; equation 4 where alpha is None."""

    def __init__(self, left_out: frozenset[int], smoothing: float, settings: FocalLoss) -> None:
        super().__init__(left_out, smoothing, "focal_loss")
        self._gamma = settings.gamma
        self._shares = (1.0, 1.0) if settings.alpha is None else (settings.alpha, 1.0 - settings.alpha)

    def terms(self, targets: Any, logits: Any, columns: Sequence[int]) -> Any:  # noqa: ARG002
        given, not_given = ops.softplus(-logits), ops.softplus(logits)
        positive = self._shares[0] * ops.exp(-self._gamma * not_given) * given
        negative = self._shares[1] * ops.exp(-self._gamma * given) * not_given
        return targets * positive + (1.0 - targets) * negative


class _Asymmetric(_MultiHot):
    """Ridnik et al., 2021: equations 4, 5 and 7."""

    def __init__(self, left_out: frozenset[int], smoothing: float, settings: AsymmetricLoss) -> None:
        super().__init__(left_out, smoothing, "asymmetric_loss")
        self._settings = settings

    def terms(self, targets: Any, logits: Any, columns: Sequence[int]) -> Any:  # noqa: ARG002
        focused = ops.exp(-self._settings.gamma_pos * ops.softplus(logits))
        positive = focused * ops.softplus(-logits)
        return targets * positive + (1.0 - targets) * self._negative(logits)

    def _negative(self, logits: Any) -> Any:
        if not self._settings.clip:
            return ops.exp(-self._settings.gamma_neg * ops.softplus(-logits)) * ops.softplus(logits)
        # 1 - q is at least the margin: its logarithm needs no care.
        rest = ops.minimum(ops.sigmoid(-logits) + self._settings.clip, 1.0)
        shifted = ops.maximum(ops.sigmoid(logits) - self._settings.clip, _LEAST)
        return -ops.power(shifted, self._settings.gamma_neg) * ops.log(rest)
