"""Lean layers compute the values and gradients of Keras's and TensorFlow's own."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.cpu.lean_layers import dropout, layer_norm, make_lean

# Relative error of one rounding.
_TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2}


def _values(shape: list[int], dtype: str, stddev: float = 2.0) -> tf.Tensor:
    return tf.cast(tf.constant(np.random.default_rng(0).normal(0.3, stddev, shape), tf.float32), dtype)


def values_and_gradients(function: Any, inputs: tf.Tensor, weights: list[Any]) -> list[Any]:
    """Return outputs, their gradient with respect to the inputs, and those with respect to the weights."""
    with tf.GradientTape() as tape:
        tape.watch([inputs, *weights])
        outputs = function(inputs)
        # Weighted, so that no gradient cancels out.
        factors = tf.cos(tf.range(tf.size(outputs, tf.int32)) % 1000 / 7)
        loss = tf.reduce_sum(tf.cast(tf.reshape(outputs, [-1]), tf.float32) * tf.cast(factors, tf.float32))
    gradients = tape.gradient(loss, [inputs, *weights])
    assert outputs.dtype == gradients[0].dtype == inputs.dtype
    return [tf.cast(each, tf.float32).numpy() for each in (outputs, *gradients)]


@pytest.mark.parametrize("dtype", _TOLERANCE)
def test_layer_norm_equals_keras(dtype: str) -> None:
    inputs = _values([3, 5, 24], dtype)
    layer = keras.layers.LayerNormalization(epsilon=1e-12, dtype="float32")
    layer.build(inputs.shape)
    layer.gamma.assign(_values([24], "float32"))
    layer.beta.assign(_values([24], "float32"))
    gamma, beta = layer.gamma.value, layer.beta.value
    lean = values_and_gradients(lambda x: layer_norm(x, gamma, beta, 1e-12), inputs, [gamma, beta])
    expected = values_and_gradients(layer, tf.cast(inputs, tf.float32), [gamma, beta])
    for value, reference in zip(lean, expected, strict=True):
        np.testing.assert_allclose(value, reference, atol=_TOLERANCE[dtype] * 8, rtol=_TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", _TOLERANCE)
@pytest.mark.parametrize("shape", [[7], [101, 33], [4, 12, 50, 51]])
def test_dropout_drops_its_share_and_keeps_the_mean(dtype: str, shape: list[int]) -> None:
    values = tf.ones(shape, dtype)
    outputs, gradient = values_and_gradients(lambda x: dropout(x, 0.1, tf.constant([1, 2])), values, [])
    kept = outputs != 0
    np.testing.assert_allclose(outputs[kept], 1 / 0.9, rtol=_TOLERANCE[dtype])
    np.testing.assert_array_equal(gradient != 0, kept)
    if values.shape.num_elements() > 1_000:
        assert abs(1 - kept.mean() - 0.1) < 4 * (0.09 / kept.size) ** 0.5
    same_seed, _ = values_and_gradients(lambda x: dropout(x, 0.1, tf.constant([1, 2])), values, [])
    np.testing.assert_array_equal(same_seed, outputs)
    if values.shape.num_elements() > 1_000:
        other_seed, _ = values_and_gradients(lambda x: dropout(x, 0.1, tf.constant([1, 3])), values, [])
        assert (other_seed != outputs).any()


def test_a_lean_model_predicts_the_same_with_the_same_variables() -> None:
    inputs = keras.Input([24])
    hidden = keras.layers.Dense(32, activation=keras.activations.gelu)(inputs)
    hidden = keras.layers.Dropout(0.5, seed=3)(hidden)
    model = keras.Model(inputs, keras.layers.LayerNormalization(epsilon=1e-12)(hidden))
    values = _values([6, 24], "float32")
    expected, weights = model(values).numpy(), model.get_weights()
    make_lean(model)
    assert [weight.shape for weight in model.get_weights()] == [weight.shape for weight in weights]
    lean = keras.Model(inputs, model(inputs))
    np.testing.assert_allclose(lean(values).numpy(), expected, atol=1e-5)
    in_training = lean(values, training=True).numpy()
    assert np.abs(in_training - expected).max() > 0.1
