"""Losses of independent labels, computed from logits, and the initial bias of the head under each.

Every loss is the mean, over examples and labels in use, of y P(z) + (1 - y) N(z): P is the cost of logit z where the
label is given, N where it is not, and y is the target. With p = sigmoid(z) and softplus(x) = log(1 + exp(x)):

    plain        P = -log p                    N = -log(1 - p)
    weighted     P = -w log p                  N = -log(1 - p)
    focal        P = -a (1 - p)^g log p        N = -(1 - a) p^g log(1 - p)
    asymmetric   P = -(1 - p)^g+ log p         N = -q^g- log(1 - q),  q = max(p - m, 0)

A label of which nobody knows whether an example has it (a target below 0) costs nothing and has no gradient. Every
known pair of example and label weighs the same, whichever example, batch or replica it is in: the loss of an example is
the sum over its known labels, divided by the mean number of known labels of the split's examples. A mean over the known
labels of each example would give the one answer of a row the weight of all answers of another row.

-log p = softplus(-z) and (1 - p)^g = exp(-g softplus(z)) keep all digits and never overflow, unlike p itself. Keras
casts logits to the loss's own dtype, float32, whatever the model computes in.

With any loss except the plain one, probabilities are no longer frequencies: weights push them up, focal loss towards
0.5. Thresholds are chosen from the same probabilities, so decisions do not suffer; `training.calibration` turns them
into frequencies again.

To add a loss, write its settings (`components.trainer.loop.settings`), a function here, and an entry in `LOSSES`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from components.common.settings import Settings
from components.trainer.loop.label_counts import LabelCounts
from components.trainer.loop.settings import AsymmetricLoss, FocalLoss, PlainLoss, WeightedLoss

# Lower bound of a probability that is raised to a power, whose derivative could be infinite at 0.
_MIN_PROBABILITY = 1e-8

# (targets, logits) -> y P(z) + (1 - y) N(z), each float32 [n, n_columns].
Terms = Callable[[Any, Any], Any]


def plain(settings: PlainLoss, counts: LabelCounts | None) -> Terms:  # noqa: ARG001
    """Return sigmoid cross entropy: max(z, 0) - z y + log(1 + exp(-|z|))."""
    return lambda targets, logits: ops.binary_crossentropy(targets, logits, from_logits=True)


def weighted(settings: WeightedLoss, counts: LabelCounts | None) -> Terms:
    """Return cross entropy in which the positives of each label are weighted by `positive_weights`.

    Raises:
        ValueError: There are no counts.
    """
    if counts is None:
        raise ValueError("positive weights need the label counts of the train split")
    weights = positive_weights(counts, settings.cap).astype(np.float32)
    return lambda targets, logits: (
        targets * weights * ops.softplus(-logits) + (1.0 - targets) * ops.softplus(logits)
    )  # fmt: skip


def focal(settings: FocalLoss, counts: LabelCounts | None) -> Terms:  # noqa: ARG001
    """Return focal loss (Lin et al., 2017): equation 5, or equation 4 if alpha is None."""
    positive_weight, negative_weight = (1.0, 1.0) if settings.alpha is None else (settings.alpha, 1.0 - settings.alpha)

    def terms(targets: Any, logits: Any) -> Any:
        positive, negative = ops.softplus(-logits), ops.softplus(logits)
        positive_cost = positive_weight * ops.exp(-settings.gamma * negative) * positive
        negative_cost = negative_weight * ops.exp(-settings.gamma * positive) * negative
        return targets * positive_cost + (1.0 - targets) * negative_cost

    return terms


def asymmetric(settings: AsymmetricLoss, counts: LabelCounts | None) -> Terms:  # noqa: ARG001
    """Return asymmetric loss (Ridnik et al., 2021, equations 4, 5 and 7)."""

    def negative_cost(logits: Any) -> Any:
        if not settings.clip:
            return ops.exp(-settings.gamma_neg * ops.softplus(-logits)) * ops.softplus(logits)
        # 1 - q is at least the margin, so its logarithm is safe.
        complement = ops.minimum(ops.sigmoid(-logits) + settings.clip, 1.0)
        shifted = ops.maximum(ops.sigmoid(logits) - settings.clip, _MIN_PROBABILITY)
        return -ops.power(shifted, settings.gamma_neg) * ops.log(complement)

    def terms(targets: Any, logits: Any) -> Any:
        positive_cost = ops.exp(-settings.gamma_pos * ops.softplus(logits)) * ops.softplus(-logits)
        return targets * positive_cost + (1.0 - targets) * negative_cost(logits)

    return terms


# The function of each loss: from its settings and the train split's counts of the labels in use to its terms.
LOSSES: dict[type[Settings], Callable[[Any, LabelCounts | None], Terms]] = {
    PlainLoss: plain,
    WeightedLoss: weighted,
    FocalLoss: focal,
    AsymmetricLoss: asymmetric,
}


def multi_hot_loss(
    retired: Sequence[int] = (),
    settings: Settings | None = None,
    counts: LabelCounts | None = None,
    smoothing: float = 0.0,
    known_per_example: float | None = None,
) -> keras.losses.Loss:
    """Build the loss of logits float [n, n_labels] against labels float [n, n_labels] of 0 and 1, or -1 if unknown.

    Over n examples and the set A of columns that are not retired, it is the sum of y P(z) + (1 - y) N(z) over all
    examples and all of A, divided by n |A|: a retired column adds nothing, has no gradient, and does not dilute the
    others.

    Args:
        retired: Columns of retired labels.
        settings: Settings of the loss, one of the keys of `LOSSES`; None for the plain loss.
        counts: Label counts of the train split, which the weighted loss needs.
        smoothing: Targets are y (1 - smoothing) + smoothing / 2 (Szegedy et al., 2016, section 7, for two classes).
        known_per_example: Mean number of known labels in use of the split's examples, above 0; None if no label of an
            example is unknown, so that the sum over its labels is divided by |A|.

    Raises:
        ValueError: The weighted loss has no counts.
    """
    settings = settings or PlainLoss()
    if isinstance(settings, PlainLoss) and not retired and known_per_example is None:
        # Equal to ours; nobody has to read ours to know what it is.
        return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
    terms = LOSSES[type(settings)](settings, counts and counts.without(retired))
    return _MultiHotLoss(terms, frozenset(retired), smoothing, known_per_example)


def positive_weights(counts: LabelCounts, cap: float) -> NDArray[np.float64]:
    """Compute the weight of each label's positives: negatives / positives, clipped to [1 / cap, cap].

    Source: PyTorch's documentation of BCEWithLogitsLoss, pos_weight. The bounds are our own: a label with three
    positives would otherwise outweigh all others, and one that every example has would cost nothing.

    Args:
        counts: Label counts of the train split.
        cap: Upper bound, also the weight of a label without positives.

    Returns:
        float64 [n_labels].

    Example:
        >>> positive_weights(LabelCounts(100, np.array([1.0, 25.0, 0.0])), cap=10).tolist()
        [10.0, 3.0, 10.0]
    """
    negatives = counts.negatives
    ratio = np.divide(negatives, counts.positives, out=np.full_like(negatives, np.inf), where=counts.positives > 0)
    return np.asarray(np.clip(ratio, 1 / cap, cap))


def prior_bias(counts: LabelCounts, settings: Settings) -> NDArray[np.float64]:
    """Compute the bias with the lowest loss for a head that ignores the text.

    The plain loss is lowest at each label's log odds in the train split. A weight w moves that by log w, because
    w p / (1 - p) is then the odds. Focal and asymmetric loss start at the log odds as well: nearly all negatives are
    then easy, which is what both losses are for (Lin et al., 2017, section 3.3, start at the odds of a rare class).

    Args:
        counts: Label counts of the train split.
        settings: Settings of the loss.

    Returns:
        float64 [n_labels].
    """
    if isinstance(settings, WeightedLoss):
        return np.asarray(counts.log_odds() + np.log(positive_weights(counts, settings.cap)))
    return counts.log_odds()


class _MultiHotLoss(keras.losses.Loss):  # type: ignore[misc]
    """Mean of a loss's terms, with smoothed targets and without retired columns, whatever values these have."""

    def __init__(
        self, terms: Terms, retired: frozenset[int], smoothing: float, known_per_example: float | None
    ) -> None:
        super().__init__(name="multi_hot_loss")
        self._terms = terms
        self._retired = retired
        self._smoothing = smoothing
        self._known_per_example = known_per_example

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if self._retired:
            columns = [column for column in range(y_pred.shape[-1]) if column not in self._retired]
            y_true, y_pred = ops.take(y_true, columns, axis=-1), ops.take(y_pred, columns, axis=-1)
        if self._known_per_example is None:
            return ops.mean(self._terms(self._smooth(y_true), y_pred), axis=-1)
        # The cost of an unknown label is computed as that of another target, and dropped.
        terms = self._terms(self._smooth(ops.maximum(y_true, 0.0)), y_pred)
        return ops.sum(ops.where(y_true < 0.0, 0.0, terms), axis=-1) / self._known_per_example

    def _smooth(self, targets: Any) -> Any:
        return targets * (1.0 - self._smoothing) + 0.5 * self._smoothing if self._smoothing else targets
