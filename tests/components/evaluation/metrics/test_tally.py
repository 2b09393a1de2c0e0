"""Every number of a tally against scikit-learn."""

import pickle
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from sklearn import metrics

from components.evaluation.metrics import areas
from components.evaluation.metrics.catalogue import AVERAGES
from components.evaluation.metrics.scores import Averages, LabelScores
from components.evaluation.metrics.tally import JACKKNIFE_BUCKETS, Tally, Wanted
from components.trainer.decisions.reliability import expected_calibration_error

Scores = npt.NDArray[np.float32]
Truth = npt.NDArray[np.bool_]


def made_up(n_examples: int, n_labels: int, seed: int = 0) -> tuple[Scores, Truth]:
    """Scores as a trained model's: rare labels crowd near 0; the last label is nobody's, the first is never given."""
    generator = np.random.default_rng(seed)
    share = np.geomspace(0.4, 0.002, n_labels)
    truth = generator.random((n_examples, n_labels)) < share
    truth[:, -1] = False
    log_odds = 1.5 * np.log(share / (1 - share)) + generator.normal(size=truth.shape) * 1.5 + 3 * truth
    scores = 1 / (1 + np.exp(-log_odds))
    scores[:, 0] *= 0.49
    return scores.astype(np.float32), truth


def tallied(scores: Scores, truth: Truth, wanted: Wanted | None = None) -> Tally:
    filled = Tally(wanted or Wanted(scores.shape[1]))
    for number, (row, right) in enumerate(zip(scores, truth, strict=True)):
        filled.add(row, np.flatnonzero(right).tolist(), number % JACKKNIFE_BUCKETS)
    return filled


def assert_as_scikit_learn(
    labels: LabelScores, averages: Averages, scores: Scores, truth: Truth, tolerance: float
) -> None:
    given = scores > 0.5
    for average, expected in (
        (None, labels),
        *((name, averages) for name in ("macro", "micro", "weighted", "samples")),
    ):
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            truth, given, average=average, zero_division=0
        )
        prefix = f"{average}_" if average else ""
        np.testing.assert_allclose(getattr(expected, f"{prefix}precision"), precision, atol=1e-12)
        np.testing.assert_allclose(getattr(expected, f"{prefix}recall"), recall, atol=1e-12)
        np.testing.assert_allclose(getattr(expected, f"{prefix}f1"), f1, atol=1e-12)
    np.testing.assert_array_equal(labels.support, truth.sum(axis=0))
    confusion = metrics.multilabel_confusion_matrix(truth, given)
    for name, row, column in (
        ("true_negatives", 0, 0), ("false_positives", 0, 1), ("false_negatives", 1, 0), ("true_positives", 1, 1),
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(labels, name), confusion[:, row, column])
    assert averages.hamming_loss == pytest.approx(metrics.hamming_loss(truth, given))
    assert averages.subset_accuracy == pytest.approx(metrics.accuracy_score(truth, given))
    ranking = metrics.label_ranking_average_precision_score(truth, scores)
    assert averages.label_ranking_average_precision == pytest.approx(ranking)
    errors = calibration_errors(scores, truth)
    np.testing.assert_allclose(labels.calibration_error, errors, atol=1e-6)
    assert averages.macro_calibration_error == pytest.approx(np.mean(errors), abs=1e-6)
    assert_areas_as_scikit_learn(labels, averages, scores, truth, tolerance)


def calibration_errors(probabilities: Scores, truth: Truth) -> list[float]:
    """As the Trainer has them."""
    given = truth.astype(np.float64)
    return [expected_calibration_error(probabilities[:, each], given[:, each]) for each in range(truth.shape[1])]


