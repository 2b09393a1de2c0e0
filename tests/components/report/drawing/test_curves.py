"""Curves from counts of scores, against scikit-learn's on the scores themselves."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from components.evaluation.insights.insights import ScoreCounts
from components.evaluation.insights.tally import Example, InsightsTally, Scored
from components.report.drawing.charts import ticks
from components.report.drawing.curves import cuts, precision_recall


@pytest.fixture(scope="module")
def scores() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    right = random.random(2_000) < 0.1
    return np.clip(np.where(right, 0.4, 0.1) + random.normal(0, 0.12, 2_000), 0.002, 0.99), right


@pytest.fixture(scope="module")
def counts(scores: tuple[np.ndarray, np.ndarray]) -> ScoreCounts:
    tally = InsightsTally(["one"], Scored((0,), (0.5,)), None)  # at 0.5, decision scores are probabilities
    for probability, right in zip(*scores, strict=True):
        tally.add(Example(np.array([probability], np.float32), None, [0] if right else [], "", "", None))
    return tally.insights().candidate["one"]


def test_each_point_is_what_the_threshold_would_give(
    scores: tuple[np.ndarray, np.ndarray], counts: ScoreCounts
) -> None:
    probabilities, right = scores
    found = cuts(counts)
    assert [cut.threshold for cut in found] == sorted(cut.threshold for cut in found)
    for cut in found[1:-1]:
        given = probabilities >= cut.threshold
        precision, recall, f1, _ = precision_recall_fscore_support(right, given, average="binary", zero_division=0)
        assert (cut.precision, cut.recall, cut.f1) == pytest.approx((precision, recall, f1), abs=0.01)


def test_it_begins_at_everything_and_ends_at_nothing(counts: ScoreCounts) -> None:
    first, *_, last = cuts(counts)
    assert (first.threshold, first.recall) == (0.0, 1.0)
    assert (last.threshold, last.recall, last.precision) == (1.0, 0.0, None)


def test_no_more_points_than_can_be_seen(counts: ScoreCounts) -> None:
    assert len(counts.histogram) > 100
    assert len(cuts(counts)) < 130


def test_precision_over_recall_runs_from_no_recall_to_all(counts: ScoreCounts) -> None:
    recalls = [recall for recall, _ in precision_recall(cuts(counts))]
    assert recalls == sorted(recalls)
    assert (recalls[0], recalls[-1]) == (0.0, 1.0)


def test_a_label_that_no_row_has_has_no_curve() -> None:
    assert cuts(ScoreCounts(histogram=[(3, 10, 0)], reliability=[])) == []
    assert precision_recall([]) == []


@pytest.mark.parametrize(
    ("high", "expected"), [(0.33, (0, 0.1, 0.2, 0.3, 0.4)), (3, (0, 1, 2, 3)), (30, (0, 10, 20, 30))]
)
def test_ticks_are_round(high: float, expected: tuple[float, ...]) -> None:
    assert ticks(high) == pytest.approx(expected)
