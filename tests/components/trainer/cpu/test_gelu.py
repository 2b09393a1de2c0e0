"""Both forms of the GELU compute the values and gradients of TensorFlow's exact one."""

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.cpu.gelu import compiled_gelu, exact_gelu
from tests.components.trainer.cpu.test_lean_layers import values_and_gradients

# Relative error of one rounding.
_TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2}


@pytest.mark.parametrize("dtype", _TOLERANCE)
def test_exact_gelu_equals_tensorflow(dtype: str) -> None:
    normal = tf.constant(np.random.default_rng(0).normal(0.3, 2.0, [500]), tf.float32)
    inputs = tf.cast(tf.concat([normal, [0.0, -30.0, 30.0]], 0), dtype)
    own = values_and_gradients(exact_gelu, inputs, [])
    expected = values_and_gradients(
        lambda x: tf.nn.gelu(tf.cast(x, tf.float32), approximate=False), tf.cast(inputs, tf.float32), []
    )
    for value, reference in zip(own, expected, strict=True):
        np.testing.assert_allclose(value, reference, atol=_TOLERANCE[dtype] * 4, rtol=_TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [[1, 8], [3, 50, 8], [2, 64, 8]])
def test_compiled_gelu_equals_exact_gelu(dtype: str, shape: list[int]) -> None:
    values = tf.cast(tf.constant(np.random.default_rng(0).normal(0, 2, shape), tf.float32), dtype)
    results = []
    for function in (exact_gelu, compiled_gelu):
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = function(values)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
        results.append([tf.cast(each, tf.float32).numpy() for each in (outputs, tape.gradient(loss, values))])
    for expected, compiled in zip(*results, strict=True):
        np.testing.assert_allclose(expected, compiled, rtol=1e-5 if dtype == "float32" else 1e-2, atol=1e-5)
