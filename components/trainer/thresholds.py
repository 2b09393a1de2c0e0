"""The probability above which a label is given, chosen per label on the eval split.

With rare labels a fixed 0.5 predicts almost nothing: a well-calibrated model seldom says 0.5 of something that
happens once in five hundred rows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# A label with this many positives gets the mean of its own best cut and the pooled one; more positives, more its own.
_PRIOR_POSITIVES = 10.0
# Away from 0 and 1, so that the decision scores of the evaluation signature stay finite.
_LOWEST, _HIGHEST = 1e-4, 1.0 - 1e-4

Floats = NDArray[np.floating]


def choose_thresholds(probabilities: Floats, labels: Floats, retired: Sequence[int] = ()) -> NDArray[np.float32]:
    """Picks, per label, the cut of best F1, shrunk towards the pooled cut where there are few positives.

    The best cut of a label with three positives is mostly noise. In logits, a label's threshold is the weighted mean
    of its own best cut (weight: its positives) and the one cut that maximises macro F1 over all labels (weight: 10).

    Args:
        probabilities: [n, n_labels], of the eval split.
        labels: [n, n_labels], 0 or 1.
        retired: Columns of labels that are not in use any more; the others are chosen as if these were not there.

    Returns:
        [n_labels] float32, each strictly between 0 and 1, those of retired columns 1. A label is given where its
        probability is above it.

    Raises:
        ValueError: There is no example.
    """
    if not len(probabilities):
        raise ValueError("thresholds need at least one example of the eval split")
    thresholds = np.ones(labels.shape[1], np.float32)
    active = np.delete(np.arange(labels.shape[1]), list(retired))
    thresholds[active] = _thresholds(probabilities[:, active], labels[:, active])
    return thresholds


def _thresholds(probabilities: Floats, labels: Floats) -> NDArray[np.float32]:
    pooled = _pooled_threshold(probabilities, labels)
    positives = labels.sum(axis=0)
    own = np.array(
        [
            best_f1_threshold(probabilities[:, j], labels[:, j]) if positives[j] else pooled
            for j in range(labels.shape[1])
        ]
    )
    weight = positives / (positives + _PRIOR_POSITIVES)
    shrunk = weight * _logit(own) + (1 - weight) * _logit(np.full_like(own, pooled))
    return np.asarray(np.clip(1 / (1 + np.exp(-shrunk)), _LOWEST, _HIGHEST), dtype=np.float32)


def best_f1_threshold(probabilities: Floats, labels: Floats) -> float:
    """The cut with the highest F1 = 2 TP / (2 TP + FP + FN), midway between the two probabilities it separates.

    Args:
        probabilities: [n].
        labels: [n], 0 or 1, at least one 1.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order].astype(np.float64)
    true_positives = np.cumsum(labels[order])
    f1 = 2 * true_positives / (np.arange(1, len(ranked) + 1) + labels.sum())
    # A cut is possible only below the last of equal probabilities.
    below = np.append(ranked[1:], 0.0)
    f1 = np.where(ranked > below, f1, -1.0)
    best = int(np.argmax(f1))
    return float(np.clip((ranked[best] + below[best]) / 2, _LOWEST, _HIGHEST))


def _pooled_threshold(probabilities: Floats, labels: Floats) -> float:
    """The one cut, of 99 even steps in logits between the extremes, that maximises macro F1 over all labels."""
    logits = _logit(probabilities)
    lowest, highest = np.quantile(logits, [0.001, 0.999])
    candidates = np.linspace(lowest, highest, num=99)
    scores = [_macro_f1(logits > cut, labels) for cut in candidates]
    return float(1 / (1 + np.exp(-candidates[int(np.argmax(scores))])))


def _macro_f1(given: NDArray[np.bool_], labels: Floats) -> float:
    both = (given * labels).sum(axis=0)
    either = given.sum(axis=0) + labels.sum(axis=0)
    return float(np.mean(2 * both / np.maximum(either, 1)))


def _logit(probabilities: Floats) -> NDArray[np.float64]:
    clipped = np.clip(probabilities.astype(np.float64), _LOWEST, _HIGHEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
