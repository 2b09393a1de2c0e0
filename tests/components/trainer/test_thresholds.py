"""Decision thresholds from the eval split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from components.trainer.thresholds import best_f1_threshold, choose_thresholds


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.2001, 0.5, 0.9, 0.999]), st.booleans()), min_size=1, max_size=40)
)
def test_no_cut_beats_the_best(pairs: list[tuple[float, bool]]) -> None:
    probabilities = np.array([p for p, _ in pairs])
    labels = np.array([y for _, y in pairs], dtype=float)
    if not labels.any():
        return
    found = f1_score(labels, probabilities > best_f1_threshold(probabilities, labels), zero_division=0)
    for cut in [0.0, *probabilities]:
        assert found >= f1_score(labels, probabilities > cut, zero_division=0) - 1e-12


def test_rare_labels_are_shrunk_towards_the_pooled_cut() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    labels = np.zeros((n, 2))
    labels[:1000, 0] = 1  # common
    labels[0, 1] = 1  # one positive: its own best cut is a coincidence
    probabilities = np.clip(np.where(labels == 1, 0.6, 0.2) + rng.normal(0, 0.1, labels.shape), 0.01, 0.99)
    probabilities[0, 1] = 0.98
    common, rare = choose_thresholds(probabilities, labels)
    own_rare = best_f1_threshold(probabilities[:, 1], labels[:, 1])
    assert 0.3 < common < 0.5
    assert own_rare > 0.7
    assert rare < 0.7, "a single positive must not decide"


def test_a_label_without_positives_takes_the_pooled_cut() -> None:
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 0]], dtype=float)
    probabilities = np.array([[0.9, 0.1], [0.2, 0.1], [0.8, 0.2], [0.1, 0.1]])
    thresholds = choose_thresholds(probabilities, labels)
    assert ((thresholds > 0) & (thresholds < 1)).all()


def test_thresholds_need_examples() -> None:
    with pytest.raises(ValueError, match="at least one example"):
        choose_thresholds(np.zeros((0, 3)), np.zeros((0, 3)))


def test_retired_columns_get_1_and_do_not_touch_the_others() -> None:
    rng = np.random.default_rng(1)
    probabilities, labels = rng.random((200, 4)), (rng.random((200, 4)) < 0.3).astype(float)
    labels[:, 2] = 0
    probabilities[:, 2] = np.nan  # whatever the head says there
    thresholds = choose_thresholds(probabilities, labels, retired=[2])
    assert thresholds[2] == 1.0
    others = [0, 1, 3]
    np.testing.assert_array_equal(thresholds[others], choose_thresholds(probabilities[:, others], labels[:, others]))
