"""Every metric of a tally against scikit-learn."""

import pickle

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from sklearn import metrics

from components.evaluation.metrics import areas
from components.evaluation.metrics.catalogue import average_names, label_metric_names
from components.evaluation.metrics.scores import SUPPORT, UNKNOWN, Scores
from components.evaluation.metrics.tally import JACKKNIFE_GROUPS, Tally, TallySpec
from components.trainer.decisions.reliability import expected_calibration_error

DecisionScores = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


def generate(n_examples: int, n_labels: int, seed: int = 0) -> tuple[DecisionScores, Flags]:
    """Return scores like a trained model's, and the true labels, [n_examples, n_labels] each.

    The scores of rare labels crowd near 0. No example has the last label; the first is never predicted.
    """
    generator = np.random.default_rng(seed)
    share = np.geomspace(0.4, 0.002, n_labels)
    truth = generator.random((n_examples, n_labels)) < share
    truth[:, -1] = False
    log_odds = 1.5 * np.log(share / (1 - share)) + generator.normal(size=truth.shape) * 1.5 + 3 * truth
    scores = 1 / (1 + np.exp(-log_odds))
    scores[:, 0] *= 0.49
    return scores.astype(np.float32), truth


def fill_tally(
    scores: DecisionScores, truth: Flags, spec: TallySpec | None = None, known: Flags | None = None
) -> Tally:
    tally = Tally(spec or TallySpec(scores.shape[1]))
    unknown = np.zeros_like(truth) if known is None else ~known
    for index, (row, labels, silent) in enumerate(zip(scores, truth, unknown, strict=True)):
        tally.add(row, np.flatnonzero(labels).tolist(), index % JACKKNIFE_GROUPS, np.flatnonzero(silent).tolist())
    return tally


