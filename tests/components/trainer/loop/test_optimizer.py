"""The optimizer: its schedule, its clipping, and updates that equal those of Keras's AdamW."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.loop.optimizer import FusedAdamW, WarmupLinearDecay, build_optimizer
from components.trainer.loop.plan import Plan
from components.trainer.model import build_classifier
from components.trainer.settings import TrainingSettings
from tests.support.tiny_bert import write_tiny_bert


def test_the_learning_rate_rises_and_falls_linearly() -> None:
    rate = WarmupLinearDecay(peak=1.0, warmup=0.1, total_steps=100)
    rates = np.array([float(rate(step)) for step in range(101)])
    np.testing.assert_allclose(rates[:10], np.arange(1, 11) / 10, rtol=1e-6)
    assert rates.argmax() in (9, 10)
    np.testing.assert_allclose(np.diff(rates[10:]), -1 / 90, rtol=1e-3)
    assert rates[-1] == 0.0
    np.testing.assert_allclose([rate.at(step) for step in range(101)], rates, atol=1e-6)


def test_biases_and_layer_norms_have_no_weight_decay(tmp_path: Path) -> None:
    classifier = build_classifier(load_backbone(find_checkpoint(str(write_tiny_bert(tmp_path)))), 40, 0.1)
    optimizer = build_optimizer(TrainingSettings(), Plan(1, 10, 1))
    optimizer.build(classifier.trainable_variables)
    decayed = {v.path.rsplit("/", 1)[-1] for v in classifier.trainable_variables if optimizer._use_weight_decay(v)}
    exempt = {v.path.rsplit("/", 1)[-1] for v in classifier.trainable_variables if not optimizer._use_weight_decay(v)}
    assert exempt == {"bias", "gamma", "beta"}
    assert decayed == {"kernel", "embeddings"}


def test_gradients_are_clipped_to_a_global_norm_of_one() -> None:
    optimizer = build_optimizer(TrainingSettings(), Plan(1, 10, 1))
    clipped = optimizer._clip_gradients([tf.constant([30.0, 0.0]), tf.constant([0.0, 40.0])])
    np.testing.assert_allclose(clipped[0], [0.6, 0.0], rtol=1e-5)
    np.testing.assert_allclose(clipped[1], [0.0, 0.8], rtol=1e-5)
    variable = keras.Variable(np.zeros(2, np.float32))
    norm = optimizer.update([tf.constant([30.0, 40.0])], [variable])
    assert float(norm) == 50.0, "the norm before clipping"


def test_the_fused_update_equals_adamw() -> None:
    rng = np.random.default_rng(0)
    initial = [rng.normal(size=(5, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)]
    gradients = [[rng.normal(size=value.shape).astype(np.float32) for value in initial] for _ in range(24)]

    def train(optimizer_class: Any, decay: float) -> list[np.ndarray]:
        kernel, bias = keras.Variable(initial[0], name="kernel"), keras.Variable(initial[1], name="bias")
        rate = WarmupLinearDecay(1e-2, 0.1, 24)
        optimizer = optimizer_class(rate, weight_decay=decay, epsilon=1e-6, global_clipnorm=1.0)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        for step in gradients:
            optimizer.apply_gradients(zip(map(tf.constant, step), (kernel, bias), strict=True))
        return [kernel.numpy(), bias.numpy()]

    # Values change by about 0.2; by weight decay alone, which is applied for eight updates at once, by 0.02.
    for decay, tolerance in ((0.0, 2e-6), (0.1, 1.5e-3)):
        for expected, fused in zip(train(keras.optimizers.AdamW, decay), train(FusedAdamW, decay), strict=True):
            np.testing.assert_allclose(fused, expected, atol=tolerance)
    assert np.abs(train(FusedAdamW, 0.1)[0] - train(FusedAdamW, 0.0)[0]).max() > 1e-2


def test_the_average_is_over_its_span_and_leaves_the_weights_alone() -> None:
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=(4, 2)).astype(np.float32) for _ in range(304)]

    def train(average_epochs: float) -> tuple[list[np.ndarray], Any]:
        variable = keras.Variable(np.zeros((4, 2), np.float32), name="kernel")
        settings = TrainingSettings(learning_rate=1e-2, average_epochs=average_epochs)
        optimizer = build_optimizer(settings, Plan(1, 304, 1))
        weights = []
        step = tf.function(lambda gradient: optimizer.update([gradient], [variable]))
        for gradient in gradients:
            step(tf.constant(gradient))
            weights.append(variable.numpy())
        return weights, optimizer

    weights, optimizer = train(0.1)
    # Over 30 updates: each is worth exp(-1 / 30) of the next.
    shares = np.exp(-np.arange(len(weights))[::-1] / 30)
    expected = np.tensordot(shares / shares.sum(), np.stack(weights), axes=1)
    (average,) = optimizer.averages()
    # It reads the weights of every eighth update.
    gap = np.linalg.norm(expected - weights[-1])
    assert gap > 1e-3
    assert np.linalg.norm(average - expected) < 0.4 * gap
    plain, without = train(0.0)
    np.testing.assert_array_equal(plain[-1], weights[-1])
    assert not without.use_ema


def test_a_sparse_gradient_with_repeated_rows_equals_its_dense_form() -> None:
    results = []
    for dense in (True, False):
        table = keras.Variable(np.ones((6, 2), np.float32), name="embeddings")
        optimizer = FusedAdamW(0.1, weight_decay=0.01, epsilon=1e-6, global_clipnorm=1.0)
        slices = tf.IndexedSlices(tf.ones([3, 2]), tf.constant([1, 1, 4]), tf.constant([6, 2]))
        for _ in range(3):
            optimizer.apply_gradients([(tf.convert_to_tensor(slices) if dense else slices, table)])
        results.append(table.numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
