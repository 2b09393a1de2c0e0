"""What multi-label metrics need to know of any number of examples, in bounded memory.

A tally takes examples one by one, merges with other tallies (Beam combines them in any order) and gives every metric
of every label at once. It is numpy on whole arrays: TFMA's own way, one binarized computation a label and metric,
takes minutes where this takes seconds.

Precision, recall and F1 come from exact counts. ROC AUC and PR AUC are exact while the scores fit into
`MEMORY_BYTES` (with 28 labels: 60,000 examples of a slice); beyond, the scores become a histogram of that size; the
tests say how close its areas come.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

# A label is given above this score, not at it, as in TFMA's own matrices and as the model serves: the exported
# `evaluation` signature puts every label's threshold at 0.5.
DECISION = 0.5
# A tally is never much larger, whatever the number of examples; there is one a slice and model.
MEMORY_BYTES = 8 * 2**20
_BYTES_A_SCORE = 5  # float32 and a bool
_BYTES_A_BIN = 8  # two uint32
# Bins are of equal width in log odds, because the scores of a rare label crowd near 0: in equal steps of probability
# most of them would share a bin. float32 knows no score closer to 1 than log odds of 17.
_LOG_ODDS_LIMIT = 18.0
# Examples wait in a list until there are enough of them for numpy to be worth calling.
_BLOCK = 512


@dataclass(frozen=True)
class LabelScores:
    """Each label's metrics, in the order of the labels.

    Attributes:
        precision: float [n_labels]; 0 where nothing was given, as scikit-learn with `zero_division=0`. NaN, as the
            others, where the model gave a score that is not a number.
        recall: float [n_labels]; 0 where nothing was to be given.
        f1: float [n_labels]; 0 where nothing was given nor to be given.
        auc: float [n_labels], area under the ROC curve; NaN where positives or negatives are missing.
        pr_auc: float [n_labels], average precision; NaN where positives are missing.
        support: int [n_labels], examples that have the label.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    auc: Floats
    pr_auc: Floats
    support: Counts


@dataclass(frozen=True)
class Averages:
    """Averages over the labels; each may be NaN.

    Attributes:
        macro_precision, macro_recall, macro_f1: means over all labels, an empty label counting as 0 (scikit-learn's
            `average="macro", zero_division=0`).
        macro_auc, macro_pr_auc: means over the labels for which the area is defined.
        micro_precision, micro_recall, micro_f1: of the pooled counts.
    """

    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_auc: float
    macro_pr_auc: float
    micro_precision: float
    micro_recall: float
    micro_f1: float


