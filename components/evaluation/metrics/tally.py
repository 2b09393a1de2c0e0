"""Tally of examples, from which all metrics of all labels are computed, in bounded memory.

Examples are added one by one; tallies of parts are merged in any order, as Beam's combiners need it. Everything is
numpy on whole arrays: TFMA's own metrics, with one binarized computation for each label and metric, take minutes where
this takes seconds.

All metrics but the areas under curves come from counts and sums; `components.evaluation.metrics.areas` describes which
areas are exact.

For confidence intervals, examples are divided into 20 groups, and every metric can be computed without each of them in
turn: the replicates of a delete-d jackknife, as in TFMA. Only the counts have to be kept by group for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics.areas import Areas
from components.evaluation.metrics.areas import Scores as DecisionScores
from components.evaluation.metrics.scores import Scores, average_scores, label_scores
from components.evaluation.metrics.totals import Totals

# A label is predicted above this score, not at it, as in TFMA's own matrices and in serving: the exported `evaluation`
# signature maps every label's threshold to 0.5.
DECISION = 0.5
# The same number as in TFMA.
JACKKNIFE_GROUPS = 20
# Number of examples that are counted at once: numpy pays off for many.
_BLOCK = 512
# This many pending examples take about the memory of their counts, whatever the number of labels. Beam keeps some
# thousand accumulators at a time and sends the others on: with 500 label slices most of them have a few examples only.
_MIN_COMPACTED = 128

_Row = tuple[DecisionScores, Sequence[int], int, Sequence[int]]


@dataclass(frozen=True)
class TallySpec:
    """What a tally computes.

    Attributes:
        n_labels: Number of labels.
        thresholds: Threshold of each label, from which its probabilities are derived from its decision scores; None if
            both are the same.
        subsets: Subsets of the labels, as columns, to compute averages over besides those over all labels.
        replicates: Whether to keep counts by jackknife group.
        areas: Whether replicates include areas under curves.
        calibration: Whether replicates include calibration errors.
    """

    n_labels: int
    thresholds: tuple[float, ...] | None = None
    subsets: tuple[tuple[int, ...], ...] = ()
    replicates: bool = False
    areas: bool = False
    calibration: bool = False

    @property
    def columns(self) -> tuple[tuple[int, ...] | None, ...]:
        """Columns of the labels of each average; None for all."""
        return (None, *self.subsets)


@dataclass
class _Counts:
    """Counts of examples.

    Attributes:
        totals: Sums over the examples.
        areas: Scores of the examples.
        broken: [n_labels], the labels for which a score is not a number.
    """

    totals: Totals
    areas: Areas
    broken: npt.NDArray[np.bool_]

    @classmethod
    def zeros(cls, spec: TallySpec) -> Self:
        groups = JACKKNIFE_GROUPS if spec.replicates else 1
        totals = Totals.zeros(groups, spec.n_labels, len(spec.columns), groups if spec.calibration else 1)
        areas = Areas(spec.n_labels, groups if spec.areas else 1)
        return cls(totals, areas, np.zeros(spec.n_labels, bool))

    def merge(self, other: "_Counts") -> None:
        self.totals = self.totals + other.totals
        self.areas.merge(other.areas)
        self.broken |= other.broken


class Tally:
    """Counts, sums and scores of examples; a few examples are kept as they are, which takes less memory."""

    def __init__(self, spec: TallySpec) -> None:
        self._spec = spec
        self._pending: list[_Row] = []
        self._counts: _Counts | None = None

    @property
    def examples(self) -> int:
        """Number of examples."""
        counted = 0 if self._counts is None else int(self._counts.totals.examples.sum())
        return counted + len(self._pending)

    def add(self, scores: DecisionScores, labels: Sequence[int], group: int = 0, unknown: Sequence[int] = ()) -> None:
        """Add one example.

        Args:
            scores: [n_labels], decision scores in 0..1: a label is predicted above 0.5.
            labels: Columns of the labels that the example has.
            group: Jackknife group, 0..19; ignored where no replicates are wanted.
            unknown: Columns of the labels of which nobody knows whether the example has them.
        """
        self._pending.append((scores, labels, group, unknown))
        if len(self._pending) >= _BLOCK:
            self._count_pending()

    def merge(self, other: "Tally") -> None:
        """Add the examples of another tally, which must not be used afterwards."""
        self._pending += other._pending
        if len(self._pending) >= _BLOCK:
            self._count_pending()
        if self._counts is None or other._counts is None:
            self._counts = self._counts or other._counts
        else:
            self._counts.merge(other._counts)

    def compact(self) -> None:
        """Count pending examples if that makes the tally smaller to send."""
        if len(self._pending) >= _MIN_COMPACTED:
            self._count_pending()

    def labels(self) -> Scores:
        """Return the metrics of each label, [n_labels] each."""
        counts = self._count_pending()
        return label_scores(counts.totals.whole(), counts.areas.areas(), counts.broken)

    def averages(self, labels: Scores, subset: int = 0) -> Scores:
        """Return the averages over labels.

        Args:
            labels: Result of `labels()`.
            subset: 0 for the averages over all labels, n for those over the n-th of `TallySpec.subsets`.
        """
        counts, columns = self._count_pending(), self._spec.columns[subset]
        return average_scores(counts.totals.whole(), labels, subset, columns, counts.broken)

    def replicates(self) -> tuple[Scores, list[Scores]]:
        """Return the metrics without each jackknife group in turn.

        Returns:
            The metrics of each label, [20, n_labels] each; the averages, [20] each, for each of `TallySpec.columns`.
            Metrics that the spec does not include are NaN.
        """
        spec, counts = self._spec, self._count_pending()
        rest, broken = counts.totals.without_each(), counts.broken
        undefined = np.full((JACKKNIFE_GROUPS, spec.n_labels), np.nan)
        areas = counts.areas.replicates() if spec.areas else (undefined, undefined)
        labels = label_scores(rest, areas, broken, calibration=spec.calibration)
        return labels, [
            average_scores(rest, labels, subset, columns, broken) for subset, columns in enumerate(spec.columns)
        ]

    def _count_pending(self) -> _Counts:
        """Count the pending examples, and return the counts of all examples."""
        counts = self._counts = self._counts or _Counts.zeros(self._spec)
        if not self._pending:
            return counts
        decisions = np.stack([scores for scores, *_ in self._pending]).astype(np.float32, copy=False)
        truth = np.zeros(decisions.shape, bool)
        known = None
        for row, (_, columns, _, unknown) in enumerate(self._pending):
            truth[row, columns] = True
            if len(unknown):
                known = np.ones(truth.shape, bool) if known is None else known
                known[row, unknown] = False
        if known is not None:
            known |= truth
        groups = np.array([group * self._spec.replicates for _, _, group, _ in self._pending], np.uint8)
        self._pending = []
        counts.broken |= np.isnan(decisions).any(axis=0)
        probabilities = self._probabilities(decisions)
        counts.totals.add(decisions > DECISION, truth, probabilities, groups, self._spec.columns, known)
        counts.areas.add(decisions, truth, groups, known)
        return counts

    def _probabilities(self, decisions: DecisionScores) -> npt.NDArray[np.float64]:
        """Invert the map of the `evaluation` signature, which takes each label's threshold to 0.5.

        Exact to 1e-7, and at 0 and 1. Computing probabilities here also works for models whose signature was exported
        before any metric needed them.
        """
        exact = decisions.astype(np.float64)
        if self._spec.thresholds is None:
            return exact
        thresholds = np.array(self._spec.thresholds)
        below, above = 2 * exact * thresholds, thresholds + (2 * exact - 1) * (1 - thresholds)
        return np.asarray(np.where(decisions > DECISION, above, below))
