"""Every loss against its formula in plain NumPy, at ease and at the extremes."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.trainer.choices import AsymmetricLoss, FocalLoss, LossSettings, PlainLoss, WeightedLoss
from components.trainer.input_pipeline import LabelCounts
from components.trainer.loop.losses import multi_hot_loss, positive_weights, prior_bias

COUNTS = LabelCounts(100, np.array([2.0, 25.0, 60.0, 0.0]))
Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _plain(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log1p(-p)))


def _weighted(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    weights = np.array([10.0, 3.0, 40 / 60, 10.0])[: p.shape[1]]
    return np.asarray(-(weights * y * np.log(p) + (1 - y) * np.log1p(-p)))


def _focal(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(-(y * 0.25 * (1 - p) ** 2 * np.log(p) + (1 - y) * 0.75 * p**2 * np.log1p(-p)))


def _asymmetric(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    q = np.maximum(p - 0.05, 0)
    return np.asarray(-(y * (1 - p) * np.log(p) + (1 - y) * q**4 * np.log1p(-q)))


def _asymmetric_without_margin(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(-(y * np.log(p) + (1 - y) * p**3 * np.log1p(-p)))


CASES: list[tuple[LossSettings, Formula]] = [
    (PlainLoss(), _plain),
    (WeightedLoss(kind="weighted", cap=10), _weighted),
    (FocalLoss(kind="focal", gamma=2, alpha=0.25), _focal),
    (AsymmetricLoss(kind="asymmetric", gamma_neg=4, gamma_pos=1, clip=0.05), _asymmetric),
    (AsymmetricLoss(kind="asymmetric", gamma_neg=3, gamma_pos=0, clip=0), _asymmetric_without_margin),
]
every_loss = pytest.mark.parametrize(("chosen", "formula"), CASES, ids=[formula.__name__ for _, formula in CASES])


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def _batch(n: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(0, 3, (n, 4)).astype(np.float32), (rng.random((n, 4)) < 0.4).astype(np.float32)


def _value(loss: keras.losses.Loss, labels: Any, logits: Any) -> float:
    return float(loss(tf.constant(labels), tf.constant(logits)))


@every_loss
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_loss_is_its_formula(chosen: LossSettings, formula: Formula, smoothing: float) -> None:
    logits, labels = _batch()
    targets = labels * (1 - smoothing) + smoothing / 2
    expected = formula(_sigmoid(logits), targets).mean()
    assert _value(multi_hot_loss([], chosen, COUNTS, smoothing), labels, logits) == pytest.approx(expected, rel=1e-5)


@every_loss
@pytest.mark.parametrize("retired", [[1], [0, 3], [0, 1, 2]])
def test_a_retired_column_has_no_part(chosen: LossSettings, formula: Formula, retired: list[int]) -> None:
    logits, labels = _batch()
    others = [column for column in range(4) if column not in retired]
    expected = formula(_sigmoid(logits), labels)[:, others].mean()
    logits[:, retired] = np.inf  # would be lost in a sum, even times 0
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = multi_hot_loss(retired, chosen, COUNTS)(tf.constant(labels), variable)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
    np.testing.assert_array_equal(gradient[:, retired], 0)
    assert np.isfinite(gradient).all()
    assert (gradient[:, others] != 0).any(axis=0).all()


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_extreme_logits_lose_nothing(chosen: LossSettings, formula: Formula, dtype: str) -> None:
    for logit in (-50.0, 50.0, -20.0, 20.0, 0.0):
        for label in (0.0, 1.0):
            # A sigmoid of 50 is 1 even in float64: the formula needs its own complement.
            logits = np.full((1, 4), logit)
            with np.errstate(divide="ignore", invalid="ignore"):
                expected = _exact(formula, logit, label)
            variable = tf.Variable(tf.cast(logits, dtype))
            with tf.GradientTape() as tape:
                loss = multi_hot_loss([], chosen, COUNTS)(tf.fill([1, 4], label), variable)
            assert loss.dtype == tf.float32, "whatever the model computes in"
            assert float(loss) == pytest.approx(expected, rel=1e-5, abs=1e-12), (logit, label)
            assert np.isfinite(tf.cast(tape.gradient(loss, variable), tf.float32)).all(), (logit, label)


def _exact(formula: Formula, logit: float, label: float) -> float:
    """The formula in numbers of twice the digits, where this machine has them: log p of a p next to 1 needs them."""
    probability = np.longdouble(1) / (1 + np.exp(-np.longdouble(logit)))
    if logit == 50.0:  # 1 - p is below even those: take the limits that the formulas have there
        near, far = np.exp(-np.longdouble(50)), np.longdouble(50)
        limits = {
            "_plain": (near, far),
            "_weighted": (near * np.mean([10, 3, 40 / 60, 10]), far),
            "_focal": (0.25 * near**3, 0.75 * far),
            "_asymmetric": (near**2, -(np.longdouble(0.95) ** 4) * np.log(np.longdouble(0.05))),
            "_asymmetric_without_margin": (near, far),
        }
        return float(limits[formula.__name__][0 if label else 1])
    return float(formula(np.full((1, 4), probability), np.full((1, 4), label)).mean())


@settings(deadline=None, max_examples=50)
@given(st.floats(-15, 15), st.booleans())
def test_without_focus_focal_and_asymmetric_are_plain(logit: float, label: bool) -> None:
    batch = [[float(label)]], [[logit]]
    plain = _value(multi_hot_loss(), *batch)
    focal = FocalLoss(kind="focal", gamma=0, alpha=None)
    asymmetric = AsymmetricLoss(kind="asymmetric", gamma_neg=0, gamma_pos=0, clip=0)
    for chosen in (focal, asymmetric):
        assert _value(multi_hot_loss([], chosen), *batch) == pytest.approx(plain, rel=1e-5, abs=1e-9)


def test_positive_weights_balance_a_label_within_their_bounds() -> None:
    counts = LabelCounts(100, np.array([2.0, 25.0, 60.0, 0.0, 100.0]))
    np.testing.assert_allclose(positive_weights(counts, 10), [10, 3, 40 / 60, 10, 0.1])
    with pytest.raises(ValueError, match="label counts"):
        multi_hot_loss([], WeightedLoss(kind="weighted"))


@pytest.mark.parametrize("chosen", [PlainLoss(), WeightedLoss(kind="weighted", cap=50)])
def test_no_constant_is_better_than_the_prior_bias(chosen: LossSettings) -> None:
    labels = np.zeros((1000, 1), np.float32)
    labels[:30] = 1
    counts = LabelCounts(1000, np.array([30.0]))
    loss = multi_hot_loss([], chosen, counts)
    bias = prior_bias(counts, chosen).astype(np.float32)
    best = _value(loss, labels, np.tile(bias, (1000, 1)))
    for shift in (-0.2, 0.2):
        assert best < _value(loss, labels, np.tile(bias + np.float32(shift), (1000, 1)))


def test_focal_and_asymmetric_begin_at_the_log_odds() -> None:
    for chosen in (FocalLoss(kind="focal"), AsymmetricLoss(kind="asymmetric")):
        np.testing.assert_array_equal(prior_bias(COUNTS, chosen), COUNTS.log_odds())
