"""Curves computed from counts of scores, compared with scikit-learn on the scores themselves."""

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_fscore_support, roc_auc_score

from components.evaluation.insights.insights import ScoreCounts
from components.evaluation.insights.tally import Example, InsightsTally, ScoreReader
from components.report.drawing.charts import ticks
from components.report.drawing.curves import cuts, precision_recall, receiver_operating, score_bins


@pytest.fixture(scope="module")
def scores() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    truth = random.random(2_000) < 0.1
    return np.clip(np.where(truth, 0.4, 0.1) + random.normal(0, 0.12, 2_000), 0.002, 0.99), truth


@pytest.fixture(scope="module")
def counts(scores: tuple[np.ndarray, np.ndarray]) -> ScoreCounts:
    tally = InsightsTally(["one"], ScoreReader((0,), (0.5,)), None)  # at 0.5, decision scores are probabilities
    for probability, has_label in zip(*scores, strict=True):
        tally.add(Example(np.array([probability], np.float32), None, [0] if has_label else [], "", "", None))
    return tally.insights().candidate["one"]


def test_each_point_agrees_with_scikit_learn(scores: tuple[np.ndarray, np.ndarray], counts: ScoreCounts) -> None:
    probabilities, truth = scores
    found = cuts(counts)
    assert [cut.threshold for cut in found] == sorted(cut.threshold for cut in found)
    for cut in found[1:-1]:
        given = probabilities >= cut.threshold
        precision, recall, f1, _ = precision_recall_fscore_support(truth, given, average="binary", zero_division=0)
        assert (cut.precision, cut.recall, cut.f1) == pytest.approx((precision, recall, f1), abs=0.01)


def test_starts_with_every_label_given_and_ends_with_none(counts: ScoreCounts) -> None:
    first, *_, last = cuts(counts)
    assert (first.threshold, first.recall) == (0.0, 1.0)
    assert (last.threshold, last.recall, last.precision) == (1.0, 0.0, None)


def test_drops_points_that_cannot_be_seen(counts: ScoreCounts) -> None:
    assert len(counts.histogram) > 100
    assert len(cuts(counts)) < 130


def test_precision_recall_goes_from_recall_0_to_1(counts: ScoreCounts) -> None:
    recalls = [recall for recall, _ in precision_recall(cuts(counts))]
    assert recalls == sorted(recalls)
    assert (recalls[0], recalls[-1]) == (0.0, 1.0)


def test_a_label_without_examples_has_no_curve() -> None:
    assert cuts(ScoreCounts(histogram=[(3, 10, 0)], reliability=[])) == []
    assert precision_recall([]) == []


@pytest.mark.parametrize(
    ("high", "expected"), [(0.33, (0, 0.1, 0.2, 0.3, 0.4)), (3, (0, 1, 2, 3)), (30, (0, 10, 20, 30))]
)
def test_ticks_are_round(high: float, expected: tuple[float, ...]) -> None:
    assert ticks(high) == pytest.approx(expected)


def test_the_area_under_the_roc_curve_agrees_with_scikit_learn(
    scores: tuple[np.ndarray, np.ndarray], counts: ScoreCounts
) -> None:
    points = receiver_operating(cuts(counts))
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (1.0, 1.0)
    rates, recalls = zip(*points, strict=True)
    probabilities, truth = scores
    assert auc(rates, recalls) == pytest.approx(roc_auc_score(truth, probabilities), abs=0.01)


def test_bins_of_scores_are_shares_of_either_kind_of_row(
    scores: tuple[np.ndarray, np.ndarray], counts: ScoreCounts
) -> None:
    probabilities, truth = scores
    bins = score_bins(counts, 10)
    for kind, rows in ((0, probabilities[~truth]), (1, probabilities[truth])):
        expected, _ = np.histogram(rows, 10, (0, 1))
        assert [each[kind] for each in bins] == pytest.approx(expected / len(rows), abs=0.03)
        assert sum(each[kind] for each in bins) == pytest.approx(1)
