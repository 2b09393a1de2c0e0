"""Gathers `Insights` from examples one by one, in bounded memory; tallies of parts are merged in any order."""

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
)

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Fewer mistakes are kept of each label where there are many labels.
_MISTAKES_IN_ALL = 2_000
_LEAST_MISTAKES = 3
# Of more labels than make a matrix to look at, so many confusions of each are kept.
_MOST_CONFUSIONS = 20
# Kept of a text, and of an id.
TEXT_CHARACTERS = 600
_ID_CHARACTERS = 200
# Examples wait in a list until there are enough of them for numpy to be worth calling.
_BLOCK = 512
_DECISION = 0.5


@dataclass(frozen=True)
class Scored:
    """How to read a model's decision scores.

    Attributes:
        positions: Of each label in use, its place among the model's outputs; -1 where the model lacks it.
        thresholds: Of each label in use; the place of one that the model lacks holds any number.
    """

    positions: tuple[int, ...]
    thresholds: tuple[float, ...]

    def probabilities(self, scores: npt.NDArray[np.floating]) -> Floats:
        """The probabilities [n, n_labels] that decision scores [n, n_outputs] were made of; NaN where there is none.

        Undoes `components.trainer.export._decision_scores`: two straight pieces that meet at the threshold.
        """
        places, cuts = np.asarray(self.positions), np.asarray(self.thresholds, np.float64)
        ours = scores[:, places].astype(np.float64)
        undone = np.where(ours <= _DECISION, 2 * ours * cuts, cuts + (2 * ours - 1) * (1 - cuts))
        undone[:, places < 0] = np.nan
        return undone


class Example(NamedTuple):
    """One example of the test split.

    Attributes:
        candidate: Decision scores, float32 [n_outputs].
        baseline: Likewise; None where there is no baseline.
        columns: Those of the labels that it has.
        id: Its name.
        text: Its text.
        text_pair: Its second text, None where there are no pairs.
    """

    candidate: npt.NDArray[np.float32]
    baseline: npt.NDArray[np.float32] | None
    columns: Sequence[int]
    id: str
    text: str
    text_pair: str | None


class _Found(NamedTuple):
    """A mistake, ordered so that the most confident comes first, whatever the order in which parts were merged."""

    doubt: float
    id: str
    text: str
    text_pair: str
    probability: float
    right: tuple[int, ...]
    given: tuple[int, ...]


