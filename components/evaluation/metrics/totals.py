"""Sums over examples, of which all metrics but the areas under curves are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics.areas import Buckets, Truth

Floats = npt.NDArray[np.float64]

# Even bins of probability, as in `components.trainer.decisions.reliability`.
CALIBRATION_BINS = 10
_BY_EXAMPLE = 5
# Comparisons of scores made at once for the ranking, to bound its memory.
_COMPARISONS = 4_000_000


@dataclass
class Totals:
    """Sums over examples; the first axis is the jackknife's bucket, but in what `whole` returns.

    Attributes:
        examples: int [n_buckets].
        decided: int [n_buckets, 3, n_labels]: true positives; given; having the label.
        by_example: [n_buckets, n_subsets, 5]: of each example, precision, recall, F1, whether all is right, average
            precision of the ranking; over each subset of the labels.
        calibration: [n_buckets, n_labels, 10]: probability less 1 for the label, of the examples in each bin of
            probability; of one bucket where its replicates are not wanted.
    """

    examples: npt.NDArray[np.int64]
    decided: npt.NDArray[np.int64]
    by_example: Floats
    calibration: Floats

    @classmethod
    def zeros(cls, n_buckets: int, n_labels: int, n_subsets: int, n_calibration_buckets: int) -> Self:
        """Of no examples."""
        return cls(
            np.zeros(n_buckets, np.int64),
            np.zeros((n_buckets, 3, n_labels), np.int64),
            np.zeros((n_buckets, n_subsets, _BY_EXAMPLE)),
            np.zeros((n_calibration_buckets, n_labels, CALIBRATION_BINS)),
        )

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(one + two for one, two in zip(vars(self).values(), vars(other).values(), strict=True)))

    def whole(self) -> "Totals":
        """Over all buckets, without their axis."""
        return Totals(*(each.sum(axis=0) for each in vars(self).values()))

    def without_each(self) -> "Totals":
        """Over all buckets but one, for each of them; where there is one only, over nothing."""
        return Totals(*(each.sum(axis=0) - each for each in vars(self).values()))

    def add(
        self,
        given: Truth,
        positives: Truth,
        probabilities: Floats,
        buckets: Buckets,
        subsets: Sequence[Sequence[int] | None],
    ) -> None:
        """Adds examples.

        Args:
            given: [n, n_labels], what the model decided.
            positives: [n, n_labels], what is right.
            probabilities: [n, n_labels], of each label.
            buckets: [n].
            subsets: the columns of each, None for all.
        """
        np.add.at(self.examples, buckets, 1)
        np.add.at(self.decided, buckets, np.stack([given & positives, given, positives], axis=1))
        self._add_calibration(probabilities, positives, buckets)
        for subset, columns in enumerate(subsets):
            some = slice(None) if columns is None else list(columns)
            values = _by_example(given[:, some], positives[:, some], probabilities[:, some])
            np.add.at(self.by_example[:, subset], buckets, values)

    def _add_calibration(self, probabilities: Floats, positives: Truth, buckets: Buckets) -> None:
        # What is no number spoils its label's metrics elsewhere.
        defined = np.nan_to_num(probabilities, nan=0.0)
        bins = np.minimum((defined * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        n_buckets, n_labels, _ = self.calibration.shape
        rows = (buckets if n_buckets > 1 else np.zeros_like(buckets)).astype(np.int64)[:, np.newaxis] * n_labels
        cells = (rows + np.arange(n_labels)) * CALIBRATION_BINS + bins
        np.add.at(self.calibration.reshape(-1), cells.ravel(), (defined - positives).ravel())


def _by_example(given: Truth, positives: Truth, probabilities: Floats) -> Floats:
    """Float [n, 5], as `Totals.by_example`."""
    right, n_given, n_positives = ((given & positives).sum(axis=1), given.sum(axis=1), positives.sum(axis=1))
    rates = [
        np.divide(numerator, denominator, out=np.zeros(len(given)), where=denominator > 0)
        for numerator, denominator in ((right, n_given), (right, n_positives), (2 * right, n_given + n_positives))
    ]
    ranking = _ranking_average_precision(probabilities, positives)
    return np.stack([*rates, (given == positives).all(axis=1).astype(float), ranking], axis=1)


def _ranking_average_precision(probabilities: Floats, positives: Truth) -> Floats:
    """Float [n]: of the labels that rank as high as one that is right, the share that are; mean over the right ones.

    Without a right label, or without a wrong one, 1. Source: Tsoumakas, Katakis and Vlahavas, 2010, "Mining multi-label
    data"; as scikit-learn's `label_ranking_average_precision_score`.
    """
    n_examples, n_labels = positives.shape
    rows, columns = np.nonzero(positives)
    precision = np.empty(len(rows))
    step = max(1, _COMPARISONS // n_labels)
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        as_high = probabilities[rows[some]] >= probabilities[rows[some], columns[some]][:, np.newaxis]
        with np.errstate(invalid="ignore"):  # what is no number is not as high as itself
            precision[some] = (as_high & positives[rows[some]]).sum(axis=1) / as_high.sum(axis=1)
    n_positives = positives.sum(axis=1)
    means = np.bincount(rows, precision, n_examples) / np.maximum(n_positives, 1)
    return np.asarray(np.where((n_positives == 0) | (n_positives == n_labels), 1.0, means))
