"""Platt scaling and what is said of it, against scikit-learn and the formulas."""

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import _SigmoidCalibration, calibration_curve
from sklearn.linear_model import LogisticRegression

from components.trainer.decisions.calibration import (
    Calibration,
    cross_fitted,
    expected_calibration_error,
    fit_platt,
    platt_fit,
    put_into_head,
    reliability,
    to_logits,
)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits)))


def _overconfident(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels [n, 2] of a model whose logits are twice what they should be, and 1 too high."""
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 1.5, (n, 2))
    labels = (rng.random((n, 2)) < _sigmoid(logits)).astype(np.float64)
    return _sigmoid(2 * logits + 1).astype(np.float32), labels


def test_a_fit_is_scikit_learns() -> None:
    """Platt's targets are labels of both kinds with weights, which scikit-learn's regression takes."""
    probabilities, labels = _overconfident(500)
    logits, given_ = to_logits(probabilities[:, 0]), labels[:, 0]
    positives, negatives = given_.sum(), (1 - given_).sum()
    targets = np.where(given_ > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        np.tile(logits, 2)[:, np.newaxis],
        np.repeat([1, 0], len(logits)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    np.testing.assert_allclose(platt_fit(logits, given_), [reference.coef_[0, 0], reference.intercept_[0]], rtol=1e-4)


def test_it_agrees_with_scikit_learns_platt_scaling() -> None:
    probabilities, labels = _overconfident()
    logits = to_logits(probabilities[:, 0])
    reference = _SigmoidCalibration().fit(logits, labels[:, 0])
    np.testing.assert_allclose(platt_fit(logits, labels[:, 0]), [-reference.a_, -reference.b_], rtol=1e-3)


def test_what_was_done_to_the_logits_is_undone() -> None:
    calibration = fit_platt(*_overconfident())
    np.testing.assert_allclose(calibration.slopes, 0.5, atol=0.05)
    np.testing.assert_allclose(calibration.intercepts, -0.5, atol=0.1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=40))
def test_any_split_has_a_fit(pairs: list[tuple[float, bool]]) -> None:
    logits, labels = np.array([z for z, _ in pairs]), np.array([y for _, y in pairs], float)
    assert np.isfinite(platt_fit(logits, labels)).all(), "also where a cut separates the labels, or there is but one"


def test_a_rare_label_follows_the_others() -> None:
    probabilities, labels = _overconfident()
    labels[:, 1] = 0
    labels[np.argsort(probabilities[:, 1])[:2], 1] = 1  # two positives, and the model thought them the least likely
    common, rare = fit_platt(probabilities, labels).slopes
    assert common == pytest.approx(0.5, abs=0.05)
    assert rare > 0, "an order is never turned round"


def test_retired_columns_stay_and_do_not_touch_the_others() -> None:
    probabilities, labels = _overconfident(500)
    alone = fit_platt(probabilities, labels)
    three = np.insert(probabilities, 1, np.nan, axis=1)
    calibration = fit_platt(three, np.insert(labels, 1, 0, axis=1), retired=[1])
    assert (calibration.slopes[1], calibration.intercepts[1]) == (1.0, 0.0)
    np.testing.assert_array_equal(calibration.slopes[[0, 2]], alone.slopes)
    np.testing.assert_array_equal(calibration.intercepts[[0, 2]], alone.intercepts)


def test_the_heads_own_logits_become_the_calibrated_ones() -> None:
    rng = np.random.default_rng(0)
    head = keras.layers.Dense(2)
    pooled = rng.normal(size=(5, 4)).astype(np.float32)
    before = _sigmoid(np.asarray(head(pooled), np.float64))
    calibration = Calibration(np.array([0.5, 1.5]), np.array([-1.0, 0.25]))
    put_into_head(calibration, head)
    np.testing.assert_allclose(_sigmoid(np.asarray(head(pooled), np.float64)), calibration(before), atol=1e-6)


def test_the_error_is_the_weighted_distance_over_ten_bins() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(2000)
    labels = (rng.random(2000) < probabilities**2).astype(float)
    frequency, said = calibration_curve(labels, probabilities, n_bins=10)
    counts = np.histogram(probabilities, bins=10, range=(0, 1))[0]
    expected = (counts / 2000) @ np.abs(frequency - said)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected, rel=1e-9)


def test_bins_without_examples_are_left_out() -> None:
    probabilities, labels = np.array([0.0, 0.04, 0.95, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
    low, high = reliability(probabilities, labels)
    assert low == {"from": 0.0, "to": 0.1, "examples": 2, "probability": 0.02, "frequency": 0.5}
    assert (high["examples"], high["probability"], high["frequency"]) == (2, 0.975, 1.0)


def test_calibration_lowers_the_error_on_rows_it_was_not_fitted_to() -> None:
    probabilities, labels = _overconfident()
    after = cross_fitted(probabilities, labels)

    def error(values: Any) -> float:
        return float(np.mean([expected_calibration_error(p, y) for p, y in zip(values.T, labels.T, strict=True)]))

    assert error(after) < 0.03 < 0.1 < error(probabilities)


def test_a_row_does_not_decide_on_its_own_probability() -> None:
    probabilities, labels = _overconfident(50)
    flipped = labels.copy()
    flipped[7] = 1 - flipped[7]
    np.testing.assert_array_equal(cross_fitted(probabilities, labels)[7], cross_fitted(probabilities, flipped)[7])


@pytest.mark.parametrize("n", [1, 4, 5, 6])
def test_few_rows_do(n: int) -> None:
    probabilities, labels = _overconfident(n)
    assert np.isfinite(cross_fitted(probabilities, labels)).all()