def assert_areas_as_scikit_learn(
    labels: LabelScores, averages: Averages, scores: Scores, truth: Truth, tolerance: float
) -> None:
    present = np.flatnonzero(truth.any(axis=0))
    both = [column for column in present if not truth[:, column].all()]
    auc = [metrics.roc_auc_score(truth[:, column], scores[:, column]) for column in both]
    pr_auc = [metrics.average_precision_score(truth[:, column], scores[:, column]) for column in present]
    np.testing.assert_allclose(labels.auc[both], auc, atol=tolerance)
    np.testing.assert_allclose(labels.pr_auc[present], pr_auc, atol=tolerance)
    assert np.isnan(np.delete(labels.auc, both)).all()
    assert np.isnan(np.delete(labels.pr_auc, present)).all()
    for average, values in ((averages.macro_auc, auc), (averages.macro_pr_auc, pr_auc)):
        assert np.isnan(average) if not values else average == pytest.approx(np.mean(values), abs=tolerance)


def test_every_average_has_a_name_in_the_catalogue() -> None:
    assert set(Averages.__annotations__) == set(AVERAGES)


def test_while_the_scores_fit_into_memory_all_is_exact() -> None:
    scores, truth = made_up(3_000, 6)
    scores = np.round(scores, 2)  # many ties, and many scores of exactly 0.5: not given
    filled = tallied(scores, truth)
    labels = filled.labels()
    assert_as_scikit_learn(labels, filled.averages(labels), scores, truth, tolerance=1e-9)


@settings(deadline=None)
@given_(
    rows=stn.arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(2, 5)),
        elements=st.one_of(st.sampled_from([0, 0.25, 0.5, 0.75, 1]), st.floats(0, 1, width=32)),
    ),
    data=st.data(),
)
def test_so_it_is_of_whatever_examples(rows: Scores, data: st.DataObject) -> None:
    """No positives, all positives, one example, scores all equal: scikit-learn decides what is right."""
    truth = data.draw(stn.arrays(np.bool_, rows.shape))
    filled = tallied(rows, truth)
    labels = filled.labels()
    assert_as_scikit_learn(labels, filled.averages(labels), rows, truth, tolerance=1e-9)


def test_beyond_only_the_areas_are_approximate() -> None:
    scores, truth = made_up(20_000, 28)
    filled = tallied(scores, truth)
    labels = filled.labels()
    assert len(pickle.dumps(filled)) < 1.1 * areas.MEMORY_BYTES
    averages = filled.averages(labels)
    assert_as_scikit_learn(labels, averages, scores, truth, tolerance=2e-3)
    exact = metrics.average_precision_score(truth[:, truth.any(axis=0)], scores[:, truth.any(axis=0)])
    assert averages.macro_pr_auc == pytest.approx(exact, abs=1e-4), "off to either side, not always below"


