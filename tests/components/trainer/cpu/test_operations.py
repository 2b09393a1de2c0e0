"""The lean operations: the same values and gradients as Keras's and TensorFlow's own."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.trainer.cpu.operations import dropout, exact_gelu, layer_norm, make_lean

# What is lost in one rounding of the type.
_TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2}


def _values(shape: list[int], dtype: str, spread: float = 2.0) -> tf.Tensor:
    return tf.cast(tf.constant(np.random.default_rng(0).normal(0.3, spread, shape), tf.float32), dtype)


def _with_gradients(function: Any, inputs: tf.Tensor, others: list[Any]) -> list[Any]:
    with tf.GradientTape() as tape:
        tape.watch([inputs, *others])
        outputs = function(inputs)
        # Weighted, so that no gradient cancels.
        weights = tf.cos(tf.range(tf.size(outputs, tf.int32)) % 1000 / 7)
        loss = tf.reduce_sum(tf.cast(tf.reshape(outputs, [-1]), tf.float32) * tf.cast(weights, tf.float32))
    gradients = tape.gradient(loss, [inputs, *others])
    assert outputs.dtype == gradients[0].dtype == inputs.dtype
    return [tf.cast(each, tf.float32).numpy() for each in (outputs, *gradients)]


@pytest.mark.parametrize("dtype", _TOLERANCE)
def test_gelu_is_the_exact_one(dtype: str) -> None:
    inputs = tf.concat([_values([500], dtype), tf.cast([0.0, -30.0, 30.0], dtype)], 0)
    own = _with_gradients(exact_gelu, inputs, [])
    others = _with_gradients(
        lambda x: tf.nn.gelu(tf.cast(x, tf.float32), approximate=False), tf.cast(inputs, tf.float32), []
    )
    for one, other in zip(own, others, strict=True):
        np.testing.assert_allclose(one, other, atol=_TOLERANCE[dtype] * 4, rtol=_TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", _TOLERANCE)
def test_layer_norm_is_that_of_keras(dtype: str) -> None:
    inputs = _values([3, 5, 24], dtype)
    layer = keras.layers.LayerNormalization(epsilon=1e-12, dtype="float32")
    layer.build(inputs.shape)
    layer.gamma.assign(_values([24], "float32"))
    layer.beta.assign(_values([24], "float32"))
    gamma, beta = layer.gamma.value, layer.beta.value
    own = _with_gradients(lambda x: layer_norm(x, gamma, beta, 1e-12), inputs, [gamma, beta])
    keras_own = _with_gradients(layer, tf.cast(inputs, tf.float32), [gamma, beta])
    for one, other in zip(own, keras_own, strict=True):
        np.testing.assert_allclose(one, other, atol=_TOLERANCE[dtype] * 8, rtol=_TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", _TOLERANCE)
@pytest.mark.parametrize("shape", [[7], [101, 33], [4, 12, 50, 51]])
def test_dropout_drops_its_share_and_keeps_the_mean(dtype: str, shape: list[int]) -> None:
    values = tf.ones(shape, dtype)
    outputs, gradient = _with_gradients(lambda x: dropout(x, 0.1, tf.constant([1, 2])), values, [])
    kept = outputs != 0
    np.testing.assert_allclose(outputs[kept], 1 / 0.9, rtol=_TOLERANCE[dtype])
    np.testing.assert_array_equal(gradient != 0, kept)
    if values.shape.num_elements() > 1_000:
        assert abs(1 - kept.mean() - 0.1) < 4 * (0.09 / kept.size) ** 0.5
    again, _ = _with_gradients(lambda x: dropout(x, 0.1, tf.constant([1, 2])), values, [])
    np.testing.assert_array_equal(again, outputs)
    if values.shape.num_elements() > 1_000:
        other, _ = _with_gradients(lambda x: dropout(x, 0.1, tf.constant([1, 3])), values, [])
        assert (other != outputs).any()


def test_a_lean_model_says_the_same_with_the_same_variables() -> None:
    inputs = keras.Input([24])
    hidden = keras.layers.Dense(32, activation=keras.activations.gelu)(inputs)
    hidden = keras.layers.Dropout(0.5, seed=3)(hidden)
    model = keras.Model(inputs, keras.layers.LayerNormalization(epsilon=1e-12)(hidden))
    values = _values([6, 24], "float32")
    before, weights = model(values).numpy(), model.get_weights()
    make_lean(model)
    assert [weight.shape for weight in model.get_weights()] == [weight.shape for weight in weights]
    lean = keras.Model(inputs, model(inputs))
    np.testing.assert_allclose(lean(values).numpy(), before, atol=1e-5)
    trained = lean(values, training=True).numpy()
    assert np.abs(trained - before).max() > 0.1
