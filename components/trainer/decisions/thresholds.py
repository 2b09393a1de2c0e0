"""The probability above which a label is given, chosen per label on the eval split.

With rare labels a fixed 0.5 predicts almost nothing: a well-calibrated model seldom says 0.5 of something that
happens once in five hundred rows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from components.trainer.choices import BestF1, BestFBeta, MinPrecision, ThresholdSettings
from components.trainer.decisions.calibration import fit_platt

# A label with this many positives gets the mean of its own best cut and the steadier one; with more, more of its own.
_PRIOR_POSITIVES = 10.0
# Away from 0 and 1, so that the decision scores of the evaluation signature stay finite.
_LOWEST, _HIGHEST = 1e-4, 1.0 - 1e-4
NEVER = 1.0  # no probability is above it

Floats = NDArray[np.floating]


def choose_thresholds(
    probabilities: Floats, labels: Floats, retired: Sequence[int] = (), settings: ThresholdSettings | None = None
) -> NDArray[np.float32]:
    """Picks, per label, the best cut, shrunk towards a steadier one where there are few positives.

    The best cut of a label with three positives is mostly noise. In logits, a label's threshold is the weighted mean
    of its own best cut (weight: its positives) and a steadier one (weight: 10).

    For F-beta that is the cut whose F-beta is to be expected the highest from the probabilities of all examples, not
    from the few positives (Ye et al., 2012, "Optimizing F-measures: a tale of two approaches"); of calibrated ones,
    a rare label's calibration leaning on that of all labels (`calibration.fit_platt`). One cut for all labels, which
    would be the obvious choice, is too high for a rare label: on GoEmotions it costs 0.02 of macro F1
    (`benchmarks/quality.py`).

    For a minimum precision it is the one cut of the highest micro recall that keeps it over all labels. It holds on the
    eval split for every label in use: of the cuts that keep it, the threshold is the lowest that is not below the
    shrunk one, or the highest if all are. A label that no cut brings to it, such as one without positives, has the
    threshold 1 and is never given.

    Args:
        probabilities: [n, n_labels], of the eval split.
        labels: [n, n_labels], 0 or 1.
        retired: Columns of labels that are not in use any more; the others are chosen as if these were not there.
        settings: What is best; None is F1.

    Returns:
        [n_labels] float32, each above 0 and below 1 but for `NEVER`, which those of retired columns are. A label is
        given where its probability is above it.

    Raises:
        ValueError: There is no example.
    """
    if not len(probabilities):
        raise ValueError("thresholds need at least one example of the eval split")
    thresholds = np.full(labels.shape[1], NEVER, np.float32)
    active = np.delete(np.arange(labels.shape[1]), list(retired))
    thresholds[active] = _thresholds(probabilities[:, active], labels[:, active], settings or BestF1())
    return thresholds


def _thresholds(probabilities: Floats, labels: Floats, settings: ThresholdSettings) -> NDArray[np.float32]:
    columns = list(zip(probabilities.T, labels.T, strict=True))
    if isinstance(settings, MinPrecision):
        pooled = _pooled_cut(probabilities, labels, settings.precision)
        kept = [cuts_of_precision(*column, settings.precision) for column in columns]
        own = np.array([cuts[0] if len(cuts) else pooled for cuts in kept])
        shrunk = _shrunk(own, np.full_like(own, pooled), labels)
        return np.array([_lowest_from(cuts, cut) for cuts, cut in zip(kept, shrunk, strict=True)], np.float32)
    beta = settings.beta if isinstance(settings, BestFBeta) else 1.0
    calibrated = fit_platt(probabilities, labels)(probabilities)
    # Summed up in place of labels, probabilities give what is to be expected of them.
    expected = np.array([best_f_threshold(p, c, beta) for p, c in zip(probabilities.T, calibrated.T, strict=True)])
    own = np.array([best_f_threshold(*column, beta) for column in columns])
    return _shrunk(own, expected, labels).astype(np.float32)


def _shrunk(own: Floats, towards: Floats, labels: Floats) -> NDArray[np.float64]:
    positives = labels.sum(axis=0)
    weight = positives / (positives + _PRIOR_POSITIVES)
    logits = weight * _logit(own) + (1 - weight) * _logit(towards)
    return np.asarray(np.clip(1 / (1 + np.exp(-logits)), _LOWEST, _HIGHEST))


def best_f_threshold(probabilities: Floats, labels: Floats, beta: float = 1.0) -> float:
    """The cut with the highest F-beta = (1 + b) TP / ((1 + b) TP + FP + b FN), where b is beta squared.

    Source: van Rijsbergen, 1979, chapter 7, in the counts that scikit-learn's fbeta_score gives it.

    Args:
        probabilities: [n].
        labels: [n], 0 or 1, or the probability of it.
        beta: Above 1, recall counts more than precision.

    Returns:
        A cut midway between the two probabilities that it separates.
    """
    ranked, below, true_positives = _ranked(probabilities, labels)
    given = np.arange(1, len(ranked) + 1)
    # TP + FP are given, TP + FN have the label.
    scores = (1 + beta**2) * true_positives / (given + beta**2 * labels.sum())
    best = int(np.argmax(np.where(ranked > below, scores, -1.0)))
    return float(np.clip((float(ranked[best]) + float(below[best])) / 2, _LOWEST, _HIGHEST))


def cuts_of_precision(probabilities: Floats, labels: Floats, precision: float) -> NDArray[np.float32]:
    """The cuts, float32 and rising, above which at least this share of the examples (and at least one) has the label.

    Args:
        probabilities: [n].
        labels: [n], 0 or 1.
        precision: TP / (TP + FP).
    """
    ranked, below, true_positives = _ranked(probabilities.astype(np.float32), labels)
    kept = (true_positives >= precision * np.arange(1, len(ranked) + 1)) & (ranked > below)
    upper, lower = ranked[kept][::-1], below[kept][::-1]
    middle = (upper + lower) / 2
    # Between two neighbouring floats there is none: above the lower one is what the upper one is.
    return np.where(middle < upper, middle, lower)


def _ranked(probabilities: Floats, labels: Floats) -> tuple[Floats, Floats, Floats]:
    """The probabilities from the highest, the next one of each, and the positives among those that are not lower.

    A cut is possible only below the last of equal probabilities: where the first is greater than the second.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    return ranked, np.append(ranked[1:], ranked.dtype.type(0)), np.cumsum(labels[order], dtype=np.float64)