class InsightsTally:
    """Counts and mistakes of examples.

    Args:
        labels: Those in use.
        candidate: How to read its scores.
        baseline: Likewise; None where there is none.
    """

    def __init__(self, labels: Sequence[str], candidate: Scored, baseline: Scored | None) -> None:
        n_labels = len(labels)
        self._labels = tuple(labels)
        self._readers = [candidate] if baseline is None else [candidate, baseline]
        self._examples = 0
        self._waiting: list[Example] = []
        self._histograms = [np.zeros((n_labels, BINS, 2), np.int64) for _ in self._readers]
        self._reliability = [np.zeros((3, n_labels, RELIABILITY_BINS)) for _ in self._readers]
        # [2, n_labels, n_labels + 1]: missed and beside; the last column is of examples that have no label.
        self._confusions = np.zeros((2, n_labels, n_labels + 1), np.int64)
        self._wrong = np.zeros((2, n_labels), np.int64)  # false positives, false negatives
        self._most = min(MOST_MISTAKES, max(_LEAST_MISTAKES, _MISTAKES_IN_ALL // n_labels))
        self._wrongly_given: list[list[_Found]] = [[] for _ in labels]
        self._missed: list[list[_Found]] = [[] for _ in labels]

    def add(self, example: Example) -> None:
        """Adds an example; of its texts, the first characters are kept."""
        pair = None if example.text_pair is None else _cut(example.text_pair, TEXT_CHARACTERS)
        cut = example._replace(
            id=_cut(example.id, _ID_CHARACTERS), text=_cut(example.text, TEXT_CHARACTERS), text_pair=pair
        )
        self._waiting.append(cut)
        if len(self._waiting) >= _BLOCK:
            self.compact()

    def merge(self, other: "InsightsTally") -> None:
        """Adds the examples of another tally of the same labels, which is not to be used any more."""
        self.compact()
        other.compact()
        self._examples += other._examples
        self._confusions += other._confusions
        self._wrong += other._wrong
        for histogram, other_histogram in zip(self._histograms, other._histograms, strict=True):
            histogram += other_histogram
        for reliability, other_reliability in zip(self._reliability, other._reliability, strict=True):
            reliability += other_reliability
        for kept, others in ((self._wrongly_given, other._wrongly_given), (self._missed, other._missed)):
            for label, found in enumerate(others):
                kept[label] = nsmallest(self._most, kept[label] + found)

    def compact(self) -> None:
        """Works off what waits, so that the tally is small to send."""
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        self._examples += len(rows)
        right = np.zeros((len(rows), len(self._labels)), bool)
        for row, example in enumerate(rows):
            right[row, list(example.columns)] = True
        scores = [np.stack([example.candidate for example in rows])]
        if len(self._readers) > 1:
            scores.append(np.stack([example.baseline for example in rows if example.baseline is not None]))
        for reader, said, histogram, reliability in zip(
            self._readers, scores, self._histograms, self._reliability, strict=True
        ):
            probabilities = reader.probabilities(said)
            _count(probabilities, right, histogram, reliability)
        given = scores[0][:, np.asarray(self._readers[0].positions)] > _DECISION
        self._wrong += np.stack([(given & ~right).sum(axis=0), (right & ~given).sum(axis=0)])
        self._confuse(given, right)
        self._keep_mistakes(rows, self._readers[0].probabilities(scores[0]), given, right)

    def insights(self) -> Insights:
        """All that was found."""
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
                self._found_confusions(), key=lambda each: (-each.missed, -each.beside, each.given, each.right or "")
            ),
            mistakes={
                label: LabelMistakes(
                    false_positives=int(self._wrong[0, column]),
                    false_negatives=int(self._wrong[1, column]),
                    wrongly_given=[self._mistake(found) for found in self._wrongly_given[column]],
                    missed=[self._mistake(found) for found in self._missed[column]],
                )
                for column, label in enumerate(self._labels)
            },
        )

    def _confuse(self, given: Flags, right: Flags) -> None:
        wrongly = (given & ~right).astype(np.float32).T
        self._confusions[0, :, :-1] += (wrongly @ (right & ~given)).astype(np.int64)
        self._confusions[1, :, :-1] += (wrongly @ (right & given)).astype(np.int64)
        self._confusions[0, :, -1] += (wrongly @ ~right.any(axis=1)).astype(np.int64)

    def _keep_mistakes(self, rows: Sequence[Example], probabilities: Floats, given: Flags, right: Flags) -> None:
        for kept, wrong, doubt in (
            (self._wrongly_given, given & ~right, -probabilities),
            (self._missed, right & ~given, probabilities),
        ):
            for label in np.flatnonzero(wrong.any(axis=0)):
                where = np.flatnonzero(wrong[:, label])
                # The bound of what is kept already, so that few examples are looked at once there is enough.
                limit = kept[label][-1].doubt if len(kept[label]) == self._most else np.inf
                found = [
                    _Found(
                        float(doubt[row, label]), rows[row].id, rows[row].text, rows[row].text_pair or "",
                        float(probabilities[row, label]), tuple(np.flatnonzero(right[row]).tolist()),
                        tuple(np.flatnonzero(given[row]).tolist()),
                    )
                    for row in where[doubt[where, label] <= limit]
                ]  # fmt: skip
                kept[label] = nsmallest(self._most, kept[label] + found)

    def _score_counts(self, reader: Scored, histogram: npt.NDArray[np.int64], sums: Floats) -> dict[str, ScoreCounts]:
        return {
            label: ScoreCounts(
                histogram=[
                    (int(place), int(histogram[column, place, 0]), int(histogram[column, place, 1]))
                    for place in np.flatnonzero(histogram[column].any(axis=1))
                ],
                reliability=[
                    Reliability(
                        low=int(place) / RELIABILITY_BINS,
                        examples=int(sums[0, column, place]),
                        probability=float(sums[1, column, place] / sums[0, column, place]),
                        frequency=float(sums[2, column, place] / sums[0, column, place]),
                    )
                    for place in np.flatnonzero(sums[0, column])
                ],
            )
            for column, label in enumerate(self._labels)
            if reader.positions[column] >= 0
        }

    def _found_confusions(self) -> Iterator[Confusion]:
        """Of each label, those with all others where that is a matrix to look at, else the most frequent ones."""
        n_labels = len(self._labels)
        most = n_labels + 1 if n_labels <= MATRIX_LABELS else _MOST_CONFUSIONS
        for given in range(n_labels):
            missed, beside = self._confusions[:, given]
            often_first = np.lexsort([-beside, -missed])[:most]
            for right in often_first[(missed + beside)[often_first] > 0]:
                yield Confusion(
                    given=self._labels[given],
                    right=self._labels[right] if right < n_labels else None,
                    missed=int(missed[right]),
                    beside=int(beside[right]),
                )

    def _mistake(self, found: _Found) -> Mistake:
        return Mistake(
            id=found.id,
            probability=found.probability,
            text=found.text,
            text_pair=found.text_pair or None,
            right=[self._labels[column] for column in found.right],
            given=[self._labels[column] for column in found.given],
        )


def _count(probabilities: Floats, right: Flags, histogram: npt.NDArray[np.int64], reliability: Floats) -> None:
    """Adds probabilities [n, n_labels], those that are numbers, to both counts in place."""
    rows, labels = np.nonzero(~np.isnan(probabilities))
    said, was = probabilities[rows, labels], right[rows, labels]
    with np.errstate(divide="ignore"):
        log_odds = np.log(said) - np.log1p(-said)
    place = np.clip((log_odds / (2 * LOG_ODDS_LIMIT) + 0.5) * BINS, 0, BINS - 1).astype(np.int64)
    cells = (labels * BINS + place) * 2 + was
    histogram += np.bincount(cells, minlength=histogram.size).reshape(histogram.shape)
    even = labels * RELIABILITY_BINS + np.minimum((said * RELIABILITY_BINS).astype(np.int64), RELIABILITY_BINS - 1)
    for total, weights in zip(reliability, (np.ones_like(said), said, was), strict=True):
        total += np.bincount(even, weights, minlength=total.size).reshape(total.shape)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} …"
