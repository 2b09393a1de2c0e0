"""Insights: the tally against plain counting, and the Evaluator's real executor."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from components.baseline.record import BaselineRecord
from components.evaluation.insights.insights import BINS, MOST_MISTAKES, Insights, bin_edge
from components.evaluation.insights.tally import TEXT_CHARACTERS, Example, InsightsTally, ScoreReader
from components.evaluation.settings import EvaluationSettings
from tests.components.evaluation import small_model
from tests.components.evaluation.evaluator import make_eval_config, run_evaluator
from tests.components.evaluation.small_model import LABELS, ROWS, THRESHOLDS

PROBABILITIES = small_model.good_probabilities()
BASELINE_THRESHOLDS = [0.2, 0.4, 0.6, 0.5, 0.4]
READER = ScoreReader(output_indices=(0, 1, 2, 3, 4), thresholds=tuple(THRESHOLDS))


def examples(text: str = "text") -> list[Example]:
    scores = small_model.decision_scores(PROBABILITIES, THRESHOLDS)
    truth = small_model.truth()
    return [
        Example(scores[row], None, np.flatnonzero(truth[row]).tolist(), f"row-{row}", text, None) for row in range(ROWS)
    ]


def fill_tally(rows: list[Example]) -> InsightsTally:
    tally = InsightsTally(LABELS, READER, None)
    for row in rows:
        tally.add(row)
    return tally


@pytest.fixture(scope="module")
def insights() -> Insights:
    return fill_tally(examples()).insights()


def predicted() -> np.ndarray:
    return np.greater(PROBABILITIES, np.asarray(THRESHOLDS, np.float32))


def test_counts_every_example_in_its_bin_for_every_label(insights: Insights) -> None:
    assert insights.examples == ROWS
    for column, label in enumerate(LABELS):
        counted = Counter[int]()
        for index, negatives, positives in insights.candidate[label].histogram:
            counted[index] = negatives + positives
            low, high = bin_edge(index), bin_edge(index + 1)
            within = (low <= PROBABILITIES[:, column]) & (PROBABILITIES[:, column] < high)
            assert within.sum() == pytest.approx(negatives + positives, abs=1), "except for rounding at an edge"
        assert counted.total() == ROWS
        assert max(counted) < BINS


def test_unknown_labels_are_neither_counted_nor_mistaken() -> None:
    unknown = np.asarray(np.random.default_rng(3).random((ROWS, len(LABELS))) < 0.5)
    truth = np.asarray(small_model.truth() & ~unknown)
    rows = [
        each._replace(columns=np.flatnonzero(truth[row]).tolist(), unknown=np.flatnonzero(unknown[row]).tolist())
        for row, each in enumerate(examples())
    ]
    insights = fill_tally(rows).insights()
    decided = np.asarray(predicted())
    false_positives = np.asarray(decided & ~truth & ~unknown)
    false_negatives = np.asarray(truth & ~decided)
    for column, label in enumerate(LABELS):
        counts = insights.candidate[label]
        assert sum(each[2] for each in counts.histogram) == truth[:, column].sum()
        assert sum(each[1] + each[2] for each in counts.histogram) == (~unknown[:, column]).sum()
        assert sum(each.examples for each in counts.reliability) == (~unknown[:, column]).sum()
        mistakes = insights.mistakes[label]
        assert mistakes.false_positives == false_positives[:, column].sum()
        assert mistakes.false_negatives == false_negatives[:, column].sum()
        named = {int(each.id.removeprefix("row-")) for each in mistakes.wrongly_given}
        assert not any(unknown[row, column] for row in named)
    none = [each for each in insights.confusions if each.right is None]
    certain = np.asarray(~truth.any(axis=1) & ~unknown.any(axis=1))
    assert sum(each.missed for each in none) == (decided & certain[:, np.newaxis]).sum()


def test_curves_from_the_bins_have_nearly_the_exact_area(insights: Insights) -> None:
    for column, label in enumerate(LABELS[:-1]):
        n_predicted, precision_sum, true_positives = 0, 0.0, 0
        positives = sum(each[2] for each in insights.candidate[label].histogram)
        for _, negative, positive in reversed(insights.candidate[label].histogram):
            n_predicted, true_positives = n_predicted + negative + positive, true_positives + positive
            precision_sum += positive * true_positives / n_predicted
        exact = average_precision_score(small_model.truth()[:, column], PROBABILITIES[:, column])
        assert precision_sum / positives == pytest.approx(exact, abs=0.03)


def test_reliability_is_computed_from_probabilities_not_from_decision_scores(insights: Insights) -> None:
    for column, label in enumerate(LABELS):
        probabilities, labels = PROBABILITIES[:, column].astype(float), small_model.truth()[:, column]
        for each in insights.candidate[label].reliability:
            rows = (probabilities >= each.low - 1e-6) & (probabilities < each.low + 0.1 - 1e-6)
            assert each.examples == rows.sum()
            assert each.probability == pytest.approx(probabilities[rows].mean(), abs=1e-5)
            assert each.frequency == pytest.approx(labels[rows].mean())


def test_confusions_count_examples_by_predicted_and_true_label(insights: Insights) -> None:
    expected: Counter[tuple[str, str | None, str]] = Counter()
    for decisions, truth in zip(predicted(), small_model.truth(), strict=True):
        for wrong in np.flatnonzero(decisions & ~truth):
            for true in np.flatnonzero(truth):
                expected[LABELS[wrong], LABELS[true], "beside" if decisions[true] else "missed"] += 1
            if not truth.any():
                expected[LABELS[wrong], None, "missed"] += 1
    found = {(each.given, each.right, "missed"): each.missed for each in insights.confusions}
    found |= {(each.given, each.right, "beside"): each.beside for each in insights.confusions}
    assert {key: count for key, count in found.items() if count} == expected
    assert [each.missed for each in insights.confusions] == sorted(
        (each.missed for each in insights.confusions), reverse=True
    )


def test_counts_misses_without_a_mistake_in_their_place_and_surplus_labels(insights: Insights) -> None:
    missed, surplus = Counter[str](), Counter[str]()
    for decisions, truth in zip(predicted(), small_model.truth(), strict=True):
        wrong, absent = np.flatnonzero(decisions & ~truth), np.flatnonzero(truth & ~decisions)
        if not len(wrong):
            missed.update(LABELS[label] for label in absent)
        if truth.any() and not len(absent):
            surplus.update(LABELS[label] for label in wrong)
    assert missed
    assert surplus
    assert {label: count for label, count in insights.missed_alone.items() if count} == missed
    assert {label: count for label, count in insights.surplus.items() if count} == surplus


def test_counts_pairs_of_labels_in_the_data_and_in_the_predictions(insights: Insights) -> None:
    found = {(each.first, each.second): (each.truth, each.predicted) for each in insights.together}
    assert found
    for first in range(len(LABELS)):
        for second in range(first + 1, len(LABELS)):
            counts = tuple(
                int((flags[:, first] & flags[:, second]).sum()) for flags in (small_model.truth(), predicted())
            )
            assert found.get((LABELS[first], LABELS[second]), (0, 0)) == counts


def test_keeps_the_most_confident_mistakes(insights: Insights) -> None:
    for column, label in enumerate(LABELS):
        truth = small_model.truth()[:, column]
        wrong, missed = predicted()[:, column] & ~truth, ~predicted()[:, column] & truth
        mistakes = insights.mistakes[label]
        assert (mistakes.false_positives, mistakes.false_negatives) == (wrong.sum(), missed.sum())
        for kept, rows, sign in ((mistakes.wrongly_given, wrong, -1), (mistakes.missed, missed, 1)):
            expected = np.sort(sign * PROBABILITIES[rows, column])[:MOST_MISTAKES] * sign
            assert [each.probability for each in kept] == pytest.approx(expected.tolist(), abs=1e-6)
    one = insights.mistakes["refund"].wrongly_given[0]
    row = int(one.id.removeprefix("row-"))
    assert one.right == [LABELS[column] for column in np.flatnonzero(small_model.truth()[row])]
    assert one.given == [LABELS[column] for column in np.flatnonzero(predicted()[row])]


def test_the_order_of_merging_does_not_matter(insights: Insights) -> None:
    rows = examples()
    random.Random(0).shuffle(rows)
    merged = InsightsTally(LABELS, READER, None)
    for part in (rows[:7], [], rows[7:40], rows[40:]):
        merged.merge(fill_tally(part))
    actual = merged.insights()
    without_rounding = {
        label: counts.model_copy(update={"reliability": []}) for label, counts in actual.candidate.items()
    }
    assert without_rounding == {
        label: counts.model_copy(update={"reliability": []}) for label, counts in insights.candidate.items()
    }
    assert actual.mistakes == insights.mistakes
    assert actual.confusions == insights.confusions


def test_memory_does_not_grow_with_examples_or_their_texts() -> None:
    tally = fill_tally(examples(text="x" * 100_000) * 20)
    insights = tally.insights()
    assert insights.examples == 20 * ROWS
    mistakes = [each for label in insights.mistakes.values() for each in label.wrongly_given + label.missed]
    assert len(mistakes) <= 2 * MOST_MISTAKES * len(LABELS)
    assert max(len(each.text) for each in mistakes) == TEXT_CHARACTERS + 2
    assert len(insights.model_dump_json()) < 300_000


def test_leaves_out_scores_that_are_nan() -> None:
    broken = [row._replace(candidate=np.full(len(LABELS), np.nan, np.float32)) for row in examples()[:5]]
    insights = fill_tally(examples()[5:] + broken).insights()
    assert sum(sum(each[1:]) for each in insights.candidate["refund"].histogram) == ROWS - 5


def test_the_evaluator_writes_insights_into_both_models(tmp_path: Path) -> None:
    small_model.export(tmp_path / "candidate", PROBABILITIES)
    baseline = small_model.good_probabilities(noise=0.5, seed=5)[:, 1:]
    small_model.export(tmp_path / "baseline", baseline, labels=LABELS[1:], thresholds=BASELINE_THRESHOLDS[1:])
    small_model.write_examples(tmp_path / "examples", small_model.truth())
    small_model.write_schema(tmp_path / "schema")
    BaselineRecord(has_baseline=True).write(str(tmp_path / "baseline"))
    settings = EvaluationSettings(gates=["macro_f1 >= 0.1"], slices=["language"])
    run_evaluator(tmp_path, tmp_path / "candidate", tmp_path / "baseline", tmp_path, make_eval_config(settings))
    insights = Insights.read(str(tmp_path / "evaluation"))
    expected = fill_tally([row._replace(text=row.id.removeprefix("row-")) for row in examples()]).insights()
    assert insights.confusions == expected.confusions
    assert insights.candidate["billing"].histogram == expected.candidate["billing"].histogram
    assert [each.id for each in insights.mistakes["refund"].wrongly_given] == [
        each.id for each in expected.mistakes["refund"].wrongly_given
    ]
    assert insights.mistakes["refund"].wrongly_given[0].text == expected.mistakes["refund"].wrongly_given[0].text
    assert insights.baseline is not None
    assert list(insights.baseline) == LABELS[1:], "the label that the baseline lacks is left out"
    (lowest, *_) = insights.baseline["refund"].histogram
    assert bin_edge(lowest[0]) <= baseline[:, 0].min() + 1e-6 < bin_edge(lowest[0] + 1)