class Tally:
    """Counts and scores of examples, for `n_labels` labels."""

    def __init__(self, n_labels: int) -> None:
        self.n_labels = n_labels
        self.n_bins = max(2, MEMORY_BYTES // (_BYTES_A_BIN * n_labels))
        self.examples = 0
        self._waiting: list[tuple[npt.NDArray[np.float32], Sequence[int]]] = []
        self._true_positives: Counts = np.zeros(n_labels, np.int64)
        self._given: Counts = np.zeros(n_labels, np.int64)
        self._support: Counts = np.zeros(n_labels, np.int64)
        self._not_a_number = np.zeros(n_labels, bool)
        self._exact: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]] | None = []
        self._histogram: npt.NDArray[np.uint32] | None = None  # [n_labels, n_bins, 2]: negatives, positives

    def add(self, scores: npt.NDArray[np.float32], positives: Sequence[int]) -> None:
        """Adds one example.

        Args:
            scores: [n_labels], decision scores in 0..1: above 0.5 the label is given.
            positives: the columns of the labels that the example has.
        """
        self.examples += 1
        self._waiting.append((scores, positives))
        if len(self._waiting) >= _BLOCK:
            self.compact()

    def merge(self, other: "Tally") -> None:
        """Adds the examples of another tally, which is not to be used any more."""
        self.compact()
        other.compact()
        self.examples += other.examples
        self._true_positives += other._true_positives
        self._given += other._given
        self._support += other._support
        self._not_a_number |= other._not_a_number
        if self._exact is not None and other._exact is not None:
            self._exact += other._exact
            self._bound()
            return
        self._histogram = self._to_histogram() + other._to_histogram()
        self._exact = None

    def compact(self) -> None:
        """Works off what waits, so that the tally is small to send."""
        if not self._waiting:
            return
        scores = np.stack([row for row, _ in self._waiting]).astype(np.float32, copy=False)
        positives = np.zeros(scores.shape, bool)
        for row, (_, columns) in enumerate(self._waiting):
            positives[row, columns] = True
        self._waiting = []
        given = scores > DECISION
        self._true_positives += (given & positives).sum(axis=0)
        self._given += given.sum(axis=0)
        self._support += positives.sum(axis=0)
        self._not_a_number |= np.isnan(scores).any(axis=0)
        if self._exact is not None:
            self._exact.append((scores, positives))
            self._bound()
        elif self._histogram is not None:
            self._histogram += _histogram(scores, positives, self.n_bins)

    def labels(self) -> LabelScores:
        """Every label's metrics over the examples added so far."""
        self.compact()
        areas = self._exact_areas() if self._exact is not None else _areas(self._to_histogram())
        precision = _ratio(self._true_positives, self._given)
        recall = _ratio(self._true_positives, self._support)
        f1 = _ratio(2 * self._true_positives, self._given + self._support)
        columns = (precision, recall, f1, *areas)
        for column in columns:
            column[self._not_a_number] = np.nan
        return LabelScores(*columns, support=self._support.copy())

    def averages(self, labels: LabelScores, columns: Sequence[int] | None = None) -> Averages:
        """The averages over the labels.

        Args:
            labels: what `labels()` returned.
            columns: the labels that count, at least one; None for all.
        """
        some = slice(None) if columns is None else list(columns)
        pooled = self._true_positives[some].sum(), self._given[some].sum(), self._support[some].sum()
        broken = np.nan if self._not_a_number[some].any() else 0.0
        return Averages(
            macro_precision=float(labels.precision[some].mean()),
            macro_recall=float(labels.recall[some].mean()),
            macro_f1=float(labels.f1[some].mean()),
            macro_auc=_mean_of_defined(labels.auc[some]) + broken,
            macro_pr_auc=_mean_of_defined(labels.pr_auc[some]) + broken,
            micro_precision=float(_ratio(pooled[0], pooled[1])) + broken,
            micro_recall=float(_ratio(pooled[0], pooled[2])) + broken,
            micro_f1=float(_ratio(2 * pooled[0], pooled[1] + pooled[2])) + broken,
        )

    def _bound(self) -> None:
        """Gives the scores up for a histogram once they would take more memory."""
        limit = MEMORY_BYTES // _BYTES_A_SCORE
        if self._exact is not None and sum(scores.size for scores, _ in self._exact) > limit:
            self._histogram = self._to_histogram()
            self._exact = None

    def _to_histogram(self) -> npt.NDArray[np.uint32]:
        if self._histogram is not None:
            return self._histogram
        result = np.zeros((self.n_labels, self.n_bins, 2), np.uint32)
        for scores, positives in self._exact or []:
            result += _histogram(scores, positives, self.n_bins)
        return result

    def _exact_areas(self) -> tuple[Floats, Floats]:
        """ROC and PR AUC from the scores themselves: a histogram with a bin for every score that occurs."""
        areas = np.full((2, self.n_labels), np.nan)
        if self._exact:
            scores = np.concatenate([block for block, _ in self._exact])
            positives = np.concatenate([block for _, block in self._exact])
            for label in range(self.n_labels):
                values, bins = np.unique(scores[:, label], return_inverse=True)
                counts = np.bincount(2 * bins + positives[:, label], minlength=2 * len(values))
                areas[:, label] = np.ravel(_areas(counts.reshape(1, -1, 2)))
        return areas[0], areas[1]


def _histogram(
    scores: npt.NDArray[np.float32], positives: npt.NDArray[np.bool_], n_bins: int
) -> npt.NDArray[np.uint32]:
    """Counts [n_labels, n_bins, 2] of negatives and positives in bins of equal width in log odds."""
    n_labels = scores.shape[1]
    exact = np.nan_to_num(scores.astype(np.float64), nan=0.0)  # such a label's areas become NaN in the end
    with np.errstate(divide="ignore"):
        log_odds = np.log(exact) - np.log1p(-exact)
    unit = np.clip(log_odds / (2 * _LOG_ODDS_LIMIT) + 0.5, 0.0, 1.0)
    bins = np.minimum((unit * n_bins).astype(np.int64), n_bins - 1)
    cells = (np.arange(n_labels) * n_bins + bins) * 2 + positives
    counts = np.bincount(cells.ravel(), minlength=n_labels * n_bins * 2)
    return counts.reshape(n_labels, n_bins, 2).astype(np.uint32)


def _areas(histogram: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
    """The areas under the ROC and the precision-recall curve, scores in one bin counting as equal.

    ROC: the probability that a positive scores above a negative, ties counting half (Hanley and McNeil, 1982).
    PR: average precision, sum over bins of (change of recall) x precision, as scikit-learn's
    `average_precision_score`.

    Args:
        histogram: [n_labels, n_bins, 2], counts of negatives and positives, bins of rising score.

    Returns:
        ROC AUC [n_labels], PR AUC [n_labels]; NaN where undefined.
    """
    falling = histogram[:, ::-1, :].astype(np.float64)
    negatives, positives = falling[..., 0], falling[..., 1]
    true_positives, given = positives.cumsum(axis=1), falling.sum(axis=2).cumsum(axis=1)
    n_positives, n_negatives = positives.sum(axis=1), negatives.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs_won = (negatives * (true_positives - positives / 2)).sum(axis=1)
        roc = pairs_won / (n_positives * n_negatives)
        precision = np.where(given > 0, true_positives / given, 0.0)
        pr = (positives * precision).sum(axis=1) / n_positives
    return roc, pr


def _ratio(numerator: Counts, denominator: Counts) -> Floats:
    """The quotient, and 0 for 0 / 0."""
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=np.asarray(denominator) > 0)


def _mean_of_defined(values: Floats) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
