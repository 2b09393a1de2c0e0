"""Platt scaling of each label, after which a probability of 0.3 means that three such texts in ten have the label.

The calibrated probability of a label is sigmoid(slope z + intercept) of its logit z (Platt, 1999), fitted on the eval
split. As the head is a dense layer, this is a head with other weights, and nothing is added to the exported graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5
# With this many positives (or negatives), a label's own fit counts as much as the fit over all labels, as for
# thresholds.
_PRIOR_POSITIVES = 10.0
_MIN_PROBABILITY = 1e-7  # float32 cannot represent probabilities closer to 1

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Calibration:
    """Function from probabilities to calibrated ones, sigmoid(slopes z + intercepts).

    Attributes:
        slopes: float64 [n_labels]; 1 for a retired label.
        intercepts: float64 [n_labels]; 0 for a retired label.
    """

    slopes: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def __call__(self, probabilities: Floats) -> NDArray[np.float32]:
        """Calibrate probabilities [n, n_labels]."""
        logits = self.slopes * to_logits(probabilities) + self.intercepts
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def fit_platt(probabilities: Floats, labels: Floats, retired: Sequence[int] = ()) -> Calibration:
    """Fit each label on its known rows, shrunk towards the fit over all labels if it has few positives.

    The weight of a label's own fit is m / (m + 10), m being its positives or, if these are fewer, its negatives. If the
    order of a label is reversed on the eval split (a slope below 0), the fit over all labels is used instead:
    calibration never changes an order.

    Args:
        probabilities: [n, n_labels].
        labels: [n, n_labels], 0 or 1; -1 where unknown.
        retired: Columns of retired labels, which are left unchanged.

    Example:
        >>> probabilities = np.array([[0.9], [0.9], [0.1], [0.1]])
        >>> labels = np.array([[1.0], [0.0], [0.0], [0.0]])
        >>> fit_platt(probabilities, labels)(probabilities).ravel().round(2)
        array([0.43, 0.43, 0.2 , 0.2 ], dtype=float32)
    """
    n_labels = labels.shape[1]
    slopes, intercepts = np.ones(n_labels), np.zeros(n_labels)
    active = np.delete(np.arange(n_labels), list(retired))
    logits = to_logits(probabilities[:, active])
    is_known = labels[:, active] >= 0
    pooled = platt_fit(logits[is_known], labels[:, active][is_known])
    if pooled[0] <= 0:
        pooled = (1.0, 0.0)
    for index, column in enumerate(active):
        is_positive = labels[is_known[:, index], column]
        own = platt_fit(logits[is_known[:, index], index], is_positive)
        n_rarer = float(min(is_positive.sum(), len(is_positive) - is_positive.sum()))
        weight = n_rarer / (n_rarer + _PRIOR_POSITIVES) if own[0] > 0 else 0.0
        slopes[column], intercepts[column] = (
            weight * own_value + (1 - weight) * pooled_value
            for own_value, pooled_value in zip(own, pooled, strict=True)
        )
    return Calibration(slopes, intercepts)


def platt_fit(logits: Floats, labels: Floats) -> tuple[float, float]:
    """Compute the slope and the intercept of the highest likelihood.

    Targets are (N+ + 1) / (N+ + 2) and 1 / (N- + 2) instead of 1 and 0 (Platt, 1999, section 2.2), so that there is a
    maximum even if a threshold separates the labels. Newton's method with backtracking, as in Lin, Lin and Weng, 2007
    ("A note on Platt's probabilistic outputs for support vector machines").

    Args:
        logits: [n].
        labels: [n], 0 or 1.

    Returns:
        Slope and intercept.
    """
    positives = float(labels.sum())
    negatives = len(labels) - positives
    targets = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    features = np.stack([logits, np.ones_like(logits)], axis=1).astype(np.float64)
    parameters = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    loss = _cross_entropy(features @ parameters, targets)
    for _ in range(100):
        probabilities = 1 / (1 + np.exp(-(features @ parameters)))
        gradient = features.T @ (probabilities - targets)
        if np.abs(gradient).max() < 1e-7 * len(labels):
            break
        variance = (probabilities * (1 - probabilities))[:, np.newaxis]
        direction = np.linalg.solve(features.T @ (features * variance) + 1e-12 * np.eye(2), gradient)
        for step in 0.5 ** np.arange(40):
            candidate = parameters - step * direction
            candidate_loss = _cross_entropy(features @ candidate, targets)
            if candidate_loss <= loss - 1e-4 * step * float(gradient @ direction):
                break
        else:
            break
        parameters, loss = candidate, candidate_loss
    return float(parameters[0]), float(parameters[1])


def cross_fitted(probabilities: Floats, labels: Floats, retired: Sequence[int] = ()) -> NDArray[np.float32]:
    """Calibrate each fifth of the rows by a fit to the other four.

    The quality of a fit on the rows that it was fitted to says little if a label is rare.

    Args:
        probabilities: [n, n_labels].
        labels: [n, n_labels], 0 or 1; -1 where unknown.
        retired: Columns of retired labels, which are left unchanged.

    Returns:
        Calibrated probabilities [n, n_labels]. With fewer than five rows, they are of one fit to all of them.
    """
    if len(labels) < _FOLDS:
        return fit_platt(probabilities, labels, retired)(probabilities)
    folds = np.arange(len(labels)) % _FOLDS
    calibrated = np.empty(probabilities.shape, np.float32)
    for fold in range(_FOLDS):
        held_out = folds == fold
        calibrate = fit_platt(probabilities[~held_out], labels[~held_out], retired)
        calibrated[held_out] = calibrate(probabilities[held_out])
    return calibrated


def calibrate_head(calibration: Calibration, head: Any) -> None:
    """Change the weights of a dense layer so that its logits are calibrated: slope (w h + c) + intercept."""
    kernel, bias = head.get_weights()
    head.set_weights([kernel * calibration.slopes, bias * calibration.slopes + calibration.intercepts])


def to_logits(probabilities: Floats) -> NDArray[np.float64]:
    """Compute log(p / (1 - p)) of probabilities, which are clipped to what float32 can tell from 0 and 1."""
    clipped = np.clip(probabilities.astype(np.float64), _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _cross_entropy(logits: Floats, targets: Floats) -> float:
    return float(np.sum(np.logaddexp(0, logits) - targets * logits))
