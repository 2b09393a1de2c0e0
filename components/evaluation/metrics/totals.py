"""Sums over examples, which all metrics but the areas under curves are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics import catalogue
from components.evaluation.metrics.areas import Flags, Groups
from components.evaluation.metrics.catalogue import Metric
from components.evaluation.metrics.evidence import Evidence, Floats

# Even bins of probability, as in `components.trainer.decisions.reliability`.
CALIBRATION_BINS = 10
# Upper bound of the score comparisons done at once for the ranking, to limit memory.
_COMPARISONS = 4_000_000


def sample_metrics() -> list[Metric]:
    """Return the metrics that have an average over examples."""
    return [metric for metric in catalogue.METRICS if "samples" in metric.averages]


@dataclass
class Totals:
    """Sums over examples. The first axis is the jackknife group, except in the result of `whole`.

    Attributes:
        examples: Number of examples, int [n_groups].
        decided: Numbers of examples, int [n_groups, 4, n_labels]: true positives; predicted; having the label; known to
            have it or not. All four are of known examples only.
        by_example: Sums of the metrics of single examples, float [n_groups, n_subsets, n_metrics]; over the known ones
            of each subset of the labels, for each of `sample_metrics()`.
        labelled: Examples of which a label of the subset is known, int [n_groups, n_subsets].
        calibration: In each bin of probability, the sum over its examples of the probability, less 1 for those that
            have the label; float [n_groups, n_labels, 10]. One group only where replicates of it are not wanted.
    """

    examples: npt.NDArray[np.int64]
    decided: npt.NDArray[np.int64]
    by_example: Floats
    labelled: npt.NDArray[np.int64]
    calibration: Floats

    @classmethod
    def zeros(cls, n_groups: int, n_labels: int, n_subsets: int, n_calibration_groups: int) -> Self:
        """Return the sums over no examples."""
        return cls(
            np.zeros(n_groups, np.int64),
            np.zeros((n_groups, 4, n_labels), np.int64),
            np.zeros((n_groups, n_subsets, len(sample_metrics()))),
            np.zeros((n_groups, n_subsets), np.int64),
            np.zeros((n_calibration_groups, n_labels, CALIBRATION_BINS)),
        )

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(one + two for one, two in zip(vars(self).values(), vars(other).values(), strict=True)))

    def whole(self) -> "Totals":
        """Return the sums over all groups, without their axis."""
        return Totals(*(each.sum(axis=0) for each in vars(self).values()))

    def without_each(self) -> "Totals":
        """Return, for each group, the sums over all other groups."""
        return Totals(*(each.sum(axis=0) - each for each in vars(self).values()))

    def add(
        self,
        predicted: Flags,
        truth: Flags,
        probabilities: Floats,
        groups: Groups,
        subsets: Sequence[Sequence[int] | None],
        known: Flags | None = None,
    ) -> None:
        """Add examples.

        Args:
            predicted: [n, n_labels], the model's decisions.
            truth: [n, n_labels], the labels that the examples have.
            probabilities: [n, n_labels].
            groups: [n], the jackknife group of each example.
            subsets: Columns of each subset of the labels; None for all.
            known: [n, n_labels], the labels that the examples are known to have or not, all of `truth` among them; None
                for all.
        """
        is_known = np.ones_like(truth) if known is None else known
        predicted = predicted if known is None else predicted & known
        np.add.at(self.examples, groups, 1)
        np.add.at(self.decided, groups, np.stack([predicted & truth, predicted, truth, is_known], axis=1))
        self._add_calibration(probabilities, truth, known, groups)
        for subset, columns in enumerate(subsets):
            index = slice(None) if columns is None else list(columns)
            part = None if known is None else known[:, index]
            values = _by_example(predicted[:, index], truth[:, index], probabilities[:, index], part)
            labelled = slice(None) if part is None else part.any(axis=1)
            np.add.at(self.by_example[:, subset], groups[labelled], values[labelled])
            np.add.at(self.labelled[:, subset], groups[labelled], 1)

    def _add_calibration(self, probabilities: Floats, truth: Flags, known: Flags | None, groups: Groups) -> None:
        # The metrics of labels with a score that is not a number become NaN elsewhere.
        defined = np.nan_to_num(probabilities, nan=0.0)
        bins = np.minimum((defined * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        n_groups, n_labels, _ = self.calibration.shape
        rows = (groups if n_groups > 1 else np.zeros_like(groups)).astype(np.int64)[:, np.newaxis] * n_labels
        cells = (rows + np.arange(n_labels)) * CALIBRATION_BINS + bins
        index = slice(None) if known is None else known.ravel()
        np.add.at(self.calibration.reshape(-1), cells.ravel()[index], (defined - truth).ravel()[index])


def _by_example(predicted: Flags, truth: Flags, probabilities: Floats, known: Flags | None) -> Floats:
    """Compute the metrics of single examples over their known labels, float [n, n_metrics]."""
    true_positives, n_predicted, n_true = (each.sum(axis=1) for each in (predicted & truth, predicted, truth))
    n_known = truth.shape[1] if known is None else known.sum(axis=1)
    ranking = _ranking_average_precision(probabilities, truth, known)
    evidence = Evidence.from_sums(true_positives, n_predicted, n_true, n_known, ranking_precision=ranking)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([np.asarray(metric.formula(evidence), float) for metric in sample_metrics()], axis=1)


def _ranking_average_precision(probabilities: Floats, truth: Flags, known: Flags | None) -> Floats:
    """Compute the label ranking average precision of single examples, float [n].

    For each label that the example has: the share, among the known labels that rank as high or higher, of labels that
    the example has; averaged over the labels that it has. 1 for an example that has no label or all known ones. Source:
    Tsoumakas, Katakis and Vlahavas, 2010, "Mining multi-label data"; as in scikit-learn's
    `label_ranking_average_precision_score`.
    """
    n_examples, n_labels = truth.shape
    rows, columns = np.nonzero(truth)
    precision = np.empty(len(rows))
    step = max(1, _COMPARISONS // n_labels)
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        as_high = probabilities[rows[some]] >= probabilities[rows[some], columns[some]][:, np.newaxis]
        with np.errstate(invalid="ignore"):  # NaN is not as high as itself
            ranked = as_high if known is None else as_high & known[rows[some]]
            precision[some] = (as_high & truth[rows[some]]).sum(axis=1) / ranked.sum(axis=1)
    n_true = truth.sum(axis=1)
    n_known = n_labels if known is None else known.sum(axis=1)
    means = np.bincount(rows, precision, n_examples) / np.maximum(n_true, 1)
    return np.asarray(np.where((n_true == 0) | (n_true == n_known), 1.0, means))
