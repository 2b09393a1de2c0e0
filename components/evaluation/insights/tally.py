"""Tally of examples that `Insights` are computed from, in bounded memory; tallies of parts are merged in any order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from components.evaluation.insights.insights import (
    BINS,
    LOG_ODDS_LIMIT,
    MATRIX_LABELS,
    MOST_MISTAKES,
    RELIABILITY_BINS,
    Confusion,
    Insights,
    LabelMistakes,
    Mistake,
    Reliability,
    ScoreCounts,
    Together,
)

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# With many labels, fewer mistakes are kept for each: this many in all, but no fewer than the least for each.
_MISTAKES_IN_ALL = 2_000
_LEAST_MISTAKES = 3
# With more labels than fit a readable matrix, this many confusions are kept for each.
_MOST_CONFUSIONS = 20
# With as many labels, pairs of labels that are kept in all.
_MOST_PAIRS = 500
# Number of characters kept of a text, and of an id.
TEXT_CHARACTERS = 600
_ID_CHARACTERS = 200
# Number of examples that are counted at once: numpy pays off for many.
_BLOCK = 512
_DECISION = 0.5


@dataclass(frozen=True)
class ScoreReader:
    """Reader of a model's decision scores.

    Attributes:
        output_indices: Index of the model's output for each label in use; -1 where the model lacks the label.
        thresholds: Threshold of each label in use; any number where the model lacks the label.
    """

    output_indices: tuple[int, ...]
    thresholds: tuple[float, ...]

    def probabilities(self, scores: npt.NDArray[np.floating]) -> Floats:
        """Return the probabilities that decision scores were computed from.

        Inverts `components.trainer.decision_scores`: two straight lines that meet at the threshold.

        Args:
            scores: [n, n_outputs].

        Returns:
            [n, n_labels]; NaN for labels that the model lacks.
        """
        indices, thresholds = np.asarray(self.output_indices), np.asarray(self.thresholds, np.float64)
        selected = scores[:, indices].astype(np.float64)
        below, above = 2 * selected * thresholds, thresholds + (2 * selected - 1) * (1 - thresholds)
        probabilities = np.where(selected <= _DECISION, below, above)
        probabilities[:, indices < 0] = np.nan
        return probabilities


class Example(NamedTuple):
    """One example of the test split.

    Attributes:
        candidate: The candidate's decision scores, float32 [n_outputs].
        baseline: The baseline's decision scores, float32 [n_outputs]; None if there is no baseline.
        columns: Columns of the labels that the example has.
        id: Its id.
        text: Its text.
        text_pair: Its second text; None if examples are single texts.
        unknown: Columns of the labels of which nobody knows whether the example has them.
    """

    candidate: npt.NDArray[np.float32]
    baseline: npt.NDArray[np.float32] | None
    columns: Sequence[int]
    id: str
    text: str
    text_pair: str | None
    unknown: Sequence[int] = ()


class _RankedMistake(NamedTuple):
    """Mistake that may be kept. Ordered by confidence, so that the order in which parts are merged does not matter."""

    doubt: float
    id: str
    text: str
    text_pair: str
    probability: float
    truth: tuple[int, ...]
    predicted: tuple[int, ...]


class InsightsTally:
    """Counts and mistakes of examples.

    Args:
        labels: Labels in use.
        candidate: Reader of the candidate's scores.
        baseline: Reader of the baseline's scores; None if there is no baseline.
    """

    def __init__(self, labels: Sequence[str], candidate: ScoreReader, baseline: ScoreReader | None) -> None:
        n_labels = len(labels)
        self._labels = tuple(labels)
        self._readers = [candidate] if baseline is None else [candidate, baseline]
        self._examples = 0
        self._pending: list[Example] = []
        self._histograms = [np.zeros((n_labels, BINS, 2), np.int64) for _ in self._readers]
        self._reliability = [np.zeros((3, n_labels, RELIABILITY_BINS)) for _ in self._readers]
        # [2, n_labels, n_labels + 1]: missed and beside; the last column is for examples without labels.
        self._confusions = np.zeros((2, n_labels, n_labels + 1), np.int64)
        self._wrong = np.zeros((2, n_labels), np.int64)  # false positives, false negatives
        self._alone = np.zeros((2, n_labels), np.int64)  # surplus, missed alone
        self._together = np.zeros((2, n_labels, n_labels), np.int64)  # in truth, predicted
        self._most = min(MOST_MISTAKES, max(_LEAST_MISTAKES, _MISTAKES_IN_ALL // n_labels))
        self._false_positives: list[list[_RankedMistake]] = [[] for _ in labels]
        self._false_negatives: list[list[_RankedMistake]] = [[] for _ in labels]

    def add(self, example: Example) -> None:
        """Add an example, with the first characters of its texts."""
        pair = None if example.text_pair is None else _truncate(example.text_pair, TEXT_CHARACTERS)
        truncated = example._replace(
            id=_truncate(example.id, _ID_CHARACTERS), text=_truncate(example.text, TEXT_CHARACTERS), text_pair=pair
        )
        self._pending.append(truncated)
        if len(self._pending) >= _BLOCK:
            self.compact()

    def merge(self, other: "InsightsTally") -> None:
        """Add the examples of another tally of the same labels, which must not be used afterwards."""
        self.compact()
        other.compact()
        self._examples += other._examples
        self._confusions += other._confusions
        self._wrong += other._wrong
        self._alone += other._alone
        self._together += other._together
        for histogram, other_histogram in zip(self._histograms, other._histograms, strict=True):
            histogram += other_histogram
        for reliability, other_reliability in zip(self._reliability, other._reliability, strict=True):
            reliability += other_reliability
        for kept, others in (
            (self._false_positives, other._false_positives),
            (self._false_negatives, other._false_negatives),
        ):
            for label, mistakes in enumerate(others):
                kept[label] = nsmallest(self._most, kept[label] + mistakes)

    def compact(self) -> None:
        """Count the pending examples, so that the tally is small to send."""
        rows, self._pending = self._pending, []
        if not rows:
            return
        self._examples += len(rows)
        truth = np.zeros((len(rows), len(self._labels)), bool)
        known = np.ones_like(truth)
        for row, example in enumerate(rows):
            known[row, list(example.unknown)] = False
            truth[row, list(example.columns)] = True
        known |= truth
        scores = [np.stack([example.candidate for example in rows])]
        if len(self._readers) > 1:
            scores.append(np.stack([example.baseline for example in rows if example.baseline is not None]))
        probabilities = [reader.probabilities(each) for reader, each in zip(self._readers, scores, strict=True)]
        for each, histogram, reliability in zip(probabilities, self._histograms, self._reliability, strict=True):
            each[~known] = np.nan  # counted in neither
            _count(each, truth, histogram, reliability)
        predicted = scores[0][:, np.asarray(self._readers[0].output_indices)] > _DECISION
        predicted_known = predicted & known
        self._wrong += np.stack([(predicted_known & ~truth).sum(axis=0), (truth & ~predicted).sum(axis=0)])
        self._count_confusions(predicted_known, truth, known)
        self._together += np.stack([_count_pairs(truth), _count_pairs(predicted_known)])
        self._keep_mistakes(rows, probabilities[0], predicted, truth, known)

    def insights(self) -> Insights:
        """Return the insights into all examples."""
        self.compact()
        candidate, *baseline = (
            self._score_counts(reader, histogram, reliability)
            for reader, histogram, reliability in zip(self._readers, self._histograms, self._reliability, strict=True)
        )
        return Insights(
            examples=self._examples,
            candidate=candidate,
            baseline=baseline[0] if baseline else None,
            confusions=sorted(
                self._kept_confusions(), key=lambda each: (-each.missed, -each.beside, each.given, each.right or "")
            ),
            mistakes={
                label: LabelMistakes(
                    false_positives=int(self._wrong[0, column]),
                    false_negatives=int(self._wrong[1, column]),
                    wrongly_given=[self._mistake(each) for each in self._false_positives[column]],
                    missed=[self._mistake(each) for each in self._false_negatives[column]],
                )
                for column, label in enumerate(self._labels)
            },
            surplus=dict(zip(self._labels, self._alone[0].tolist(), strict=True)),
            missed_alone=dict(zip(self._labels, self._alone[1].tolist(), strict=True)),
            together=list(self._kept_pairs()),
        )

    def _count_confusions(self, predicted: Flags, truth: Flags, known: Flags) -> None:
        wrong = (predicted & ~truth).astype(np.float32).T
        self._confusions[0, :, :-1] += (wrong @ (truth & ~predicted)).astype(np.int64)
        self._confusions[1, :, :-1] += (wrong @ (truth & predicted)).astype(np.int64)
        self._confusions[0, :, -1] += (wrong @ (~truth.any(axis=1) & known.all(axis=1))).astype(np.int64)
        given, missed = predicted & ~truth, truth & ~predicted
        self._alone[0] += given[truth.any(axis=1) & ~missed.any(axis=1)].sum(axis=0)
        self._alone[1] += missed[~given.any(axis=1)].sum(axis=0)

    def _keep_mistakes(
        self, rows: Sequence[Example], probabilities: Floats, predicted: Flags, truth: Flags, known: Flags
    ) -> None:
        for kept, wrong, doubt in (
            (self._false_positives, predicted & known & ~truth, -probabilities),
            (self._false_negatives, truth & ~predicted, probabilities),
        ):
            for label in np.flatnonzero(wrong.any(axis=0)):
                candidates = np.flatnonzero(wrong[:, label])
                # Once enough mistakes are kept, only those that are at least as confident are considered.
                limit = kept[label][-1].doubt if len(kept[label]) == self._most else np.inf
                mistakes = [
                    _RankedMistake(
                        float(doubt[row, label]), rows[row].id, rows[row].text, rows[row].text_pair or "",
                        float(probabilities[row, label]), tuple(np.flatnonzero(truth[row]).tolist()),
                        tuple(np.flatnonzero(predicted[row]).tolist()),
                    )
                    for row in candidates[doubt[candidates, label] <= limit]
                ]  # fmt: skip
                kept[label] = nsmallest(self._most, kept[label] + mistakes)

    def _score_counts(
        self, reader: ScoreReader, histogram: npt.NDArray[np.int64], sums: Floats
    ) -> dict[str, ScoreCounts]:
        return {
            label: ScoreCounts(
                histogram=[
                    (int(index), int(histogram[column, index, 0]), int(histogram[column, index, 1]))
                    for index in np.flatnonzero(histogram[column].any(axis=1))
                ],
                reliability=[
                    Reliability(
                        low=int(index) / RELIABILITY_BINS,
                        examples=int(sums[0, column, index]),
                        probability=float(sums[1, column, index] / sums[0, column, index]),
                        frequency=float(sums[2, column, index] / sums[0, column, index]),
                    )
                    for index in np.flatnonzero(sums[0, column])
                ],
            )
            for column, label in enumerate(self._labels)
            if reader.output_indices[column] >= 0
        }

    def _kept_pairs(self) -> Iterator[Together]:
        """Yield the pairs of labels by their indices: all where they fit a matrix, else those with most examples."""
        n_labels = len(self._labels)
        first, second = np.triu_indices(n_labels, 1)
        counts = self._together[:, first, second]
        most = len(first) if n_labels <= MATRIX_LABELS else _MOST_PAIRS
        frequent = np.sort(np.argsort(-counts.max(axis=0), kind="stable")[:most]) if len(first) else first
        for pair in frequent[counts[:, frequent].any(axis=0)]:
            truth, predicted = counts[:, pair].tolist()
            yield Together(
                first=self._labels[first[pair]], second=self._labels[second[pair]], truth=truth, predicted=predicted
            )

    def _kept_confusions(self) -> Iterator[Confusion]:
        """Yield the confusions of each label: all of them where they fit a matrix, else the most frequent ones."""
        n_labels = len(self._labels)
        most = n_labels + 1 if n_labels <= MATRIX_LABELS else _MOST_CONFUSIONS
        for predicted in range(n_labels):
            missed, beside = self._confusions[:, predicted]
            most_frequent = np.lexsort([-beside, -missed])[:most]
            for true in most_frequent[(missed + beside)[most_frequent] > 0]:
                yield Confusion(
                    given=self._labels[predicted],
                    right=self._labels[true] if true < n_labels else None,
                    missed=int(missed[true]),
                    beside=int(beside[true]),
                )

    def _mistake(self, candidate: _RankedMistake) -> Mistake:
        return Mistake(
            id=candidate.id,
            probability=candidate.probability,
            text=candidate.text,
            text_pair=candidate.text_pair or None,
            right=[self._labels[column] for column in candidate.truth],
            given=[self._labels[column] for column in candidate.predicted],
        )


def _count_pairs(flags: Flags) -> npt.NDArray[np.int64]:
    """Return the number of examples that have both labels, [n_labels, n_labels], of flags [n, n_labels]."""
    values = flags.astype(np.float32)  # matrix products of integers do not use BLAS; counts of a block are exact
    return np.asarray(values.T @ values).astype(np.int64)


def _count(probabilities: Floats, truth: Flags, histogram: npt.NDArray[np.int64], reliability: Floats) -> None:
    """Add probabilities [n, n_labels] to both counts in place; those that are NaN are left out."""
    rows, labels = np.nonzero(~np.isnan(probabilities))
    values, true = probabilities[rows, labels], truth[rows, labels]
    with np.errstate(divide="ignore"):
        log_odds = np.log(values) - np.log1p(-values)
    index = np.clip((log_odds / (2 * LOG_ODDS_LIMIT) + 0.5) * BINS, 0, BINS - 1).astype(np.int64)
    cells = (labels * BINS + index) * 2 + true
    histogram += np.bincount(cells, minlength=histogram.size).reshape(histogram.shape)
    even = labels * RELIABILITY_BINS + np.minimum((values * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)
    for total, weights in zip(reliability, (np.ones_like(values), values, true), strict=True):
        total += np.bincount(even, weights, minlength=total.size).reshape(total.shape)


def _truncate(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} …"
