"""Platt scaling of each label: a probability of 0.3 then means that three such texts in ten have the label.

A label's calibrated probability is sigmoid(slope z + intercept) of its logit z (Platt, 1999), fitted on the eval split.
As the head is a dense layer, that is a head with other weights: it is put there, and the exported graph needs no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5
_BINS = 10
# As for thresholds: with so many positives (or negatives), a label's own fit counts as much as that over all labels.
_PRIOR_POSITIVES = 10.0
_LEAST = 1e-7  # a float32 says no more of a probability near 1

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Calibration:
    """sigmoid(slopes z + intercepts), each float64 [n_labels]; a retired label has slope 1 and intercept 0."""

    slopes: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def __call__(self, probabilities: Floats) -> NDArray[np.float32]:
        """What probabilities [n, n_labels] of before become, float32."""
        logits = self.slopes * to_logits(probabilities) + self.intercepts
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def fit_platt(probabilities: Floats, labels: Floats, retired: Sequence[int] = ()) -> Calibration:
    """Fits each label, shrunk towards the fit over all labels where it has few positives.

    The weight of a label's own fit is m / (m + 10), m being its positives or, if these are fewer, its negatives. Where
    the eval split has a label's order upside down, a slope below 0, the fit over all labels stands in: calibration
    never changes an order.

    Args:
        probabilities: [n, n_labels].
        labels: [n, n_labels], 0 or 1.
        retired: Columns that are left as they are.
    """
    n_labels = labels.shape[1]
    slopes, intercepts = np.ones(n_labels), np.zeros(n_labels)
    active = np.delete(np.arange(n_labels), list(retired))
    logits = to_logits(probabilities[:, active])
    pooled = platt_fit(logits.ravel(), labels[:, active].ravel())
    if pooled[0] <= 0:
        pooled = (1.0, 0.0)
    for place, column in enumerate(active):
        given = labels[:, column]
        own = platt_fit(logits[:, place], given)
        rarer = float(min(given.sum(), len(given) - given.sum()))
        weight = rarer / (rarer + _PRIOR_POSITIVES) if own[0] > 0 else 0.0
        slopes[column], intercepts[column] = (
            weight * mine + (1 - weight) * all_ for mine, all_ in zip(own, pooled, strict=True)
        )
    return Calibration(slopes, intercepts)


def platt_fit(logits: Floats, labels: Floats) -> tuple[float, float]:
    """The slope and intercept of greatest likelihood, logits and labels being [n].

    Targets are (N+ + 1) / (N+ + 2) and 1 / (N- + 2) in place of 1 and 0 (Platt, 1999, section 2.2), so that there is
    a greatest even where a cut separates the labels. Newton's method with backtracking, as in Lin, Lin and Weng, 2007
    ("A note on Platt's probabilistic outputs for support vector machines").
    """
    positives = float(labels.sum())
    negatives = len(labels) - positives
    targets = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    features = np.stack([logits, np.ones_like(logits)], axis=1).astype(np.float64)
    found = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    loss = _cross_entropy(features @ found, targets)
    for _ in range(100):
        probabilities = 1 / (1 + np.exp(-(features @ found)))
        gradient = features.T @ (probabilities - targets)
        if np.abs(gradient).max() < 1e-7 * len(labels):
            break
        spread = (probabilities * (1 - probabilities))[:, np.newaxis]
        direction = np.linalg.solve(features.T @ (features * spread) + 1e-12 * np.eye(2), gradient)
        for step in 0.5 ** np.arange(40):
            candidate = found - step * direction
            reached = _cross_entropy(features @ candidate, targets)
            if reached <= loss - 1e-4 * step * float(gradient @ direction):
                break
        else:
            break
        found, loss = candidate, reached
    return float(found[0]), float(found[1])


def cross_fitted(probabilities: Floats, labels: Floats, retired: Sequence[int] = ()) -> NDArray[np.float32]:
    """Calibrated probabilities [n, n_labels], each fifth of the rows by a fit to the others.

    How good a fit is on the very rows that it was made for says little where a label is rare.
    """
    if len(labels) < _FOLDS:
        return fit_platt(probabilities, labels, retired)(probabilities)
    folds = np.arange(len(labels)) % _FOLDS
    calibrated = np.empty(probabilities.shape, np.float32)
    for fold in range(_FOLDS):
        held_out = folds == fold
        fit = fit_platt(probabilities[~held_out], labels[~held_out], retired)
        calibrated[held_out] = fit(probabilities[held_out])
    return calibrated


def put_into_head(calibration: Calibration, head: Any) -> None:
    """Makes the logits of a dense layer the calibrated ones: slope (w h + c) + intercept is a dense layer, too."""
    kernel, bias = head.get_weights()
    head.set_weights([kernel * calibration.slopes, bias * calibration.slopes + calibration.intercepts])


def reliability(probabilities: Floats, labels: Floats) -> list[dict[str, float]]:
    """What a reliability diagram draws, of [n] each: for each of ten even bins with examples, what was said and was.

    Returns:
        `from` and `to`, the bin's bounds; `examples` in it; their mean `probability`; the `frequency` of the label.
    """
    place = np.minimum((probabilities.astype(np.float64) * _BINS).astype(np.int64), _BINS - 1)
    counts, said, was = (np.bincount(place, weights, _BINS) for weights in (None, probabilities, labels))
    return [
        {
            "from": bin_ / _BINS,
            "to": (bin_ + 1) / _BINS,
            "examples": int(counts[bin_]),
            "probability": float(said[bin_] / counts[bin_]),
            "frequency": float(was[bin_] / counts[bin_]),
        }
        for bin_ in np.flatnonzero(counts)
    ]


def expected_calibration_error(probabilities: Floats, labels: Floats) -> float:
    """The mean distance between what was said and what was, weighted by the examples of each bin; [n] each.

    Source: Guo et al., 2017, equation 3, of the label's own probability, in ten even bins.
    """
    bins = reliability(probabilities, labels)
    return sum(each["examples"] * abs(each["probability"] - each["frequency"]) for each in bins) / len(labels)


def to_logits(probabilities: Floats) -> NDArray[np.float64]:
    """log(p / (1 - p)), float64, of probabilities no nearer to 0 and 1 than a float32 can tell."""
    clipped = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _cross_entropy(logits: Floats, targets: Floats) -> float:
    return float(np.sum(np.logaddexp(0, logits) - targets * logits))
