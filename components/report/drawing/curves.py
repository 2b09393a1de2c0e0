"""From counts of scores to the curves that the report draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.evaluation.insights.insights import ScoreCounts, probability_at

# A curve on paper three fingers wide shows no more.
_MOST_POINTS = 80


@dataclass(frozen=True)
class Cut:
    """What a label's decisions would be if it were given from some probability on.

    Attributes:
        threshold: That probability.
        precision: None where nothing would be given.
        recall: Of the examples that have the label.
        f1: Of both; 0 where nothing would be given.
    """

    threshold: float
    precision: float | None
    recall: float
    f1: float


def cuts(counts: ScoreCounts) -> list[Cut]:
    """The label's decisions at every threshold that the counts tell apart, ascending, thinned to what can be seen.

    Returns:
        None at all where no example has the label: there is nothing to find.
    """
    positives = sum(having for _, _, having in counts.histogram)
    if not positives:
        return []
    found: list[Cut] = []
    true = given = 0
    for place, without, having in reversed(counts.histogram):
        true, given = true + having, given + without + having
        found.append(Cut(probability_at(place), true / given, true / positives, 2 * true / (given + positives)))
    found.reverse()
    lowest, highest = Cut(0.0, found[0].precision, found[0].recall, found[0].f1), Cut(1.0, None, 0.0, 0.0)
    return _thinned([lowest, *found, highest])


def precision_recall(of: Sequence[Cut]) -> list[tuple[float, float]]:
    """(recall, precision) from the highest threshold to the lowest, beginning at no recall."""
    points = [(cut.recall, cut.precision) for cut in reversed(of) if cut.precision is not None]
    return [(0.0, points[0][1]), *points] if points else []


def _thinned(of: list[Cut]) -> list[Cut]:
    """Without points that lie closer to the one kept before them than can be seen; the ends stay."""
    step = 1.5 / _MOST_POINTS
    kept = [of[0]]
    for cut in of[1:-1]:
        last = kept[-1]
        moved = max(
            abs(cut.threshold - last.threshold),
            abs(cut.recall - last.recall),
            abs((cut.precision or 0.0) - (last.precision or 0.0)),
        )
        if moved >= step:
            kept.append(cut)
    return [*kept, of[-1]]
