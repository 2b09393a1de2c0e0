"""F1 on the eval split at the thresholds that a model would get if it were exported as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from components.evaluation.metrics.catalogue import ratio
from components.trainer.decisions.settings import ThresholdSettings
from components.trainer.decisions.thresholds import choose_thresholds, decide_labels

Floats = NDArray[np.floating]


def cut_soft_labels(labels: Floats, cut: float | None) -> Floats:
    """Return labels [n, n_labels] of 0 and 1, -1 where unknown.

    Args:
        labels: Labels, or shares of annotators.
        cut: Share from which on a label counts as given; None if labels are yes or no already.

    Example:
        >>> cut_soft_labels(np.array([[0.4, 0.5, -1.0]]), 0.5).tolist()
        [[0.0, 1.0, -1.0]]
    """
    return labels if cut is None else np.where(labels < 0, labels, labels >= np.float32(cut)).astype(labels.dtype)


@dataclass(frozen=True)
class EvalScores:
    """Scores of a model on the eval split.

    Attributes:
        macro_f1: Mean F1 of the labels in use.
        f1: F1 of each label in use.
        thresholds: float32 [n_labels], the thresholds that they are computed at.
    """

    macro_f1: float
    f1: dict[str, float]
    thresholds: NDArray[np.float32] = field(compare=False)


@dataclass(frozen=True)
class Scorer:
    """Function from a model's predictions on the eval split to its scores.

    The thresholds are chosen on the same rows, as those of the exported model are, so the scores are slightly too high
    for both. Calibration is left out: it keeps the order of a label's probabilities.

    Attributes:
        labels: Label names, in the order of the columns.
        thresholds: How thresholds are chosen.
        retired: Columns of retired labels, which have no score.
        ancestors: Columns of the labels that a label implies, directly or through others, by its column.
        soft_cut: Share of annotators from which on a label counts as given; None if labels are yes or no.
    """

    labels: Sequence[str]
    thresholds: ThresholdSettings | None = None
    retired: Sequence[int] = ()
    ancestors: Mapping[int, Sequence[int]] = field(default_factory=dict)
    soft_cut: float | None = None

    def __call__(self, probabilities: Floats, labels: Floats) -> EvalScores:
        """Compute F1 = 2 TP / (2 TP + FP + FN) of each label, 0 for a label that neither occurs nor is predicted.

        Args:
            probabilities: [n, n_labels].
            labels: [n, n_labels], 0 or 1, or a share of annotators; -1 where unknown. A label that is unknown in all
                rows has no score.

        Example:
            >>> probabilities = np.array([[0.9, 0.2], [0.8, 0.3], [0.1, 0.9]])
            >>> Scorer(["a", "b"])(probabilities, np.array([[1, 0], [1, 1], [0, 1]])).f1
            {'a': 1.0, 'b': 0.8}
        """
        labels = cut_soft_labels(labels, self.soft_cut)
        thresholds = choose_thresholds(probabilities, labels, self.retired, self.thresholds, self.ancestors)
        known = labels >= 0
        predicted, actual = decide_labels(probabilities, thresholds, self.ancestors) & known, labels > 0
        twice = 2 * (predicted & actual).sum(axis=0)
        by_label = ratio(twice, twice + (predicted ^ actual).sum(axis=0))
        scored = [column for column in np.flatnonzero(known.any(axis=0)).tolist() if column not in self.retired]
        f1 = {self.labels[column]: float(by_label[column]) for column in scored}
        return EvalScores(float(np.mean(list(f1.values()))) if f1 else 0.0, f1, thresholds)
