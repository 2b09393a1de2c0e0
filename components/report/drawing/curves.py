"""Curves of the report, computed from counts of scores."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """

    threshold: float
    precision: float | None
    recall: float
    f1: float


def cuts(counts: ScoreCounts) -> list[Cut]:
    """Compute a label's metrics at every threshold that the counts distinguish.

    Args:
        counts: Histogram of the label's scores.

    Returns:
        Cuts by ascending threshold, without points too close to be seen; empty if no example has the label.
    """
    positives = sum(n_positive for _, _, n_positive in counts.histogram)
    if not positives:
        return []
    found: list[Cut] = []
    true_positives = given = 0
    for bin_, n_negative, n_positive in reversed(counts.histogram):
        true_positives, given = true_positives + n_positive, given + n_negative + n_positive
        precision, recall = true_positives / given, true_positives / positives
        found.append(Cut(bin_edge(bin_), precision, recall, 2 * true_positives / (given + positives)))
    found.reverse()
    lowest, highest = Cut(0.0, found[0].precision, found[0].recall, found[0].f1), Cut(1.0, None, 0.0, 0.0)
    return _thin_out([lowest, *found, highest])


def precision_recall(curve: Sequence[Cut]) -> list[tuple[float, float]]:
    """Return (recall, precision) points from the highest threshold to the lowest, starting at a recall of 0."""
    points = [(cut.recall, cut.precision) for cut in reversed(curve) if cut.precision is not None]
    return [(0.0, points[0][1]), *points] if points else []


def _thin_out(curve: list[Cut]) -> list[Cut]:
    """Drop points that are too close to the last one kept to be seen; keep both ends."""
    step = 1.5 / _MOST_POINTS
    kept = [curve[0]]
    for cut in curve[1:-1]:
        last = kept[-1]
        distance = max(
            abs(cut.threshold - last.threshold),
            abs(cut.recall - last.recall),
            abs((cut.precision or 0.0) - (last.precision or 0.0)),
        )
        if distance >= step:
            kept.append(cut)
    return [*kept, curve[-1]]
