"""Evidence that metrics are computed from."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def _empty() -> Floats:
    return np.empty(0)


@dataclass(frozen=True)
class Evidence:
    """Decisions and scores about labels, about all labels together, or about examples.

    All arrays have the same shape unless said otherwise: [..., n_labels] for labels, [...] for all labels together,
    [n_examples] for examples. A metric itself has no leading axes, its jackknife replicates have one of 20.

    Attributes:
        true_positives: Number of pairs of example and label that were predicted and are true, int.
        false_positives: Number of pairs that were predicted and are not true, int.
        false_negatives: Number of pairs that are true and were not predicted, int.
        true_negatives: Number of pairs that neither were predicted nor are true, int.
        roc_auc: Area under the ROC curve, NaN where a label has no positives or no negatives. For labels only.
        pr_auc: Area under the precision-recall curve, NaN where a label has no positives. For labels only.
        calibration: [..., n_labels, n_bins], in each bin of probability the sum over its examples of the probability,
            less 1 for those that have the label. For labels only.
        ranking_precision: Average precision of the ranking of the labels by probability. For examples only.
    """

    true_positives: Counts
    false_positives: Counts
    false_negatives: Counts
    true_negatives: Counts
    roc_auc: Floats = field(default_factory=_empty)
    pr_auc: Floats = field(default_factory=_empty)
    calibration: Floats = field(default_factory=_empty)
    ranking_precision: Floats = field(default_factory=_empty)

    @classmethod
    def from_sums(cls, true_positives: Counts, predicted: Counts, support: Counts, total: Any, **more: Floats) -> Self:
        """Return the evidence for these numbers of pairs of example and label.

        Args:
            true_positives: Predicted and true.
            predicted: Predicted.
            support: True.
            total: All pairs.
            **more: Further attributes.
        """
        return cls(
            true_positives=true_positives,
            false_positives=predicted - true_positives,
            false_negatives=support - true_positives,
            true_negatives=total - predicted - support + true_positives,
            **more,
        )

    @property
    def support(self) -> Counts:
        """Number of pairs that are true."""
        return self.true_positives + self.false_negatives

    @property
    def total(self) -> Counts:
        """Number of all pairs: of a label, the number of examples."""
        return self.true_positives + self.false_positives + self.false_negatives + self.true_negatives
