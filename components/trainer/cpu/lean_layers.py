"""Layers of a BERT other than matrix products, in as few passes over memory as TensorFlow allows.

On a CPU, a training step spends more time in them than in matrix products: TensorFlow differentiates op by op, so that
one LayerNorm takes some thirty passes; it computes the exact GELU a value at a time; and Keras draws 32 random bits for
each value of a dropout. The formulas here are the same, with gradients written by hand.
"""

from typing import Any

import keras
import tensorflow as tf

from components.trainer.cpu.gelu import exact_gelu


def make_lean(model: Any) -> None:
    """Replace LayerNorm, dropout and exact GELU of a Keras model in place, on the same variables."""
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.LayerNormalization:
            layer.__class__ = LeanLayerNormalization
        elif type(layer) is keras.layers.Dropout and layer.noise_shape is None:
            layer.__class__ = LeanDropout
        elif isinstance(layer, keras.layers.Dense) and layer.activation is keras.activations.gelu:
            layer.activation = exact_gelu


class LeanLayerNormalization(keras.layers.LayerNormalization):  # type: ignore[misc]
    """Keras's layer, computed by `layer_norm`."""

    def call(self, inputs: Any) -> Any:
        return layer_norm(inputs, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta), self.epsilon)


class LeanDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Keras's layer without a noise shape, computed by `dropout`."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate <= 0:
            return inputs
        return dropout(inputs, self.rate, tf.cast(self.seed_generator.next(), tf.int32))


def layer_norm(inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Compute (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis, in float32.

    Source: Ba et al., 2016.

    Args:
        inputs: Float tensor [..., width] of any type.
        gamma: float32 [width].
        beta: float32 [width].
        epsilon: Added to the variance.

    Returns:
        Tensor of the type and shape of the inputs.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalize(inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Any]:
        shape, width = tf.shape(inputs), inputs.shape[-1]
        # The mean over each row of a matrix is a product with a vector: one pass, on all cores.
        averaging = tf.fill([width, 1], 1.0 / width)
        x = tf.reshape(tf.cast(inputs, tf.float32), [-1, width])
        centered = x - tf.matmul(x, averaging)
        scale = tf.math.rsqrt(tf.matmul(tf.square(centered), averaging) + epsilon)
        unit = centered * scale

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            dy = tf.reshape(tf.cast(upstream, tf.float32), [-1, width])
            ones = tf.ones([1, tf.shape(dy)[0]])
            product = dy * unit
            weighted = dy * gamma
            projected = weighted - tf.matmul(weighted, averaging) - unit * tf.matmul(product * gamma, averaging)
            dx = tf.cast(tf.reshape(projected * scale, shape), inputs.dtype)
            return dx, tf.reshape(tf.matmul(ones, product), [width]), tf.reshape(tf.matmul(ones, dy), [width])

        return tf.cast(tf.reshape(unit * gamma + beta, shape), inputs.dtype), gradient

    result: tf.Tensor = normalize(inputs, gamma, beta)
    return result


def dropout(inputs: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Set each value to zero with a probability and divide the others by the share that is kept.

    Args:
        inputs: Float tensor of any type and shape.
        rate: Probability of zero, rounded to a multiple of 1 / 65,536.
        seed: int32 [2].

    Returns:
        Tensor of the type and shape of the inputs.
    """
    n_dropped = round(rate * 65_536)
    size = tf.size(inputs)
    # Each random integer decides on two values.
    words = tf.random.stateless_uniform([(size + 1) // 2], seed, minval=None, maxval=None, dtype=tf.int32)
    halves = tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:size]
    kept = tf.reshape(halves >= tf.constant(n_dropped, tf.uint16), tf.shape(inputs))
    scale = tf.constant(65_536 / (65_536 - n_dropped), inputs.dtype)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def mask(values: tf.Tensor) -> tuple[tf.Tensor, Any]:
        zero = tf.zeros([], values.dtype)
        return tf.where(kept, values * scale, zero), lambda upstream: tf.where(kept, upstream * scale, zero)

    result: tf.Tensor = mask(inputs)
    return result
