"""Insights: the tally against plain counting, and through the Evaluator's real executor."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.baseline.record import BaselineRecord, write_baseline
from components.evaluation.eval_config import build_eval_config
from components.evaluation.executor import Executor
from components.evaluation.insights.insights import BINS, MOST_MISTAKES, Insights, probability_at, read_insights
from components.evaluation.insights.tally import TEXT_CHARACTERS, Example, InsightsTally, Scored
from components.evaluation.settings import EvaluationSettings
from schema.label_list import LabelList
from tests.components.evaluation import small_model
from tests.components.evaluation.small_model import LABELS, ROWS, THRESHOLDS, artifact

PROBABILITIES = small_model.good_probabilities()
BASELINE_THRESHOLDS = [0.2, 0.4, 0.6, 0.5, 0.4]
SCORED = Scored(positions=(0, 1, 2, 3, 4), thresholds=tuple(THRESHOLDS))


def examples(text: str = "text") -> list[Example]:
    scores = small_model.decision_scores(PROBABILITIES, THRESHOLDS)
    right = small_model.truth()
    return [
        Example(scores[row], None, np.flatnonzero(right[row]).tolist(), f"row-{row}", text, None) for row in range(ROWS)
    ]


def tallied(rows: list[Example]) -> InsightsTally:
    tally = InsightsTally(LABELS, SCORED, None)
    for row in rows:
        tally.add(row)
    return tally


@pytest.fixture(scope="module")
def insights() -> Insights:
    return tallied(examples()).insights()


def given() -> np.ndarray:
    return np.greater(PROBABILITIES, np.asarray(THRESHOLDS, np.float32))


def test_every_example_is_in_its_bin_of_every_label(insights: Insights) -> None:
    assert insights.examples == ROWS
    for column, label in enumerate(LABELS):
        counted = Counter[int]()
        for place, negatives, positives in insights.candidate[label].histogram:
            counted[place] = negatives + positives
            low, high = probability_at(place), probability_at(place + 1)
            within = (low <= PROBABILITIES[:, column]) & (PROBABILITIES[:, column] < high)
            assert within.sum() == pytest.approx(negatives + positives, abs=1), "but for rounding at an edge"
        assert counted.total() == ROWS
        assert max(counted) < BINS


def test_curves_from_the_bins_have_the_exact_area(insights: Insights) -> None:
    for column, label in enumerate(LABELS[:-1]):
        found, precision_sum, recalled = 0, 0.0, 0
        positives = sum(each[2] for each in insights.candidate[label].histogram)
        for _, negative, positive in reversed(insights.candidate[label].histogram):
            found, recalled = found + negative + positive, recalled + positive
            precision_sum += positive * recalled / found
        exact = average_precision_score(small_model.truth()[:, column], PROBABILITIES[:, column])
        assert precision_sum / positives == pytest.approx(exact, abs=0.03)


def test_reliability_is_of_probabilities_not_of_decision_scores(insights: Insights) -> None:
    for column, label in enumerate(LABELS):
        said, was = PROBABILITIES[:, column].astype(float), small_model.truth()[:, column]
        for each in insights.candidate[label].reliability:
            rows = (said >= each.low - 1e-6) & (said < each.low + 0.1 - 1e-6)
            assert each.examples == rows.sum()
            assert each.probability == pytest.approx(said[rows].mean(), abs=1e-5)
            assert each.frequency == pytest.approx(was[rows].mean())


def test_confusions_count_examples_by_what_stood_in_whose_place(insights: Insights) -> None:
    expected: Counter[tuple[str, str | None, str]] = Counter()
    for said, right in zip(given(), small_model.truth(), strict=True):
        for wrongly in np.flatnonzero(said & ~right):
            for truly in np.flatnonzero(right):
                expected[LABELS[wrongly], LABELS[truly], "beside" if said[truly] else "missed"] += 1
            if not right.any():
                expected[LABELS[wrongly], None, "missed"] += 1
    found = {(each.given, each.right, "missed"): each.missed for each in insights.confusions}
    found |= {(each.given, each.right, "beside"): each.beside for each in insights.confusions}
    assert {key: count for key, count in found.items() if count} == expected
    assert [each.missed for each in insights.confusions] == sorted(
        (each.missed for each in insights.confusions), reverse=True
    )


def test_mistakes_are_the_most_confident_ones(insights: Insights) -> None:
    for column, label in enumerate(LABELS):
        right = small_model.truth()[:, column]
        wrongly, missed = given()[:, column] & ~right, ~given()[:, column] & right
        mistakes = insights.mistakes[label]
        assert (mistakes.false_positives, mistakes.false_negatives) == (wrongly.sum(), missed.sum())
        for found, rows, sign in ((mistakes.wrongly_given, wrongly, -1), (mistakes.missed, missed, 1)):
            expected = np.sort(sign * PROBABILITIES[rows, column])[:MOST_MISTAKES] * sign
            assert [each.probability for each in found] == pytest.approx(expected.tolist(), abs=1e-6)
    one = insights.mistakes["refund"].wrongly_given[0]
    row = int(one.id.removeprefix("row-"))
    assert one.right == [LABELS[column] for column in np.flatnonzero(small_model.truth()[row])]
    assert one.given == [LABELS[column] for column in np.flatnonzero(given()[row])]


def test_the_order_in_which_parts_are_merged_does_not_tell(insights: Insights) -> None:
    rows = examples()
    random.Random(0).shuffle(rows)
    merged = InsightsTally(LABELS, SCORED, None)
    for part in (rows[:7], [], rows[7:40], rows[40:]):
        merged.merge(tallied(part))
    found = merged.insights()
    rounded = {label: counts.model_copy(update={"reliability": []}) for label, counts in found.candidate.items()}
    assert rounded == {
        label: counts.model_copy(update={"reliability": []}) for label, counts in insights.candidate.items()
    }
    assert found.mistakes == insights.mistakes
    assert found.confusions == insights.confusions


def test_memory_does_not_grow_with_examples_or_their_texts() -> None:
    tally = tallied(examples(text="x" * 100_000) * 20)
    kept = tally.insights()
    assert kept.examples == 20 * ROWS
    found = [each for label in kept.mistakes.values() for each in label.wrongly_given + label.missed]
    assert len(found) <= 2 * MOST_MISTAKES * len(LABELS)
    assert max(len(each.text) for each in found) == TEXT_CHARACTERS + 2
    assert len(kept.model_dump_json()) < 300_000


def test_scores_that_are_no_numbers_are_left_out() -> None:
    broken = [row._replace(candidate=np.full(len(LABELS), np.nan, np.float32)) for row in examples()[:5]]
    found = tallied(examples()[5:] + broken).insights()
    assert sum(sum(each[1:]) for each in found.candidate["refund"].histogram) == ROWS - 5


def test_the_evaluator_leaves_insights_of_both_models(tmp_path: Path) -> None:
    small_model.export(tmp_path / "candidate", PROBABILITIES)
    before = small_model.good_probabilities(noise=0.5, seed=5)[:, 1:]
    small_model.export(tmp_path / "baseline", before, labels=LABELS[1:], thresholds=BASELINE_THRESHOLDS[1:])
    small_model.write_examples(tmp_path / "examples", small_model.truth())
    small_model.write_schema(tmp_path / "schema")
    write_baseline(str(tmp_path / "baseline"), BaselineRecord(has_baseline=True))
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(tmp_path / "tmp"), unique_id="1"
    )
    settings = EvaluationSettings(gates=["macro_f1 >= 0.1"], slices=["language"])
    Executor(context).Do(
        {
            "examples": [artifact(standard_artifacts.Examples, tmp_path / "examples")],
            "model": [artifact(standard_artifacts.Model, tmp_path / "candidate")],
            "baseline_model": [artifact(standard_artifacts.Model, tmp_path / "baseline", number=2)],
            "schema": [artifact(standard_artifacts.Schema, tmp_path / "schema")],
        },
        {
            "evaluation": [artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation")],
            "blessing": [artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing")],
        },
        {
            "eval_config": proto_utils.proto_to_json(build_eval_config(LabelList(tuple(LABELS)), settings)),
            "example_splits": '["test"]',
        },
    )
    found = read_insights(str(tmp_path / "evaluation"))
    assert found is not None
    expected = tallied([row._replace(text=row.id.removeprefix("row-")) for row in examples()]).insights()
    assert found.confusions == expected.confusions
    assert found.candidate["billing"].histogram == expected.candidate["billing"].histogram
    assert [each.id for each in found.mistakes["refund"].wrongly_given] == [
        each.id for each in expected.mistakes["refund"].wrongly_given
    ]
    assert found.mistakes["refund"].wrongly_given[0].text == expected.mistakes["refund"].wrongly_given[0].text
    assert found.baseline is not None
    assert list(found.baseline) == LABELS[1:], "the label that the baseline lacks is left out"
    (lowest, *_) = found.baseline["refund"].histogram
    assert probability_at(lowest[0]) <= before[:, 0].min() + 1e-6 < probability_at(lowest[0] + 1)