def assert_as_scikit_learn(
    labels: Scores, averages: Scores, scores: DecisionScores, truth: Flags, tolerance: float
) -> None:
    predicted = scores > 0.5
    for average, values in (
        (None, labels),
        *((name, averages) for name in ("macro", "micro", "weighted", "samples")),
    ):
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            truth, predicted, average=average, zero_division=0
        )
        prefix = f"{average}_" if average else ""
        np.testing.assert_allclose(values[f"{prefix}precision"], precision, atol=1e-12)
        np.testing.assert_allclose(values[f"{prefix}recall"], recall, atol=1e-12)
        np.testing.assert_allclose(values[f"{prefix}f1"], f1, atol=1e-12)
    np.testing.assert_array_equal(labels[SUPPORT], truth.sum(axis=0))
    confusion = metrics.multilabel_confusion_matrix(truth, predicted)
    for name, row, column in (
        ("true_negatives", 0, 0), ("false_positives", 0, 1), ("false_negatives", 1, 0), ("true_positives", 1, 1),
    ):  # fmt: skip
        np.testing.assert_array_equal(labels[name], confusion[:, row, column])
    assert averages["hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, predicted))
    assert averages["subset_accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    ranking = metrics.label_ranking_average_precision_score(truth, scores)
    assert averages["label_ranking_average_precision"] == pytest.approx(ranking)
    errors = calibration_errors(scores, truth)
    np.testing.assert_allclose(labels["calibration_error"], errors, atol=1e-6)
    assert averages["macro_calibration_error"] == pytest.approx(np.mean(errors), abs=1e-6)
    assert_areas_as_scikit_learn(labels, averages, scores, truth, tolerance)


def calibration_errors(probabilities: DecisionScores, truth: Flags) -> list[float]:
    """Return the calibration error of each label as the Trainer computes it."""
    labels = truth.astype(np.float64)
    return [expected_calibration_error(probabilities[:, column], labels[:, column]) for column in range(truth.shape[1])]


def assert_areas_as_scikit_learn(
    labels: Scores, averages: Scores, scores: DecisionScores, truth: Flags, tolerance: float
) -> None:
    present = np.flatnonzero(truth.any(axis=0))
    both = [column for column in present if not truth[:, column].all()]
    auc = [metrics.roc_auc_score(truth[:, column], scores[:, column]) for column in both]
    pr_auc = [metrics.average_precision_score(truth[:, column], scores[:, column]) for column in present]
    np.testing.assert_allclose(labels["auc"][both], auc, atol=tolerance)
    np.testing.assert_allclose(labels["pr_auc"][present], pr_auc, atol=tolerance)
    assert np.isnan(np.delete(labels["auc"], both)).all()
    assert np.isnan(np.delete(labels["pr_auc"], present)).all()
    for average, values in ((averages["macro_auc"], auc), (averages["macro_pr_auc"], pr_auc)):
        assert np.isnan(average) if not values else average == pytest.approx(np.mean(values), abs=tolerance)


def assert_equal_scores(actual: Scores, expected: Scores, tolerance: float = 1e-12) -> None:
    assert actual.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(actual[name], values, atol=tolerance, err_msg=name)


def test_computes_every_metric_of_the_catalogue() -> None:
    tally = fill_tally(*generate(10, 2))
    labels = tally.labels()
    assert labels.keys() == {*label_metric_names(), SUPPORT, UNKNOWN}
    assert tally.averages(labels).keys() == set(average_names())


def test_is_exact_while_the_scores_fit_into_memory() -> None:
    scores, truth = generate(3_000, 6)
    scores = np.round(scores, 2)  # many ties, and many scores of exactly 0.5, which is not predicted
    tally = fill_tally(scores, truth)
    labels = tally.labels()
    assert_as_scikit_learn(labels, tally.averages(labels), scores, truth, tolerance=1e-9)


def mask(truth: Flags, share: float = 0.4, seed: int = 1) -> Flags:
    """Return random known pairs; nothing is known about one label and about some examples."""
    known = np.random.default_rng(seed).random(truth.shape) > share
    known[:, 1] = False
    known[5:9] = False
    return known


def test_measures_each_label_on_the_examples_that_know_it_as_scikit_learn_does() -> None:
    scores, truth = generate(3_000, 6)
    scores = np.round(scores, 2)
    known = mask(truth)
    labels = fill_tally(scores, truth & known, known=known).labels()
    for column in (0, 2, 3, 4, 5):
        rows = known[:, column]
        alone = fill_tally(scores[rows][:, [column]], truth[rows][:, [column]]).labels()
        for name, values in alone.items():
            np.testing.assert_allclose(labels[name][column], values[0] if name != UNKNOWN else (~rows).sum(), atol=1e-9)
    rows = known[:, 2]
    of_scikit_learn = metrics.roc_auc_score(truth[rows, 2], scores[rows, 2])
    assert labels["auc"][2] == pytest.approx(of_scikit_learn, abs=1e-9)
    assert labels["pr_auc"][2] == pytest.approx(metrics.average_precision_score(truth[rows, 2], scores[rows, 2]))
    assert all(np.isnan(labels[name][1]) for name in ("f1", "precision", "recall", "auc", "calibration_error"))
    assert labels[UNKNOWN][1] == 3_000


def test_averages_over_what_is_known_as_scikit_learn_does() -> None:
    scores, truth = generate(2_000, 6)
    known = mask(truth)
    tally = fill_tally(scores, truth & known, known=known)
    labels = tally.labels()
    averages = tally.averages(labels)
    decided = scores > 0.5
    for name, function in (
        ("f1", metrics.f1_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ):
        pooled = function(truth[known], decided[known], zero_division=0)
        assert averages[f"micro_{name}"] == pytest.approx(pooled)
        assert averages[f"macro_{name}"] == pytest.approx(np.nanmean(labels[name]))
        examples = [
            function(truth[row, columns], decided[row, columns], zero_division=0)
            for row, columns in enumerate(known)
            if columns.any()
        ]  # fmt: skip
        assert averages[f"samples_{name}"] == pytest.approx(np.mean(examples))
        weights = (truth & known).sum(axis=0)
        assert averages[f"weighted_{name}"] == pytest.approx(np.average(np.nan_to_num(labels[name]), weights=weights))
    assert averages["hamming_loss"] == pytest.approx((truth != decided)[known].mean())
    labelled = [(row, columns) for row, columns in enumerate(known) if columns.any()]
    exact = [(truth[row, columns] == decided[row, columns]).all() for row, columns in labelled]
    assert averages["subset_accuracy"] == pytest.approx(np.mean(exact))
    ranking = [
        metrics.label_ranking_average_precision_score(truth[[row]][:, columns], scores[[row]][:, columns])
        for row, columns in labelled
    ]
    assert averages["label_ranking_average_precision"] == pytest.approx(np.mean(ranking))


@pytest.mark.parametrize("memory", [areas.MEMORY_BYTES, 2**12])
def test_scores_of_unknown_labels_have_no_part_in_any_metric_or_replicate(
    monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    monkeypatch.setattr(areas, "MEMORY_BYTES", memory)
    scores, truth = generate(1_500, 4)
    known = mask(truth)
    other = np.where(known, scores, np.random.default_rng(2).random(scores.shape)).astype(np.float32)
    spec = TallySpec(4, subsets=((0, 2),), replicates=True, areas=False, calibration=True)
    results = []
    for values in (scores, other):
        tally = fill_tally(values[:700], (truth & known)[:700], spec, known[:700])
        tally.merge(fill_tally(values[700:], (truth & known)[700:], spec, known[700:]))
        labels = tally.labels()
        results.append([labels, tally.averages(labels), tally.averages(labels, 1), *tally.replicates()[1]])
    for one, another in zip(*results, strict=True):
        assert_equal_scores(one, another)


def test_everything_known_measures_to_the_bit_as_if_nothing_could_be_unknown() -> None:
    scores, truth = generate(2_000, 5)
    known = np.ones_like(truth)
    known[0, 0] = False  # the arrays of what is known exist, and the example that is not known is left out below
    partial = fill_tally(scores, truth & known, known=known).labels()
    whole = fill_tally(scores, truth).labels()
    for name, values in whole.items():
        np.testing.assert_array_equal(partial[name][1:], values[1:], err_msg=name)


@settings(deadline=None)
@given(
    scores=stn.arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(2, 5)),
        elements=st.one_of(st.sampled_from([0, 0.25, 0.5, 0.75, 1]), st.floats(0, 1, width=32)),
    ),
    data=st.data(),
)
def test_is_exact_for_arbitrary_examples(scores: DecisionScores, data: st.DataObject) -> None:
    """No positives, all positives, one example, equal scores: scikit-learn decides what is correct."""
    truth = data.draw(stn.arrays(np.bool_, scores.shape))
    tally = fill_tally(scores, truth)
    labels = tally.labels()
    assert_as_scikit_learn(labels, tally.averages(labels), scores, truth, tolerance=1e-9)


def test_approximates_only_the_areas_of_many_examples() -> None:
    scores, truth = generate(20_000, 28)
    tally = fill_tally(scores, truth)
    labels = tally.labels()
    assert len(pickle.dumps(tally)) < 1.1 * areas.MEMORY_BYTES
    averages = tally.averages(labels)
    assert_as_scikit_learn(labels, averages, scores, truth, tolerance=2e-3)
    exact = metrics.average_precision_score(truth[:, truth.any(axis=0)], scores[:, truth.any(axis=0)])
    assert averages["macro_pr_auc"] == pytest.approx(exact, abs=1e-4), "errors in both directions cancel"


@pytest.mark.parametrize("memory", [areas.MEMORY_BYTES, 20_000])
def test_the_order_of_merging_does_not_matter(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(areas, "MEMORY_BYTES", memory)
    scores, truth = generate(4_000, 3)
    whole = fill_tally(scores, truth)
    merged = Tally(TallySpec(3))
    for part in np.array_split(np.random.default_rng(3).permutation(4_000), [5, 2_900, 3_000]):
        merged.merge(pickle.loads(pickle.dumps(fill_tally(scores[part], truth[part]))))
    assert merged.examples == 4_000
    labels = merged.labels()
    assert_equal_scores(labels, whole.labels())
    assert_equal_scores(merged.averages(labels), whole.averages(whole.labels()))


def test_recovers_probabilities_from_decision_scores() -> None:
    probabilities, truth = generate(2_000, 4)
    thresholds = (0.3, 0.05, 0.9, 1.0)
    cuts = np.array(thresholds, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = 0.5 + 0.5 * (probabilities - cuts) / (1 - cuts)
    scores = np.where(probabilities > cuts, np.maximum(above, 0.50001), 0.5 * probabilities / cuts)
    tally = fill_tally(scores.astype(np.float32), truth, TallySpec(4, thresholds))
    labels = tally.labels()
    errors = calibration_errors(probabilities, truth)
    # A probability next to the edge of a bin may be counted on its other side.
    np.testing.assert_allclose(labels["calibration_error"], errors, atol=1e-3)
    ranking = metrics.label_ranking_average_precision_score(truth, probabilities)
    assert tally.averages(labels)["label_ranking_average_precision"] == pytest.approx(ranking, abs=1e-4)


@pytest.mark.parametrize("memory", [areas.MEMORY_BYTES, 20_000])
def test_a_replicate_is_the_metric_without_its_group(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(areas, "MEMORY_BYTES", memory)
    scores, truth = generate(2_000, 3)
    spec = TallySpec(3, None, ((0, 1),), replicates=True, areas=True, calibration=True)
    labels, averages = fill_tally(scores, truth, spec).replicates()
    groups = np.arange(2_000) % JACKKNIFE_GROUPS
    for group in (0, 7, 19):
        rest = fill_tally(scores[groups != group], truth[groups != group], TallySpec(3, None, ((0, 1),)))
        expected = rest.labels()
        for actual, correct in (
            (labels, expected), (averages[0], rest.averages(expected)), (averages[1], rest.averages(expected, 1)),
        ):  # fmt: skip
            # The areas of replicates are computed from coarser bins.
            tolerance = 0.01 if memory == 20_000 else 1e-3
            assert_equal_scores({name: values[group] for name, values in actual.items()}, correct, tolerance)
        np.testing.assert_allclose(labels["f1"][group], expected["f1"], atol=1e-12)
        np.testing.assert_allclose(labels["calibration_error"][group], expected["calibration_error"], atol=1e-12)


def test_replicates_that_are_not_wanted_are_nan() -> None:
    scores, truth = generate(100, 3)
    labels, averages = fill_tally(scores, truth, TallySpec(3, replicates=True)).replicates()
    assert np.isfinite(labels["f1"]).all()
    assert np.isfinite(averages[0]["samples_f1"]).all()
    assert np.isnan(labels["auc"]).all()
    assert np.isnan(averages[0]["macro_calibration_error"]).all()


def test_a_nan_score_makes_its_label_and_every_average_nan() -> None:
    scores, truth = generate(100, 3)
    scores[50, 1] = np.nan
    tally = fill_tally(scores, truth)
    labels = tally.labels()
    for name in ("precision", "recall", "f1", "calibration_error"):
        assert np.isnan(labels[name]).tolist() == [False, True, False]
    assert np.isnan(list(tally.averages(labels).values())).all()


def test_no_examples_are_no_error() -> None:
    empty = Tally(TallySpec(2, replicates=True))
    labels = empty.labels()
    assert labels["f1"].tolist() == [0, 0]
    assert np.isnan(labels["auc"]).all()
    assert np.isnan(empty.averages(labels)["macro_auc"])
    assert np.isnan(empty.averages(labels)["hamming_loss"])
    assert empty.replicates()[0]["f1"].shape == (JACKKNIFE_GROUPS, 2)


def test_averages_over_a_subset_are_those_of_its_columns_alone() -> None:
    scores, truth = generate(500, 6)
    columns = (0, 2, 5)
    tally = fill_tally(scores, truth, TallySpec(6, None, (columns,)))
    alone = fill_tally(scores[:, columns], truth[:, columns])
    assert_equal_scores(tally.averages(tally.labels(), 1), alone.averages(alone.labels()))
    whole = fill_tally(scores, truth, TallySpec(6, None, (tuple(range(6)),)))
    assert_equal_scores(whole.averages(whole.labels(), 1), whole.averages(whole.labels()))


def test_a_nan_score_affects_only_averages_over_its_label() -> None:
    scores, truth = generate(100, 3)
    scores[:, 1] = np.nan
    tally = fill_tally(scores, truth, TallySpec(3, None, ((0, 2), (0, 1))))
    labels = tally.labels()
    without = tally.averages(labels, 1)
    finite = [without[name] for name in ("macro_f1", "samples_f1", "label_ranking_average_precision")]
    assert np.isfinite(finite).all()
    assert np.isnan(list(tally.averages(labels, 2).values())).all()
