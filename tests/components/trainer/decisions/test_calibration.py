"""Platt scaling, against scikit-learn and the formulas."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import _SigmoidCalibration
from sklearn.linear_model import LogisticRegression

from components.trainer.decisions.calibration import (
    Calibration,
    calibrate_head,
    cross_fitted,
    fit_platt,
    platt_fit,
    to_logits,
)
from components.trainer.decisions.reliability import expected_calibration_error


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits)))


def _overconfident(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and labels [n, 2] of a model whose logits are twice what they should be, plus 1."""
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 1.5, (n, 2))
    labels = (rng.random((n, 2)) < _sigmoid(logits)).astype(np.float64)
    return _sigmoid(2 * logits + 1).astype(np.float32), labels


def test_a_fit_equals_scikit_learns_weighted_regression() -> None:
    """Platt's targets are both labels with weights, which scikit-learn's logistic regression accepts."""
    probabilities, labels = _overconfident(500)
    logits, label = to_logits(probabilities[:, 0]), labels[:, 0]
    positives, negatives = label.sum(), (1 - label).sum()
    targets = np.where(label > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        np.tile(logits, 2)[:, np.newaxis],
        np.repeat([1, 0], len(logits)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    np.testing.assert_allclose(platt_fit(logits, label), [reference.coef_[0, 0], reference.intercept_[0]], rtol=1e-4)


def test_a_fit_agrees_with_scikit_learns_platt_scaling() -> None:
    probabilities, labels = _overconfident()
    logits = to_logits(probabilities[:, 0])
    reference = _SigmoidCalibration().fit(logits, labels[:, 0])
    np.testing.assert_allclose(platt_fit(logits, labels[:, 0]), [-reference.a_, -reference.b_], rtol=1e-3)


def test_recovers_the_distortion_of_the_logits() -> None:
    calibration = fit_platt(*_overconfident())
    np.testing.assert_allclose(calibration.slopes, 0.5, atol=0.05)
    np.testing.assert_allclose(calibration.intercepts, -0.5, atol=0.1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=40))
def test_any_split_has_a_fit(pairs: list[tuple[float, bool]]) -> None:
    logits, labels = np.array([z for z, _ in pairs]), np.array([y for _, y in pairs], float)
    assert np.isfinite(platt_fit(logits, labels)).all(), "even if a threshold separates the labels, or all are equal"


def test_a_rare_label_follows_the_others() -> None:
    probabilities, labels = _overconfident()
    labels[:, 1] = 0
    labels[np.argsort(probabilities[:, 1])[:2], 1] = 1  # two positives, with the lowest probabilities of all
    common, rare = fit_platt(probabilities, labels).slopes
    assert common == pytest.approx(0.5, abs=0.05)
    assert rare > 0, "an order is never reversed"


def test_retired_columns_are_unchanged_and_do_not_affect_the_others() -> None:
    probabilities, labels = _overconfident(500)
    without_retired = fit_platt(probabilities, labels)
    three = np.insert(probabilities, 1, np.nan, axis=1)
    calibration = fit_platt(three, np.insert(labels, 1, 0, axis=1), retired=[1])
    assert (calibration.slopes[1], calibration.intercepts[1]) == (1.0, 0.0)
    np.testing.assert_array_equal(calibration.slopes[[0, 2]], without_retired.slopes)
    np.testing.assert_array_equal(calibration.intercepts[[0, 2]], without_retired.intercepts)


def test_the_heads_own_logits_become_calibrated() -> None:
    rng = np.random.default_rng(0)
    head = keras.layers.Dense(2)
    pooled = rng.normal(size=(5, 4)).astype(np.float32)
    before = _sigmoid(np.asarray(head(pooled), np.float64))
    calibration = Calibration(np.array([0.5, 1.5]), np.array([-1.0, 0.25]))
    calibrate_head(calibration, head)
    np.testing.assert_allclose(_sigmoid(np.asarray(head(pooled), np.float64)), calibration(before), atol=1e-6)


def test_calibration_lowers_the_error_on_rows_it_was_not_fitted_to() -> None:
    probabilities, labels = _overconfident()
    after = cross_fitted(probabilities, labels)

    def error(values: np.ndarray) -> float:
        return float(np.mean([expected_calibration_error(p, y) for p, y in zip(values.T, labels.T, strict=True)]))

    assert error(after) < 0.03 < 0.1 < error(probabilities)


def test_a_row_does_not_affect_its_own_cross_fitted_probability() -> None:
    probabilities, labels = _overconfident(50)
    flipped = labels.copy()
    flipped[7] = 1 - flipped[7]
    np.testing.assert_array_equal(cross_fitted(probabilities, labels)[7], cross_fitted(probabilities, flipped)[7])


@pytest.mark.parametrize("n", [1, 4, 5, 6])
def test_few_rows_are_enough(n: int) -> None:
    probabilities, labels = _overconfident(n)
    assert np.isfinite(cross_fitted(probabilities, labels)).all()


def test_rows_that_do_not_know_a_label_have_no_part_in_its_calibration() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 2)) < 0.3).astype(np.float32)
    probabilities = np.clip(0.4 * labels + 0.5 * rng.random(labels.shape), 0.01, 0.99)
    unknown = rng.random(labels.shape) < 0.5
    partial = np.where(unknown, -1, labels)
    fit = fit_platt(probabilities, partial)
    again = fit_platt(np.where(unknown, 0.5, probabilities), partial)
    np.testing.assert_array_equal(fit.slopes, again.slopes)
    rows = ~unknown[:, 0]
    alone = fit_platt(probabilities[rows, :1], labels[rows, :1])
    np.testing.assert_allclose(fit_platt(probabilities[:, :1], partial[:, :1]).slopes, alone.slopes, rtol=1e-9)
    all_unknown = fit_platt(probabilities, np.stack([labels[:, 0], np.full(300, -1.0)], axis=1))
    pooled = platt_fit(to_logits(probabilities[:, 0]), labels[:, 0])
    assert (all_unknown.slopes[1], all_unknown.intercepts[1]) == pytest.approx(pooled)