def _lowest_from(cuts: NDArray[np.float32], least: float) -> float:
    """The lowest of rising cuts that is at least so high, or the highest; `NEVER` if there is none."""
    if not len(cuts):
        return NEVER
    return float(cuts[min(int(np.searchsorted(cuts, least)), len(cuts) - 1)])


def _pooled_cut(probabilities: Floats, labels: Floats, precision: float) -> float:
    """The one cut of the highest micro recall, of 99 even steps in logits between the extremes."""
    logits = _logit(probabilities)
    lowest, highest = np.quantile(logits, [0.001, 0.999])
    candidates = np.linspace(lowest, highest, num=99)
    best = candidates[int(np.argmax([_recall_at(logits > cut, labels, precision) for cut in candidates]))]
    return float(1 / (1 + np.exp(-best)))


def _recall_at(given: NDArray[np.bool_], labels: Floats, precision: float) -> float:
    """Micro recall where the micro precision is kept; below 0, by how much, where it is not."""
    both, n_given = float((given * labels).sum()), int(given.sum())
    found = both / max(n_given, 1)
    return both / max(float(labels.sum()), 1.0) if n_given and found >= precision else found - 1.0


def _logit(probabilities: Floats) -> NDArray[np.float64]:
    clipped = np.clip(probabilities.astype(np.float64), _LOWEST, _HIGHEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
