"""What multi-label metrics need to know of any number of examples, in bounded memory.

A tally takes examples one by one, merges with other tallies (Beam combines them in any order) and gives every metric
of every label at once. It is numpy on whole arrays: TFMA's own way, one binarized computation a label and metric,
takes minutes where this takes seconds.

All but the areas under curves comes from counts and sums; `components.evaluation.areas` says what of these is exact.

For confidence intervals, examples fall into 20 buckets, and every metric can be had without each of them in turn: the
replicates of a delete-d jackknife, as in TFMA, at the cost of keeping the counts by bucket. TFMA's own way, which
gives every bucket a tally of its own and merges all but one of them 20 times over, costs 20 times the time and memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluation import scores
from components.evaluation.areas import Areas, Buckets, Scores, Truth
from components.evaluation.scores import Averages, LabelScores
from components.evaluation.totals import Totals

# A label is given above this score, not at it, as in TFMA's own matrices and as the model serves: the exported
# `evaluation` signature puts every label's threshold at 0.5.
DECISION = 0.5
# As many as TFMA has.
JACKKNIFE_BUCKETS = 20
# Examples wait in a list until there are enough of them for numpy to be worth calling.
_BLOCK = 512


@dataclass(frozen=True)
class Wanted:
    """What a tally is to know.

    Attributes:
        n_labels: the labels.
        thresholds: each label's, from which its probabilities come of its decision scores; None: they are the same.
        subsets: columns of labels over which averages are wanted besides those over all.
        replicates: whether the metrics are wanted without each bucket in turn; `areas` likewise, and `calibration`.
        areas: whether the replicates have areas under curves.
        calibration: whether they have calibration errors.
    """

    n_labels: int
    thresholds: tuple[float, ...] | None = None
    subsets: tuple[tuple[int, ...], ...] = ()
    replicates: bool = False
    areas: bool = False
    calibration: bool = False

    @property
    def columns(self) -> tuple[tuple[int, ...] | None, ...]:
        """The labels of each average, None for all."""
        return (None, *self.subsets)


class Tally:
    """Counts, sums and scores of examples."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        buckets = JACKKNIFE_BUCKETS if wanted.replicates else 1
        self._waiting: list[tuple[Scores, Sequence[int], int]] = []
        self._not_a_number = np.zeros(wanted.n_labels, bool)
        self._totals = Totals.zeros(buckets, wanted.n_labels, len(wanted.columns), buckets if wanted.calibration else 1)
        self._areas = Areas(wanted.n_labels, buckets if wanted.areas else 1)

    @property
    def examples(self) -> int:
        """How many were added."""
        return int(self._totals.examples.sum()) + len(self._waiting)

    def add(self, row: Scores, positives: Sequence[int], bucket: int = 0) -> None:
        """Adds one example.

        Args:
            row: [n_labels], decision scores in 0..1: above 0.5 the label is given.
            positives: the columns of the labels that the example has.
            bucket: of the jackknife, 0..19; any number where no replicates are wanted.
        """
        self._waiting.append((row, positives, bucket))
        if len(self._waiting) >= _BLOCK:
            self.compact()

    def merge(self, other: "Tally") -> None:
        """Adds the examples of another tally, which is not to be used any more."""
        self.compact()
        other.compact()
        self._not_a_number |= other._not_a_number
        self._totals = self._totals + other._totals
        self._areas.merge(other._areas)

    def compact(self) -> None:
        """Works off what waits, so that the tally is small to send."""
        if not self._waiting:
            return
        decisions = np.stack([row for row, *_ in self._waiting]).astype(np.float32, copy=False)
        positives = np.zeros(decisions.shape, bool)
        for row, (_, columns, _) in enumerate(self._waiting):
            positives[row, columns] = True
        buckets = np.array([bucket for *_, bucket in self._waiting], np.uint8)
        self._waiting = []
        self._not_a_number |= np.isnan(decisions).any(axis=0)
        self._count(decisions, positives, buckets if self._wanted.replicates else np.zeros_like(buckets))

    def labels(self) -> LabelScores:
        """Every label's metrics over the examples added so far, each [n_labels]."""
        self.compact()
        return scores.label_scores(self._totals.whole(), self._areas.areas(), self._not_a_number)

    def averages(self, labels: LabelScores, subset: int = 0) -> Averages:
        """The averages over the labels.

        Args:
            labels: what `labels()` returned.
            subset: over all, 0; or over the n-th of `Wanted.subsets`, counted from 1.
        """
        columns = self._wanted.columns[subset]
        return scores.averages(self._totals.whole(), labels, subset, columns, self._not_a_number)

    def replicates(self) -> tuple[LabelScores, list[Averages]]:
        """Metrics without each bucket in turn, [20, n_labels]; and their averages, [20], over each subset.

        What `Wanted` did not ask for is NaN.
        """
        self.compact()
        wanted, rest = self._wanted, self._totals.without_each()
        nothing = np.full((JACKKNIFE_BUCKETS, wanted.n_labels), np.nan)
        areas = self._areas.replicates() if wanted.areas else (nothing, nothing)
        labels = scores.label_scores(rest, areas, self._not_a_number, calibration=wanted.calibration)
        return labels, [
            scores.averages(rest, labels, subset, columns, self._not_a_number)
            for subset, columns in enumerate(wanted.columns)
        ]

    def _count(self, decisions: Scores, positives: Truth, buckets: Buckets) -> None:
        given = decisions > DECISION
        probabilities = self._probabilities(decisions)
        self._totals.add(given, positives, probabilities, buckets, self._wanted.columns)
        self._areas.add(decisions, positives, buckets)

    def _probabilities(self, decisions: Scores) -> npt.NDArray[np.float64]:
        """Undoes the map of the `evaluation` signature, which takes each label's threshold to 0.5.

        Exact to 1e-7, and at 0 and 1; so it works for models that were exported before anyone asked for probabilities.
        """
        exact = decisions.astype(np.float64)
        if self._wanted.thresholds is None:
            return exact
        thresholds = np.array(self._wanted.thresholds)
        below, above = 2 * exact * thresholds, thresholds + (2 * exact - 1) * (1 - thresholds)
        return np.asarray(np.where(decisions > DECISION, above, below))
