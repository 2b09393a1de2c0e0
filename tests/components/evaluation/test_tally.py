"""Every number of a tally against scikit-learn."""

import pickle

import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics

from components.evaluation import tally
from components.evaluation.tally import Averages, LabelScores, Tally

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


def tallied(scores: Scores, truth: Truth) -> Tally:
    filled = Tally(scores.shape[1])
    for row, right in zip(scores, truth, strict=True):
        filled.add(row, np.flatnonzero(right).tolist())
    return filled


def assert_as_scikit_learn(
    labels: LabelScores, averages: Averages, scores: Scores, truth: Truth, tolerance: float
) -> None:
    given = scores > 0.5
    for average, expected in ((None, labels), ("macro", averages), ("micro", averages)):
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            truth, given, average=average, zero_division=0
        )
        prefix = f"{average}_" if average else ""
        np.testing.assert_allclose(getattr(expected, f"{prefix}precision"), precision, atol=1e-12)
        np.testing.assert_allclose(getattr(expected, f"{prefix}recall"), recall, atol=1e-12)
        np.testing.assert_allclose(getattr(expected, f"{prefix}f1"), f1, atol=1e-12)
    np.testing.assert_array_equal(labels.support, truth.sum(axis=0))
    present = np.flatnonzero(truth.any(axis=0))
    both = [column for column in present if not truth[:, column].all()]
    auc = [metrics.roc_auc_score(truth[:, column], scores[:, column]) for column in both]
    pr_auc = [metrics.average_precision_score(truth[:, column], scores[:, column]) for column in present]
    np.testing.assert_allclose(labels.auc[both], auc, atol=tolerance)
    np.testing.assert_allclose(labels.pr_auc[present], pr_auc, atol=tolerance)
    assert np.isnan(np.delete(labels.auc, both)).all()
    assert np.isnan(np.delete(labels.pr_auc, present)).all()
    np.testing.assert_allclose(averages.macro_auc, np.mean(auc), atol=tolerance)
    np.testing.assert_allclose(averages.macro_pr_auc, np.mean(pr_auc), atol=tolerance)


def test_while_the_scores_fit_into_memory_all_is_exact() -> None:
    scores, truth = made_up(3_000, 6)
    scores = np.round(scores, 2)  # many ties, and many scores of exactly 0.5: not given
    filled = tallied(scores, truth)
    labels = filled.labels()
    assert_as_scikit_learn(labels, filled.averages(labels), scores, truth, tolerance=1e-9)


def test_beyond_only_the_areas_are_approximate() -> None:
    scores, truth = made_up(70_000, 28)
    filled = tallied(scores, truth)
    labels = filled.labels()
    assert len(pickle.dumps(filled)) < 1.1 * tally.MEMORY_BYTES
    assert_as_scikit_learn(labels, filled.averages(labels), scores, truth, tolerance=1e-3)


@pytest.mark.parametrize("memory", [tally.MEMORY_BYTES, 60_000])
def test_the_order_of_merging_does_not_matter(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MEMORY_BYTES", memory)
    scores, truth = made_up(4_000, 3)
    whole = tallied(scores, truth).labels()
    merged = Tally(3)
    for part in np.array_split(np.random.default_rng(3).permutation(4_000), [5, 2_900, 3_000]):
        merged.merge(pickle.loads(pickle.dumps(tallied(scores[part], truth[part]))))
    assert merged.examples == 4_000
    for one, other in zip(vars(whole).values(), vars(merged.labels()).values(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_a_score_that_is_not_a_number_spoils_its_label_and_every_average() -> None:
    scores, truth = made_up(100, 3)
    scores[50, 1] = np.nan
    filled = tallied(scores, truth)
    labels = filled.labels()
    assert np.isnan(labels.f1).tolist() == [False, True, False]
    assert np.isnan(list(vars(filled.averages(labels)).values())).all()


def test_no_example_is_no_metric_but_no_error() -> None:
    empty = Tally(2)
    labels = empty.labels()
    assert labels.f1.tolist() == [0, 0]
    assert np.isnan(labels.auc).all()
    assert np.isnan(empty.averages(labels).macro_auc)


def test_averages_over_some_labels_are_scikit_learns_over_those_columns() -> None:
    scores, truth = made_up(500, 6)
    columns = [0, 2, 5]
    filled, some = tallied(scores, truth), tallied(scores[:, columns], truth[:, columns])
    labels = filled.labels()
    assert filled.averages(labels, columns) == some.averages(some.labels())
    assert filled.averages(labels, range(6)) == filled.averages(labels)
    average = filled.averages(labels, columns)
    given = scores[:, columns] > 0.5
    expected = metrics.f1_score(truth[:, columns], given, average="micro", zero_division=0)
    assert average.micro_f1 == pytest.approx(expected)


def test_a_score_that_is_not_a_number_spoils_only_the_averages_that_it_is_in() -> None:
    scores, truth = made_up(100, 3)
    scores[:, 1] = np.nan
    filled = tallied(scores, truth)
    labels = filled.labels()
    assert np.isfinite(list(vars(filled.averages(labels, [0, 2])).values())[:4]).all()
    assert np.isnan(list(vars(filled.averages(labels, [0, 1])).values())).all()
