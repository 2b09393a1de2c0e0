"""Decision thresholds from the eval split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, fbeta_score, precision_score, recall_score

from components.trainer.decisions.settings import BestF1, BestFBeta, MinPrecision, ThresholdSettings
from components.trainer.decisions.thresholds import (
    NEVER,
    best_f_threshold,
    choose_thresholds,
    thresholds_of_precision,
)

_PAIRS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.2001, 0.5, 0.9, 0.999]), st.booleans()), min_size=1, max_size=40
)


@settings(deadline=None)
@given(_PAIRS)
def test_no_threshold_has_a_higher_f1(pairs: list[tuple[float, bool]]) -> None:
    probabilities = np.array([p for p, _ in pairs])
    labels = np.array([y for _, y in pairs], dtype=float)
    if not labels.any():
        return
    best = f1_score(labels, probabilities > best_f_threshold(probabilities, labels), zero_division=0)
    for threshold in [0.0, *probabilities]:
        assert best >= f1_score(labels, probabilities > threshold, zero_division=0) - 1e-12


def test_thresholds_of_rare_labels_are_shrunk_towards_the_expected_best() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    labels = np.zeros((n, 2))
    labels[:1000, 0] = 1  # common
    labels[0, 1] = 1  # one positive, whose own best threshold is a coincidence
    probabilities = np.clip(np.where(labels == 1, 0.6, 0.2) + rng.normal(0, 0.1, labels.shape), 0.01, 0.99)
    probabilities[0, 1] = 0.98
    common, rare = choose_thresholds(probabilities, labels)
    own_rare = best_f_threshold(probabilities[:, 1], labels[:, 1])
    assert 0.3 < common < 0.5
    assert own_rare > 0.7
    assert rare < 0.7, "a single positive must not decide"


def test_a_label_without_positives_has_a_threshold() -> None:
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], dtype=float)
    probabilities = np.array([[0.9, 0.1], [0.2, 0.1], [0.8, 0.2], [0.1, 0.1]])
    thresholds = choose_thresholds(probabilities, labels)
    assert ((thresholds > 0) & (thresholds < 1)).all()


def test_the_threshold_of_a_rare_label_generalizes_to_other_rows() -> None:
    """Chosen on some ten positives, it beats the best one there, which is noise, and that of the common label."""
    rng = np.random.default_rng(0)
    scores: dict[str, list[float]] = {"chosen": [], "own": [], "common": []}
    for _ in range(20):
        probabilities = 1 / (1 + np.exp(-rng.normal([-0.5, -6.0], [2.0, 1.5], (20_000, 2))))
        labels = (rng.random(probabilities.shape) < probabilities).astype(float)
        common, rare = choose_thresholds(probabilities[:1_500], labels[:1_500])
        assert rare < common
        own = best_f_threshold(probabilities[:1_500, 1], labels[:1_500, 1])
        for name, threshold in (("chosen", rare), ("own", own), ("common", common)):
            scores[name].append(f1_score(labels[1_500:, 1], probabilities[1_500:, 1] > threshold))
    chosen_mean, own_mean, common_mean = (np.mean(values) for values in scores.values())
    assert chosen_mean > own_mean + 0.01
    assert chosen_mean > common_mean + 0.02


def test_thresholds_need_examples() -> None:
    with pytest.raises(ValueError, match="at least one example"):
        choose_thresholds(np.zeros((0, 3)), np.zeros((0, 3)))


def test_retired_columns_have_threshold_1_and_do_not_affect_the_others() -> None:
    rng = np.random.default_rng(1)
    probabilities, labels = rng.random((200, 4)), (rng.random((200, 4)) < 0.3).astype(float)
    labels[:, 2] = 0
    probabilities[:, 2] = np.nan  # whatever the head computes there
    thresholds = choose_thresholds(probabilities, labels, retired=[2])
    assert thresholds[2] == 1.0
    others = [0, 1, 3]
    np.testing.assert_array_equal(thresholds[others], choose_thresholds(probabilities[:, others], labels[:, others]))


@settings(deadline=None)
@given(_PAIRS, st.sampled_from([0.5, 1.0, 2.0, 3.0]))
def test_no_threshold_has_a_higher_f_beta(pairs: list[tuple[float, bool]], beta: float) -> None:
    probabilities = np.array([p for p, _ in pairs])
    labels = np.array([y for _, y in pairs], dtype=float)
    if not labels.any():
        return
    threshold = best_f_threshold(probabilities, labels, beta)
    best = fbeta_score(labels, probabilities > threshold, beta=beta, zero_division=0)
    for other in [0.0, *probabilities]:
        assert best >= fbeta_score(labels, probabilities > other, beta=beta, zero_division=0) - 1e-12


def test_a_larger_beta_lowers_thresholds() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((3000, 3)) < 0.2).astype(float)
    probabilities = 1 / (1 + np.exp(-(2 * labels - 1.5 + rng.normal(0, 1, labels.shape))))
    half, one, two = (
        choose_thresholds(probabilities, labels, (), BestFBeta(objective="f_beta", beta=beta)) for beta in (0.5, 1, 2)
    )
    assert (half > one).all()
    assert (one > two).all()
    np.testing.assert_array_equal(one, choose_thresholds(probabilities, labels, (), BestF1()))


@settings(deadline=None)
@given(_PAIRS, st.sampled_from([0.1, 0.5, 0.75, 1.0]))
def test_thresholds_of_precision_are_all_that_keep_it(pairs: list[tuple[float, bool]], precision: float) -> None:
    probabilities = np.array([p for p, _ in pairs], np.float32)
    labels = np.array([y for _, y in pairs], dtype=float)
    thresholds = thresholds_of_precision(probabilities, labels, precision)
    assert (np.diff(thresholds) > 0).all()
    for threshold in thresholds:
        assert precision_score(labels, probabilities > threshold) >= precision
    best = recall_score(labels, probabilities > thresholds[0]) if len(thresholds) else 0.0
    for threshold in [np.float32(0), *probabilities]:
        predicted = probabilities > threshold
        if predicted.any() and precision_score(labels, predicted) >= precision:
            assert len(thresholds)
            assert recall_score(labels, predicted, zero_division=0) <= best + 1e-12


_TABLES = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(0, 1, width=32), min_size=2 * n, max_size=2 * n),
        st.lists(st.booleans(), min_size=2 * n, max_size=2 * n),
    )
)


@settings(deadline=None)
@given(_TABLES, st.sampled_from([0.3, 0.8, 1.0]))
def test_a_minimum_precision_holds_on_the_eval_split(table: tuple[list[float], list[bool]], precision: float) -> None:
    probabilities, labels = np.array(table[0], np.float32).reshape(-1, 2), np.array(table[1], float).reshape(-1, 2)
    objective = MinPrecision(objective="min_precision", precision=precision)
    thresholds = choose_thresholds(probabilities, labels, (), objective)
    for column, threshold in enumerate(thresholds):
        is_reachable = len(thresholds_of_precision(probabilities[:, column], labels[:, column], precision)) > 0
        predicted = probabilities[:, column] > threshold
        assert (threshold == NEVER) == (not is_reachable)
        assert predicted.any() == is_reachable, "a label that can be predicted is"
        if is_reachable:
            assert precision_score(labels[:, column], predicted) >= precision


def test_a_label_that_cannot_reach_the_precision_is_never_predicted() -> None:
    labels = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], float)
    probabilities = np.array([[0.9, 0.9, 0.2], [0.8, 0.8, 0.9], [0.2, 0.7, 0.1], [0.1, 0.1, 0.1]])
    thresholds = choose_thresholds(probabilities, labels, (), MinPrecision(objective="min_precision", precision=0.9))
    assert 0 < thresholds[0] < 1
    assert thresholds[1:].tolist() == [NEVER, NEVER], "one whose positives rank low, and one without any"


def test_one_lucky_positive_does_not_lower_the_threshold_of_a_minimum_precision() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((4000, 2))
    labels[:1000, 0] = 1
    labels[0, 1] = 1
    probabilities = np.clip(np.where(labels == 1, 0.6, 0.4) + rng.normal(0, 0.1, labels.shape), 0.01, 0.99)
    probabilities[:, 1] = 0.001
    probabilities[0, 1] = 0.9  # any threshold in between has precision 1; midway would be 0.45
    thresholds = choose_thresholds(probabilities, labels, (), MinPrecision(objective="min_precision", precision=0.9))
    assert thresholds[0] > 0.5
    assert 0.4 < thresholds[1] < 0.9


@pytest.mark.parametrize("objective", [BestF1(), MinPrecision(objective="min_precision", precision=0.6)])
def test_rows_that_do_not_know_a_label_have_no_part_in_its_threshold(objective: ThresholdSettings) -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((400, 3)) < [0.4, 0.2, 0.1]).astype(np.float32)
    probabilities = np.clip(0.5 * labels + 0.6 * rng.random(labels.shape), 0.01, 0.99).astype(np.float32)
    unknown = rng.random(labels.shape) < 0.5
    partial = np.where(unknown, -1, labels).astype(np.float32)
    chosen = choose_thresholds(probabilities, partial, (), objective)
    perturbed = np.where(unknown, rng.random(labels.shape), probabilities).astype(np.float32)
    np.testing.assert_array_equal(choose_thresholds(perturbed, partial, (), objective), chosen)
    rows = ~unknown[:, 0]
    alone = choose_thresholds(probabilities[:, :1], partial[:, :1], (), objective)
    np.testing.assert_array_equal(alone, choose_thresholds(probabilities[rows, :1], labels[rows, :1], (), objective))


def test_a_label_that_no_row_knows_gets_the_threshold_that_its_probabilities_let_expect() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 2)) < 0.3).astype(np.float32)
    probabilities = np.clip(0.5 * labels + 0.4 * rng.random(labels.shape), 0.01, 0.99).astype(np.float32)
    labels[:, 1] = -1
    thresholds = choose_thresholds(probabilities, labels)
    assert 0 < thresholds[1] < 1
    never = choose_thresholds(probabilities, labels, (), MinPrecision(objective="min_precision", precision=0.9))
    assert never[1] == 1.0


def test_the_threshold_of_a_label_is_chosen_for_the_decisions_that_the_label_above_leaves() -> None:
    rng = np.random.default_rng(0)
    parent = rng.random(3_000) < 0.4
    child = parent & (rng.random(3_000) < 0.4)
    labels = np.stack([child, parent], axis=1).astype(np.float32)
    # The child's own probabilities take many texts without the parent for it.
    confused = np.where(parent, child, rng.random(3_000) < 0.3)
    noise = rng.random((3_000, 2))
    probabilities = np.clip(0.6 * np.stack([confused, parent], axis=1) + 0.4 * noise, 0.01, 0.99).astype(np.float32)
    alone = choose_thresholds(probabilities, labels)
    knowing = choose_thresholds(probabilities, labels, ancestors={0: (1,)})
    assert knowing[1] == alone[1], "nothing is above the parent"
    given = probabilities[:, 1] > knowing[1]

    def f1(threshold: float) -> float:
        return float(f1_score(labels[:, 0], (probabilities[:, 0] > threshold) & given))

    best = max(f1(threshold) for threshold in np.linspace(0.02, 0.98, 97))
    assert f1(knowing[0]) >= best - 0.005
    assert f1(knowing[0]) >= f1(alone[0])
    assert knowing[0] < alone[0], "a text without the parent is no mistake of the child's any more"


def test_a_minimum_precision_is_kept_by_the_decisions_that_are_left() -> None:
    rng = np.random.default_rng(1)
    parent = rng.random(2_000) < 0.5
    labels = np.stack([parent & (rng.random(2_000) < 0.3), parent], axis=1).astype(np.float32)
    probabilities = np.clip(0.5 * labels + 0.5 * rng.random(labels.shape), 0.01, 0.99).astype(np.float32)
    settings = MinPrecision(objective="min_precision", precision=0.8)
    thresholds = choose_thresholds(probabilities, labels, (), settings, {0: (1,)})
    given = probabilities > thresholds
    assert precision_score(labels[:, 0], given[:, 0] & given[:, 1]) >= 0.8