@pytest.mark.parametrize("memory", [areas.MEMORY_BYTES, 20_000])
def test_the_order_of_merging_does_not_matter(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(areas, "MEMORY_BYTES", memory)
    scores, truth = made_up(4_000, 3)
    whole = tallied(scores, truth)
    merged = Tally(Wanted(3))
    for part in np.array_split(np.random.default_rng(3).permutation(4_000), [5, 2_900, 3_000]):
        merged.merge(pickle.loads(pickle.dumps(tallied(scores[part], truth[part]))))
    assert merged.examples == 4_000
    labels = merged.labels()
    assert_same(labels, whole.labels())
    assert_same(merged.averages(labels), whole.averages(whole.labels()))


def assert_same(some: LabelScores | Averages, others: LabelScores | Averages, tolerance: float = 1e-12) -> None:
    for name, values in asdict(others).items():
        np.testing.assert_allclose(getattr(some, name), values, atol=tolerance, err_msg=name)


def test_probabilities_are_had_back_from_the_scores_of_the_decision() -> None:
    probabilities, truth = made_up(2_000, 4)
    thresholds = (0.3, 0.05, 0.9, 1.0)
    cuts = np.array(thresholds, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = 0.5 + 0.5 * (probabilities - cuts) / (1 - cuts)
    scores = np.where(probabilities > cuts, np.maximum(above, 0.50001), 0.5 * probabilities / cuts)
    filled = tallied(scores.astype(np.float32), truth, Wanted(4, thresholds))
    labels = filled.labels()
    errors = calibration_errors(probabilities, truth)
    # A probability next to the edge of a bin may fall to its other side.
    np.testing.assert_allclose(labels.calibration_error, errors, atol=1e-3)
    ranking = metrics.label_ranking_average_precision_score(truth, probabilities)
    assert filled.averages(labels).label_ranking_average_precision == pytest.approx(ranking, abs=1e-4)


@pytest.mark.parametrize("memory", [areas.MEMORY_BYTES, 20_000])
def test_a_replicate_is_what_is_measured_without_its_bucket(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(areas, "MEMORY_BYTES", memory)
    scores, truth = made_up(2_000, 3)
    wanted = Wanted(3, None, ((0, 1),), replicates=True, areas=True, calibration=True)
    labels, averages = tallied(scores, truth, wanted).replicates()
    bucket_of_row = np.arange(2_000) % JACKKNIFE_BUCKETS
    for bucket in (0, 7, 19):
        rest = tallied(scores[bucket_of_row != bucket], truth[bucket_of_row != bucket], Wanted(3, None, ((0, 1),)))
        expected = rest.labels()
        # Areas are binned more coarsely here.
        for found, right in (
            (labels, expected), (averages[0], rest.averages(expected)), (averages[1], rest.averages(expected, 1)),
        ):  # fmt: skip
            one = type(found)(**{name: value[bucket] for name, value in asdict(found).items()})
            assert_same(one, right, tolerance=0.01 if memory == 20_000 else 1e-3)
        np.testing.assert_allclose(labels.f1[bucket], expected.f1, atol=1e-12)
        np.testing.assert_allclose(labels.calibration_error[bucket], expected.calibration_error, atol=1e-12)


def test_replicates_that_nobody_asked_for_cost_nothing_and_are_undefined() -> None:
    scores, truth = made_up(100, 3)
    labels, averages = tallied(scores, truth, Wanted(3, replicates=True)).replicates()
    assert np.isfinite(labels.f1).all()
    assert np.isfinite(averages[0].samples_f1).all()
    assert np.isnan(labels.auc).all()
    assert np.isnan(averages[0].macro_calibration_error).all()


def test_a_score_that_is_not_a_number_spoils_its_label_and_every_average() -> None:
    scores, truth = made_up(100, 3)
    scores[50, 1] = np.nan
    filled = tallied(scores, truth)
    labels = filled.labels()
    for name in ("precision", "recall", "f1", "calibration_error"):
        assert np.isnan(getattr(labels, name)).tolist() == [False, True, False]
    assert np.isnan(list(vars(filled.averages(labels)).values())).all()


def test_no_example_is_no_metric_but_no_error() -> None:
    empty = Tally(Wanted(2, replicates=True))
    labels = empty.labels()
    assert labels.f1.tolist() == [0, 0]
    assert np.isnan(labels.auc).all()
    assert np.isnan(empty.averages(labels).macro_auc)
    assert np.isnan(empty.averages(labels).hamming_loss)
    assert empty.replicates()[0].f1.shape == (JACKKNIFE_BUCKETS, 2)


def test_averages_over_some_labels_are_those_of_these_columns_alone() -> None:
    scores, truth = made_up(500, 6)
    columns = (0, 2, 5)
    filled, some = tallied(scores, truth, Wanted(6, None, (columns,))), tallied(scores[:, columns], truth[:, columns])
    assert_same(filled.averages(filled.labels(), 1), some.averages(some.labels()))
    whole = tallied(scores, truth, Wanted(6, None, (tuple(range(6)),)))
    assert_same(whole.averages(whole.labels(), 1), whole.averages(whole.labels()))


def test_a_score_that_is_not_a_number_spoils_only_the_averages_that_it_is_in() -> None:
    scores, truth = made_up(100, 3)
    scores[:, 1] = np.nan
    filled = tallied(scores, truth, Wanted(3, None, ((0, 2), (0, 1))))
    labels = filled.labels()
    without = filled.averages(labels, 1)
    assert np.isfinite([without.macro_f1, without.samples_f1, without.label_ranking_average_precision]).all()
    assert np.isnan(list(vars(filled.averages(labels, 2)).values())).all()
