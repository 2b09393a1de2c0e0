"""The head, its loss and its optimizer, against the formulas in plain NumPy."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.cpu.optimizer import FusedAdamW, WarmupLinearDecay
from components.trainer.loop.losses import multi_hot_loss
from components.trainer.model import build_classifier, build_optimizer
from components.trainer.settings import TrainingSettings
from tests.support.tiny_bert import write_tiny_bert


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = write_tiny_bert(tmp_path_factory.mktemp("bert"))
    keras.utils.set_random_seed(0)
    return build_classifier(load_backbone(find_checkpoint(str(folder))), n_labels=40, dropout=0.1)


def _logits_and_labels() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 5, (7, 4))
    logits[0] = [-80.0, 80.0, 0.0, -1e-3]  # where a naive log(sigmoid) overflows or loses its digits
    return logits, (rng.random((7, 4)) < 0.4).astype(np.float64)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    exponential = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, exponential) / (1 + exponential))


def test_loss_is_mean_sigmoid_cross_entropy() -> None:
    logits, labels = _logits_and_labels()
    expected = np.mean(np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits))))
    np.testing.assert_allclose(float(multi_hot_loss()(tf.constant(labels), tf.constant(logits))), expected, rtol=1e-6)


def test_gradient_with_respect_to_logits_is_sigmoid_minus_label_over_their_number() -> None:
    logits, labels = _logits_and_labels()
    variable = tf.Variable(logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = multi_hot_loss()(tf.constant(labels, tf.float32), variable)
    expected = (_sigmoid(logits) - labels) / labels.size
    np.testing.assert_allclose(tape.gradient(loss, variable).numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("retired", [[1], [0, 3], [0, 1, 2]])
def test_a_retired_column_has_no_part_in_the_loss(retired: list[int]) -> None:
    logits, labels = _logits_and_labels()
    others = [column for column in range(4) if column not in retired]
    labels[:, retired] = 1.0
    logits[:, retired] = np.inf  # would be lost in a sum, even times 0
    variable = tf.Variable(logits, dtype=tf.float32)
    with tf.GradientTape() as tape:
        loss = multi_hot_loss(retired)(tf.constant(labels, tf.float32), variable)
    z, y = logits[:, others], labels[:, others]
    terms = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    assert float(loss) == pytest.approx(terms.sum() / (7 * len(others)), rel=1e-6)
    gradient = tf.convert_to_tensor(tape.gradient(loss, variable)).numpy()
    np.testing.assert_array_equal(gradient[:, retired], 0)
    np.testing.assert_allclose(gradient[:, others], (_sigmoid(z) - y) / z.size, atol=1e-7)


def test_without_a_retired_column_the_loss_is_kerass_own() -> None:
    assert type(multi_hot_loss()) is type(multi_hot_loss([])) is keras.losses.BinaryCrossentropy


def test_each_label_is_its_own_yes_or_no(classifier: Any) -> None:
    inputs = {
        "token_ids": np.array([[2, 12, 13, 3]]), "padding_mask": np.ones((1, 4)), "segment_ids": np.zeros((1, 4)),
    }  # fmt: skip
    logits = classifier(inputs, training=False).numpy()
    probabilities = tf.sigmoid(logits).numpy()
    np.testing.assert_allclose(probabilities, _sigmoid(logits.astype(np.float64)), atol=1e-6)
    # A softmax over 40 labels would sum to 1; independent answers near one half sum to about 20.
    assert probabilities.sum() > 10
    # No label's answer depends on another's weights.
    kernel, bias = classifier.layers[-1].get_weights()
    changed = kernel.copy()
    changed[:, 0] += 3.0
    classifier.layers[-1].set_weights([changed, bias])
    again = tf.sigmoid(classifier(inputs, training=False)).numpy()
    classifier.layers[-1].set_weights([kernel, bias])
    assert again[0, 0] != probabilities[0, 0]
    np.testing.assert_array_equal(again[:, 1:], probabilities[:, 1:])


def test_head_starts_as_run_classifier_does(classifier: Any) -> None:
    kernel, bias = classifier.layers[-1].get_weights()
    assert kernel.shape == (16, 40)
    assert not bias.any()
    assert np.abs(kernel).max() <= 0.04 + 1e-6, "truncated at two standard deviations of 0.02"
    assert 0.015 < kernel.std() < 0.02, "the standard deviation of that truncated normal is 0.0176"


def test_padding_changes_nothing(classifier: Any) -> None:
    ids = np.array([[2, 12, 13, 3]])
    padded = np.pad(ids, [(0, 0), (0, 5)])
    short = classifier(
        {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}, training=False
    )
    long = classifier(
        {"token_ids": padded, "padding_mask": np.int64(padded > 0), "segment_ids": np.zeros_like(padded)},
        training=False,
    )
    np.testing.assert_allclose(short, long, atol=1e-5)


def test_learning_rate_rises_then_falls_linearly() -> None:
    rate = WarmupLinearDecay(peak=1.0, warmup=0.1, total_steps=100)
    rates = np.array([float(rate(step)) for step in range(101)])
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10, rtol=1e-6)
    assert rates.argmax() in (9, 10)
    np.testing.assert_allclose(np.diff(rates[10:]), -1 / 90, rtol=1e-3)
    assert rates[-1] == 0.0


def test_weight_decay_spares_biases_and_layer_norms(classifier: Any) -> None:
    optimizer = build_optimizer(TrainingSettings(), total_steps=10)
    optimizer.build(classifier.trainable_variables)
    decayed = {v.path.rsplit("/", 1)[-1] for v in classifier.trainable_variables if optimizer._use_weight_decay(v)}
    spared = {v.path.rsplit("/", 1)[-1] for v in classifier.trainable_variables if not optimizer._use_weight_decay(v)}
    assert spared == {"bias", "gamma", "beta"}
    assert decayed == {"kernel", "embeddings"}


def test_gradients_are_clipped_to_a_global_norm_of_one() -> None:
    optimizer = build_optimizer(TrainingSettings(), total_steps=10)
    clipped = optimizer._clip_gradients([tf.constant([30.0, 0.0]), tf.constant([0.0, 40.0])])
    np.testing.assert_allclose(clipped[0], [0.6, 0.0], rtol=1e-5)
    np.testing.assert_allclose(clipped[1], [0.0, 0.8], rtol=1e-5)


def test_the_fused_update_is_adamw() -> None:
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)]
    gradients = [[rng.normal(size=s.shape).astype(np.float32) for s in start] for _ in range(24)]

    def trained(optimizer_class: Any, decay: float) -> list[np.ndarray]:
        kernel, bias = keras.Variable(start[0], name="kernel"), keras.Variable(start[1], name="bias")
        rate = WarmupLinearDecay(1e-2, 0.1, 24)
        optimizer = optimizer_class(rate, weight_decay=decay, epsilon=1e-6, global_clipnorm=1.0)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        for step in gradients:
            optimizer.apply_gradients(zip(map(tf.constant, step), (kernel, bias), strict=True))
        return [kernel.numpy(), bias.numpy()]

    # The values moved by about 0.2, by the decay alone 0.02, which is taken eight updates' at a time.
    for decay, tolerance in ((0.0, 2e-6), (0.1, 1.5e-3)):
        for expected, fused in zip(trained(keras.optimizers.AdamW, decay), trained(FusedAdamW, decay), strict=True):
            np.testing.assert_allclose(fused, expected, atol=tolerance)
    assert np.abs(trained(FusedAdamW, 0.1)[0] - trained(FusedAdamW, 0.0)[0]).max() > 1e-2


def test_a_sparse_gradient_with_repeated_rows_updates_as_its_dense_form() -> None:
    results = []
    for dense in (True, False):
        table = keras.Variable(np.ones((6, 2), np.float32), name="embeddings")
        optimizer = FusedAdamW(0.1, weight_decay=0.01, epsilon=1e-6, global_clipnorm=1.0)
        slices = tf.IndexedSlices(tf.ones([3, 2]), tf.constant([1, 1, 4]), tf.constant([6, 2]))
        for _ in range(3):
            optimizer.apply_gradients([(tf.convert_to_tensor(slices) if dense else slices, table)])
        results.append(table.numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
