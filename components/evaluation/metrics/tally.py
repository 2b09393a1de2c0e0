"""What multi-label metrics need to know of any number of examples, in bounded memory.

A tally takes examples one by one, merges with other tallies (Beam combines them in any order) and gives every metric
of every label at once. It is numpy on whole arrays: TFMA's own way, one binarized computation a label and metric,
takes minutes where this takes seconds.

All metrics but the areas under curves come from counts and sums; `components.evaluation.metrics.areas` says which
areas are exact.

For confidence intervals, examples fall into 20 buckets, and every metric can be had without each of them in turn: the
replicates of a delete-d jackknife, as in TFMA, at the cost of keeping the counts by bucket.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics import scores
from components.evaluation.metrics.areas import Areas, Scores
from components.evaluation.metrics.scores import Averages, LabelScores
from components.evaluation.metrics.totals import Totals

# A label is given above this score, not at it, as in TFMA's own matrices and as the model serves: the exported
# `evaluation` signature puts every label's threshold at 0.5.
DECISION = 0.5
# As many as TFMA has.
JACKKNIFE_BUCKETS = 20
# Examples wait in a list until there are enough of them for numpy to be worth calling.
_BLOCK = 512
# So many take about the memory of what is counted of them, whatever the number of labels. Beam keeps some thousand
# accumulators at a time, and sends the others on: with 500 label slices most of them hold a few examples only.
_WORTH_COUNTING = 128

_Row = tuple[Scores, Sequence[int], int]


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


@dataclass
class _Counted:
    """What is known of examples that were worked off; `not_a_number`: [n_labels], where a score was none."""

    totals: Totals
    areas: Areas
    not_a_number: npt.NDArray[np.bool_]

    @classmethod
    def nothing(cls, wanted: Wanted) -> Self:
        buckets = JACKKNIFE_BUCKETS if wanted.replicates else 1
        totals = Totals.zeros(buckets, wanted.n_labels, len(wanted.columns), buckets if wanted.calibration else 1)
        areas = Areas(wanted.n_labels, buckets if wanted.areas else 1)
        return cls(totals, areas, np.zeros(wanted.n_labels, bool))

    def merge(self, other: "_Counted") -> None:
        self.totals = self.totals + other.totals
        self.areas.merge(other.areas)
        self.not_a_number |= other.not_a_number


class Tally:
    """Counts, sums and scores of examples; of a few, the examples themselves, which is less to hold and to send."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._waiting: list[_Row] = []
        self._counted: _Counted | None = None

    @property
    def examples(self) -> int:
        """How many were added."""
        counted = 0 if self._counted is None else int(self._counted.totals.examples.sum())
        return counted + len(self._waiting)

    def add(self, row: Scores, positives: Sequence[int], bucket: int = 0) -> None:
        """Adds one example.

        Args:
            row: [n_labels], decision scores in 0..1: above 0.5 the label is given.
            positives: the columns of the labels that the example has.
            bucket: of the jackknife, 0..19; any number where no replicates are wanted.
        """
        self._waiting.append((row, positives, bucket))
        if len(self._waiting) >= _BLOCK:
            self._work_off()

    def merge(self, other: "Tally") -> None:
        """Adds the examples of another tally, which is not to be used any more."""
        self._waiting += other._waiting
        if len(self._waiting) >= _BLOCK:
            self._work_off()
        if self._counted is None or other._counted is None:
            self._counted = self._counted or other._counted
        else:
            self._counted.merge(other._counted)

    def compact(self) -> None:
        """Works off what waits if the tally is smaller to send then."""
        if len(self._waiting) >= _WORTH_COUNTING:
            self._work_off()

    def labels(self) -> LabelScores:
        """Every label's metrics over the examples added so far, each [n_labels]."""
        counted = self._work_off()
        return scores.label_scores(counted.totals.whole(), counted.areas.areas(), counted.not_a_number)

    def averages(self, labels: LabelScores, subset: int = 0) -> Averages:
        """The averages over the labels.

        Args:
            labels: what `labels()` returned.
            subset: over all, 0; or over the n-th of `Wanted.subsets`, counted from 1.
        """
        counted, columns = self._work_off(), self._wanted.columns[subset]
        return scores.averages(counted.totals.whole(), labels, subset, columns, counted.not_a_number)

    def replicates(self) -> tuple[LabelScores, list[Averages]]:
        """Metrics without each bucket in turn, [20, n_labels]; and their averages, [20], over each subset.

        What `Wanted` did not ask for is NaN.
        """
        wanted, counted = self._wanted, self._work_off()
        rest, broken = counted.totals.without_each(), counted.not_a_number
        nothing = np.full((JACKKNIFE_BUCKETS, wanted.n_labels), np.nan)
        areas = counted.areas.replicates() if wanted.areas else (nothing, nothing)
        labels = scores.label_scores(rest, areas, broken, calibration=wanted.calibration)
        return labels, [
            scores.averages(rest, labels, subset, columns, broken) for subset, columns in enumerate(wanted.columns)
        ]

    def _work_off(self) -> "_Counted":
        """Counts what waits; returns all that was counted."""
        counted = self._counted = self._counted or _Counted.nothing(self._wanted)
        if not self._waiting:
            return counted
        decisions = np.stack([row for row, *_ in self._waiting]).astype(np.float32, copy=False)
        positives = np.zeros(decisions.shape, bool)
        for row, (_, columns, _) in enumerate(self._waiting):
            positives[row, columns] = True
        buckets = np.array([bucket * self._wanted.replicates for *_, bucket in self._waiting], np.uint8)
        self._waiting = []
        counted.not_a_number |= np.isnan(decisions).any(axis=0)
        probabilities = self._probabilities(decisions)
        counted.totals.add(decisions > DECISION, positives, probabilities, buckets, self._wanted.columns)
        counted.areas.add(decisions, positives, buckets)
        return counted

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
