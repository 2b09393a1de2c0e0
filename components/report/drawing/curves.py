"""Curves of the report, computed from counts of scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from components.evaluation.insights.insights import ScoreCounts, bin_edge

# More points than this cannot be told apart in a small chart.
_MOST_POINTS = 80


@dataclass(frozen=True)
class Cut:
    """Metrics of a label at one threshold.

    Attributes:
        threshold: Lowest probability at which the label is given.
        precision: Precision; None if the label is given to no example.
        recall: Recall.
        f1: F1; 0 if the label is given to no example.
        false_positive_rate: Share of the examples without the label that it is given to; 0 if there are none.
    """

    threshold: float
    precision: float | None
    recall: float
    f1: float
    false_positive_rate: float = 0.0


def cuts(counts: ScoreCounts, most_points: int | None = None) -> list[Cut]:
    """Compute a label's metrics at every threshold that the counts distinguish.

    Args:
        counts: Histogram of the label's scores.
        most_points: Number of points that can be told apart along an axis; None for that of a small chart.

    Returns:
        Cuts by ascending threshold, without points too close to be seen; empty if no example has the label.
    """
    positives = sum(n_positive for _, _, n_positive in counts.histogram)
    negatives = sum(n_negative for _, n_negative, _ in counts.histogram)
    if not positives:
        return []
    found: list[Cut] = []
    true_positives = given = 0
    for bin_, n_negative, n_positive in reversed(counts.histogram):
        true_positives, given = true_positives + n_positive, given + n_negative + n_positive
        precision, recall = true_positives / given, true_positives / positives
        f1, rate = 2 * true_positives / (given + positives), (given - true_positives) / max(negatives, 1)
        found.append(Cut(bin_edge(bin_), precision, recall, f1, rate))
    found.reverse()
    lowest, highest = replace(found[0], threshold=0.0), Cut(1.0, None, 0.0, 0.0)
    return _thin_out([lowest, *found, highest], most_points or _MOST_POINTS)


def precision_recall(curve: Sequence[Cut]) -> list[tuple[float, float]]:
    """Return (recall, precision) points from the highest threshold to the lowest, starting at a recall of 0."""
    points = [(cut.recall, cut.precision) for cut in reversed(curve) if cut.precision is not None]
    return [(0.0, points[0][1]), *points] if points else []


def receiver_operating(curve: Sequence[Cut]) -> list[tuple[float, float]]:
    """Return (false positive rate, recall) points from the highest threshold to the lowest."""
    return [(cut.false_positive_rate, cut.recall) for cut in reversed(curve)]


def score_bins(counts: ScoreCounts, bins: int = 20) -> list[tuple[float, float]]:
    """Return the share of the examples without a label and of those with it, by even bins of probability."""
    sums = [[0, 0] for _ in range(bins)]
    for bin_, n_negative, n_positive in counts.histogram:
        middle = (bin_edge(bin_) + bin_edge(bin_ + 1)) / 2
        sums[min(int(middle * bins), bins - 1)][0] += n_negative
        sums[min(int(middle * bins), bins - 1)][1] += n_positive
    negatives, positives = (max(sum(each[kind] for each in sums), 1) for kind in (0, 1))
    return [(negative / negatives, positive / positives) for negative, positive in sums]


def _thin_out(curve: list[Cut], most_points: int) -> list[Cut]:
    """Drop points that are too close to the last one kept to be seen; keep both ends."""
    step = 1.5 / most_points
    kept = [curve[0]]
    for cut in curve[1:-1]:
        last = kept[-1]
        distance = max(
            abs(cut.threshold - last.threshold),
            abs(cut.recall - last.recall),
            abs((cut.precision or 0.0) - (last.precision or 0.0)),
            abs(cut.false_positive_rate - last.false_positive_rate),
        )
        if distance >= step:
            kept.append(cut)
    return [*kept, curve[-1]]
