"""Decision thresholds, chosen per label on the eval split.

With rare labels a fixed threshold of 0.5 predicts almost nothing: a well-calibrated model seldom has a probability of
0.5 for what happens once in five hundred rows.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from components.trainer.decisions.calibration import fit_platt
from components.trainer.decisions.settings import BestF1, BestFBeta, MinPrecision, ThresholdSettings

# With this many positives, the threshold of a label is midway between its own best one and the steadier one.
_PRIOR_POSITIVES = 10.0
# Bounds that keep the decision scores of the evaluation signature finite.
_LOWEST, _HIGHEST = 1e-4, 1.0 - 1e-4
NEVER = 1.0  # no probability is above it

Floats = NDArray[np.floating]


def choose_thresholds(
    probabilities: Floats,
    labels: Floats,
    retired: Sequence[int] = (),
    settings: ThresholdSettings | None = None,
    ancestors: Mapping[int, Sequence[int]] | None = None,
) -> NDArray[np.float32]:
    """Choose the best threshold of each label, shrunk towards a steadier one if it has few positives.

    The best threshold of a label with three positives is mostly noise. In logits, a label's threshold is the weighted
    mean of its own best one (weighted by its positives) and a steadier one (weighted by 10).

    For F-beta, the steadier threshold is the one with the highest F-beta to be expected from the probabilities of all
    examples, not from the few positives (Ye et al., 2012, "Optimizing F-measures: a tale of two approaches"). The
    probabilities are calibrated for that, those of a rare label mainly by the fit over all labels
    (`calibration.fit_platt`). One threshold for all labels, the obvious choice, is too high for a rare label: on
    GoEmotions it costs 0.02 of macro F1 (`benchmarks/quality.py`).

    For a minimum precision, the steadier threshold is the one for all labels with the highest micro recall that keeps
    the precision over all labels together. Every label in use keeps the precision on the eval split: of the thresholds
    that do, its own is the lowest that is not below the shrunk one, or the highest if all are below. A label that
    reaches the precision at no threshold, such as one without positives, has the threshold 1 and is never predicted.

    Rows of which nobody knows whether they have a label have no part in its threshold. For F-beta, a label that is
    unknown in all rows has the steadier threshold, expected from the probabilities of all rows.

    Args:
        probabilities: [n, n_labels], of the eval split.
        labels: [n, n_labels], 0 or 1; -1 where unknown.
        retired: Columns of retired labels, which do not affect the others.
        settings: What is optimized; None for F1.
        ancestors: Columns of the labels that a label implies, directly or through others, by its column. Such a label
            is given only where these are: its threshold is chosen after theirs, for the decisions that are then left.

    Returns:
        float32 [n_labels]. A label is predicted if its probability is above its threshold. Thresholds are between 0
        and 1, except for `NEVER`, which retired labels have.

    Raises:
        ValueError: There is no example.

    Example:
        >>> probabilities = np.array([[0.9], [0.8], [0.2], [0.1]])
        >>> labels = np.array([[1.0], [1.0], [0.0], [0.0]])
        >>> threshold = choose_thresholds(probabilities, labels).item()
        >>> 0.2 < threshold < 0.8
        True
    """
    if not len(probabilities):
        raise ValueError("thresholds need at least one example of the eval split")
    thresholds = np.full(labels.shape[1], NEVER, np.float32)
    active = np.delete(np.arange(labels.shape[1]), list(retired))
    settings = settings or BestF1()
    decidable = probabilities
    for level in _levels(active.tolist(), ancestors or {}):
        decidable = _where_implied_are_given(decidable, thresholds, level, ancestors or {})
        chosen = _choose(probabilities[:, active], decidable[:, active], labels[:, active], settings)
        in_level = np.isin(active, level)
        thresholds[active[in_level]] = chosen[in_level]
    return thresholds


def decide_labels(
    probabilities: Floats, thresholds: Floats, ancestors: Mapping[int, Sequence[int]]
) -> NDArray[np.bool_]:
    """Return the labels that are given, [n, n_labels]: above their thresholds, as are all that they imply.

    Args:
        probabilities: [n, n_labels].
        thresholds: [n_labels].
        ancestors: Columns of the labels that a label implies, directly or through others, by its column.
    """
    above = probabilities > thresholds
    given = above.copy()
    for column, implied in ancestors.items():
        given[:, column] &= above[:, list(implied)].all(axis=1)
    return np.asarray(given)


def _levels(active: Sequence[int], ancestors: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """Return the columns in an order in which those that a label implies come in an earlier level."""
    levels: list[list[int]] = []
    done: set[int] = set()
    while len(done) < len(active):
        level = [
            column
            for column in active
            if column not in done and all(each in done for each in ancestors.get(column, ()))
        ]
        levels.append(level)
        done.update(level)
    return levels


def _where_implied_are_given(
    probabilities: Floats, thresholds: Floats, columns: Sequence[int], ancestors: Mapping[int, Sequence[int]]
) -> Floats:
    """Return probabilities [n, n_labels] with 0 for some labels where one that they imply is not given."""
    implying = [column for column in columns if ancestors.get(column)]
    if not implying:
        return probabilities
    changed = probabilities.copy()
    for column in implying:
        above = list(ancestors[column])
        is_given = (changed[:, above] > thresholds[above]).all(axis=1)
        changed[~is_given, column] = 0.0
    return changed


def _choose(
    probabilities: Floats, decidable: Floats, labels: Floats, settings: ThresholdSettings
) -> NDArray[np.float32]:
    """Choose the threshold of each label.

    Args:
        probabilities: [n, n_labels].
        decidable: [n, n_labels], 0 where a label cannot be given whatever its threshold, else the probability.
        labels: [n, n_labels], 0 or 1; -1 where unknown.
        settings: What is optimized.
    """
    if isinstance(settings, MinPrecision):
        return _thresholds_of_precision(decidable, labels, settings)
    return _thresholds_of_f_beta(probabilities, decidable, labels, settings)


def _thresholds_of_f_beta(
    probabilities: Floats, decidable: Floats, labels: Floats, settings: BestF1 | BestFBeta
) -> NDArray[np.float32]:
    beta = settings.beta if isinstance(settings, BestFBeta) else 1.0
    calibrated = fit_platt(probabilities, labels)(probabilities)
    expected, own = np.empty(labels.shape[1]), np.empty(labels.shape[1])
    for column, (p, c, y) in enumerate(zip(decidable.T, calibrated.T, labels.T, strict=True)):
        known = y >= 0
        if not known.any():
            expected[column] = own[column] = best_f_threshold(p, c, beta)
            continue
        # With probabilities in place of labels, sums are expected values.
        expected[column] = best_f_threshold(p[known], c[known], beta)
        own[column] = best_f_threshold(p[known], y[known], beta)
    return _shrink(own, expected, labels).astype(np.float32)


def _thresholds_of_precision(probabilities: Floats, labels: Floats, settings: MinPrecision) -> NDArray[np.float32]:
    pooled = _pooled_threshold(probabilities, labels, settings.precision)
    by_label = [
        thresholds_of_precision(p[y >= 0], y[y >= 0], settings.precision)
        for p, y in zip(probabilities.T, labels.T, strict=True)
    ]
    own = np.array([thresholds[0] if len(thresholds) else pooled for thresholds in by_label])
    shrunk = _shrink(own, np.full_like(own, pooled), labels)
    return np.array([_lowest_from(*pair) for pair in zip(by_label, shrunk, strict=True)], np.float32)


def _shrink(own: Floats, towards: Floats, labels: Floats) -> NDArray[np.float64]:
    """Compute the mean, in logits, of two thresholds [n_labels], weighted by the positives in labels [n, n_labels]."""
    positives = np.maximum(labels, 0).sum(axis=0)
    weight = positives / (positives + _PRIOR_POSITIVES)
    logits = weight * _to_logits(own) + (1 - weight) * _to_logits(towards)
    return np.asarray(np.clip(1 / (1 + np.exp(-logits)), _LOWEST, _HIGHEST))


def best_f_threshold(probabilities: Floats, labels: Floats, beta: float = 1.0) -> float:
    """Return the threshold with the highest F-beta = (1 + b) TP / ((1 + b) TP + FP + b FN), where b is beta squared.

    Source: van Rijsbergen, 1979, chapter 7, in the counts that scikit-learn documents for fbeta_score.

    Args:
        probabilities: [n].
        labels: [n], 0 or 1, or the probability of 1.
        beta: Above 1, recall counts more than precision.

    Returns:
        Threshold midway between the two probabilities that it separates.

    Example:
        >>> round(best_f_threshold(np.array([0.9, 0.6, 0.2]), np.array([1.0, 1.0, 0.0])), 2)
        0.4
    """
    ranked, below, true_positives = _rank(probabilities, labels)
    predicted = np.arange(1, len(ranked) + 1)
    # TP + FP is the number of predicted examples, TP + FN that of positive ones.
    scores = (1 + beta**2) * true_positives / (predicted + beta**2 * labels.sum())
    best = int(np.argmax(np.where(ranked > below, scores, -1.0)))
    return float(np.clip((float(ranked[best]) + float(below[best])) / 2, _LOWEST, _HIGHEST))


def thresholds_of_precision(probabilities: Floats, labels: Floats, precision: float) -> NDArray[np.float32]:
    """Return all thresholds above which at least one example is, and at least this share of them has the label.

    Args:
        probabilities: [n].
        labels: [n], 0 or 1.
        precision: Minimum of TP / (TP + FP).

    Returns:
        float32, ascending, one for each pair of adjacent probabilities that a threshold may separate.
    """
    ranked, below, true_positives = _rank(probabilities.astype(np.float32), labels)
    is_kept = (true_positives >= precision * np.arange(1, len(ranked) + 1)) & (ranked > below)
    upper, lower = ranked[is_kept][::-1], below[is_kept][::-1]
    middle = (upper + lower) / 2
    # There may be no float between the two. The lower one separates them as well.
    return np.where(middle < upper, middle, lower)


def _rank(probabilities: Floats, labels: Floats) -> tuple[Floats, Floats, Floats]:
    """Rank examples by their probability.

    A threshold is possible only below the last of equal probabilities, where the first array is greater than the
    second.

    Returns:
        Probabilities in descending order, the next lower probability of each, and the number of positives up to each.
    """
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    return ranked, np.append(ranked[1:], ranked.dtype.type(0)), np.cumsum(labels[order], dtype=np.float64)


def _lowest_from(thresholds: NDArray[np.float32], minimum: float) -> float:
    """Return the lowest of ascending thresholds from a minimum on, or else the highest; `NEVER` if there are none."""
    if not len(thresholds):
        return NEVER
    return float(thresholds[min(int(np.searchsorted(thresholds, minimum)), len(thresholds) - 1)])


def _pooled_threshold(probabilities: Floats, labels: Floats, precision: float) -> float:
    """Return the one threshold for all labels with the highest micro recall that keeps a micro precision.

    It is chosen from 99 steps of equal size in logits between the extremes.
    """
    known = labels >= 0
    logits, labels = _to_logits(probabilities)[known], labels[known]
    if not len(logits):
        return NEVER
    lowest, highest = np.quantile(logits, [0.001, 0.999])
    candidates = np.linspace(lowest, highest, num=99)
    best = candidates[int(np.argmax([_score(logits > candidate, labels, precision) for candidate in candidates]))]
    return float(1 / (1 + np.exp(-best)))


def _score(predicted: NDArray[np.bool_], labels: Floats, precision: float) -> float:
    """Return the micro recall if the micro precision is kept, else a negative number that grows with the precision."""
    true_positives, n_predicted = float((predicted * labels).sum()), int(predicted.sum())
    reached = true_positives / max(n_predicted, 1)
    if n_predicted and reached >= precision:
        return true_positives / max(float(labels.sum()), 1.0)
    return reached - 1.0


def _to_logits(probabilities: Floats) -> NDArray[np.float64]:
    clipped = np.clip(probabilities.astype(np.float64), _LOWEST, _HIGHEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
