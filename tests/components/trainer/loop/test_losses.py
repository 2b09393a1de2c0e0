"""Every loss against its formula in NumPy, also for extreme logits."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.common.settings import Settings
from components.trainer.loop.label_counts import LabelCounts
from components.trainer.loop.losses import LOSSES, Terms, multi_hot_loss, positive_weights, prior_bias
from components.trainer.loop.settings import AsymmetricLoss, FocalLoss, LossSettings, PlainLoss, WeightedLoss

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
every_loss = pytest.mark.parametrize(("loss", "formula"), CASES, ids=[formula.__name__ for _, formula in CASES])


@every_loss
def test_an_unknown_label_costs_nothing_and_every_known_pair_weighs_the_same(
    loss: LossSettings, formula: Formula
) -> None:
    logits, labels = _batch()
    unknown = np.random.default_rng(1).random(labels.shape) < 0.4
    unknown[3] = True  # an example of which nothing is known
    known_per_example = float((~unknown).sum() / len(labels))
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        masked = multi_hot_loss((), loss, COUNTS, known_per_example=known_per_example)
        value = masked(np.where(unknown, -1.0, labels).astype(np.float32), variable)
    expected = formula(_sigmoid(logits), labels)[~unknown].mean()
    np.testing.assert_allclose(value.numpy(), expected, rtol=1e-5)
    gradient = tape.gradient(value, variable).numpy()
    assert not gradient[unknown].any()
    with tf.GradientTape() as tape:
        whole = multi_hot_loss((), loss, COUNTS)(labels, variable)
    scale = labels.shape[1] / known_per_example
    np.testing.assert_allclose(gradient[~unknown], tape.gradient(whole, variable).numpy()[~unknown] * scale, rtol=1e-5)


@every_loss
def test_takes_soft_labels_as_they_are(loss: LossSettings, formula: Formula) -> None:
    logits, _ = _batch()
    shares = np.random.default_rng(4).random(logits.shape).astype(np.float32)
    value = multi_hot_loss((), loss, COUNTS)(shares, logits)
    np.testing.assert_allclose(value, formula(_sigmoid(logits), shares).mean(), rtol=1e-5)


def test_the_loss_is_the_same_object_as_before_if_everything_is_known() -> None:
    assert isinstance(multi_hot_loss((), None, COUNTS), keras.losses.BinaryCrossentropy)
    counts = LabelCounts(100, COUNTS.positives, np.zeros(4))
    assert not counts.has_unknown
    np.testing.assert_array_equal(counts.log_odds(), COUNTS.log_odds())
    np.testing.assert_array_equal(positive_weights(counts, 10), positive_weights(COUNTS, 10))


def test_priors_and_weights_are_those_of_the_known_rows() -> None:
    partial = LabelCounts(100, np.array([2.0, 25.0]), np.array([50.0, 0.0]))
    known = LabelCounts(50, np.array([2.0]))
    assert partial.has_unknown
    assert partial.known_per_example == 1.5
    np.testing.assert_array_equal(partial.log_odds()[:1], known.log_odds())
    np.testing.assert_array_equal(positive_weights(partial, 100)[:1], positive_weights(known, 100))
    assert partial.without([1]).known_per_example == 0.5


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))))


def _batch(n: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Return random logits and labels, each float32 [n, 4]."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 3, (n, 4)).astype(np.float32), (rng.random((n, 4)) < 0.4).astype(np.float32)


def _value(loss: keras.losses.Loss, labels: Any, logits: Any) -> float:
    return float(loss(tf.constant(labels), tf.constant(logits)))


@every_loss
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_loss_equals_its_formula(loss: LossSettings, formula: Formula, smoothing: float) -> None:
    logits, labels = _batch()
    targets = labels * (1 - smoothing) + smoothing / 2
    expected = formula(_sigmoid(logits), targets).mean()
    assert _value(multi_hot_loss([], loss, COUNTS, smoothing), labels, logits) == pytest.approx(expected, rel=1e-5)


@every_loss
@pytest.mark.parametrize("retired", [[1], [0, 3], [0, 1, 2]])
def test_a_retired_column_does_not_contribute(loss: LossSettings, formula: Formula, retired: list[int]) -> None:
    logits, labels = _batch()
    others = [column for column in range(4) if column not in retired]
    expected = formula(_sigmoid(logits), labels)[:, others].mean()
    logits[:, retired] = np.inf  # would spoil a sum even if it were multiplied by 0
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        value = multi_hot_loss(retired, loss, COUNTS)(tf.constant(labels), variable)
    assert float(value) == pytest.approx(expected, rel=1e-5)
    gradient = tf.convert_to_tensor(tape.gradient(value, variable)).numpy()
    np.testing.assert_array_equal(gradient[:, retired], 0)
    assert np.isfinite(gradient).all()
    assert (gradient[:, others] != 0).any(axis=0).all()


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_extreme_logits_lose_no_digits(loss: LossSettings, formula: Formula, dtype: str) -> None:
    for logit in (-50.0, 50.0, -20.0, 20.0, 0.0):
        for label in (0.0, 1.0):
            # Even in float64 the sigmoid of 50 is 1, whose complement the formula needs.
            logits = np.full((1, 4), logit)
            with np.errstate(divide="ignore", invalid="ignore"):
                expected = _evaluate_in_long_double(formula, logit, label)
            variable = tf.Variable(tf.cast(logits, dtype))
            with tf.GradientTape() as tape:
                value = multi_hot_loss([], loss, COUNTS)(tf.fill([1, 4], label), variable)
            assert value.dtype == tf.float32, "whatever the model computes in"
            assert float(value) == pytest.approx(expected, rel=1e-5, abs=1e-12), (logit, label)
            assert np.isfinite(tf.cast(tape.gradient(value, variable), tf.float32)).all(), (logit, label)


def _evaluate_in_long_double(formula: Formula, logit: float, label: float) -> float:
    """Evaluate a formula with the longest floats of this machine, which log p of a p close to 1 needs."""
    probability = np.longdouble(1) / (1 + np.exp(-np.longdouble(logit)))
    if logit == 50.0:  # 1 - p underflows even in long double: use the limits of the formulas
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
def test_focal_and_asymmetric_loss_without_focus_equal_the_plain_one(logit: float, label: bool) -> None:
    batch = [[float(label)]], [[logit]]
    plain = _value(multi_hot_loss(), *batch)
    focal = FocalLoss(kind="focal", gamma=0, alpha=None)
    asymmetric = AsymmetricLoss(kind="asymmetric", gamma_neg=0, gamma_pos=0, clip=0)
    for loss in (focal, asymmetric):
        assert _value(multi_hot_loss([], loss), *batch) == pytest.approx(plain, rel=1e-5, abs=1e-9)


def test_positive_weights_balance_a_label_within_their_bounds() -> None:
    counts = LabelCounts(100, np.array([2.0, 25.0, 60.0, 0.0, 100.0]))
    np.testing.assert_allclose(positive_weights(counts, 10), [10, 3, 40 / 60, 10, 0.1])
    with pytest.raises(ValueError, match="label counts"):
        multi_hot_loss([], WeightedLoss(kind="weighted"))


@pytest.mark.parametrize("loss", [PlainLoss(), WeightedLoss(kind="weighted", cap=50)])
def test_no_constant_has_a_lower_loss_than_the_prior_bias(loss: LossSettings) -> None:
    labels = np.zeros((1000, 1), np.float32)
    labels[:30] = 1
    counts = LabelCounts(1000, np.array([30.0]))
    function = multi_hot_loss([], loss, counts)
    bias = prior_bias(counts, loss).astype(np.float32)
    best = _value(function, labels, np.tile(bias, (1000, 1)))
    for shift in (-0.2, 0.2):
        assert best < _value(function, labels, np.tile(bias + np.float32(shift), (1000, 1)))


def test_focal_and_asymmetric_loss_start_at_the_log_odds() -> None:
    for loss in (FocalLoss(kind="focal"), AsymmetricLoss(kind="asymmetric")):
        np.testing.assert_array_equal(prior_bias(COUNTS, loss), COUNTS.log_odds())


def test_every_loss_of_the_configuration_has_a_function() -> None:
    union, _ = get_args(LossSettings)
    assert set(LOSSES) == set(get_args(union))


def test_a_loss_is_added_by_a_function_and_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    class SquaredLoss(Settings):
        kind: Literal["squared"] = "squared"
        scale: float = 2.0

    def squared(settings: SquaredLoss, counts: LabelCounts | None) -> Terms:  # noqa: ARG001
        return lambda targets, logits: settings.scale * (targets - keras.ops.sigmoid(logits)) ** 2

    losses: dict[Any, Any] = LOSSES
    monkeypatch.setitem(losses, SquaredLoss, squared)
    logits, labels = _batch()
    targets = labels * 0.9 + 0.05
    expected = (2.0 * (targets - _sigmoid(logits)) ** 2)[:, [0, 2]].mean()
    assert _value(multi_hot_loss([1, 3], SquaredLoss(), None, 0.1), labels, logits) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(prior_bias(COUNTS, SquaredLoss()), COUNTS.log_odds())


# === The plain loss ===


def _extreme_batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 5, (7, 4))
    logits[0] = [-80.0, 80.0, 0.0, -1e-3]  # where a naive log(sigmoid) overflows or loses digits
    return logits, (rng.random((7, 4)) < 0.4).astype(np.float64)


def _stable_sigmoid(logits: np.ndarray) -> np.ndarray:
    exponential = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, exponential) / (1 + exponential))


def test_the_loss_is_mean_sigmoid_cross_entropy() -> None:
    logits, labels = _extreme_batch()
    expected = np.mean(np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits))))
    np.testing.assert_allclose(float(multi_hot_loss()(tf.constant(labels), tf.constant(logits))), expected, rtol=1e-6)


def test_the_gradient_of_a_logit_is_sigmoid_minus_label_divided_by_their_number() -> None:
    logits, labels = _extreme_batch()
    variable = tf.Variable(logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = multi_hot_loss()(tf.constant(labels, tf.float32), variable)
    expected = (_stable_sigmoid(logits) - labels) / labels.size
    np.testing.assert_allclose(tape.gradient(loss, variable).numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("retired", [[1], [0, 3], [0, 1, 2]])
def test_a_retired_column_does_not_contribute_to_the_loss(retired: list[int]) -> None:
    logits, labels = _extreme_batch()
    others = [column for column in range(4) if column not in retired]
    labels[:, retired] = 1.0
    logits[:, retired] = np.inf  # would spoil a sum even if it were multiplied by 0
    variable = tf.Variable(logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = multi_hot_loss(retired)(tf.constant(labels, tf.float32), variable)
    z, y = logits[:, others], labels[:, others]
    terms = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    assert float(loss) == pytest.approx(terms.sum() / (7 * len(others)), rel=1e-6)
    gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
    np.testing.assert_array_equal(gradient[:, retired], 0)
    np.testing.assert_allclose(gradient[:, others], (_stable_sigmoid(z) - y) / z.size, atol=1e-7)


def test_the_loss_without_retired_columns_is_that_of_keras() -> None:
    assert type(multi_hot_loss()) is type(multi_hot_loss([])) is keras.losses.BinaryCrossentropy
