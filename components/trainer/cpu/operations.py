"""What a BERT's layers do besides multiplying matrices, in as few passes over memory as TensorFlow allows.

On a CPU a training step spends more time here than in the matrices: TensorFlow differentiates an operation at a time,
so that one LayerNorm comes to some thirty passes; it computes the exact GELU a value at a time; and Keras draws 32
random bits for each value that a dropout decides on. The formulas are the same; their gradients are written down.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

_ROOT_HALF = math.sqrt(0.5)
_NORMAL = 1.0 / math.sqrt(2.0 * math.pi)
_ROW_MULTIPLE = 128


@tf.custom_gradient  # type: ignore[untyped-decorator]
def exact_gelu(inputs: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """X Phi(x), Phi the normal distribution function (Hendrycks and Gimpel, 2016); its derivative Phi(x) + x phi(x).

    TensorFlow's own takes the complementary error function, which it computes a value at a time.
    """
    x = tf.cast(inputs, tf.float32)
    below = _below(x)
    return tf.cast(x * below, inputs.dtype), lambda upstream: _times_slope(upstream, x, below)


def _below(x: tf.Tensor) -> tf.Tensor:
    return 0.5 + 0.5 * tf.math.erf(x * _ROOT_HALF)


def _times_slope(upstream: tf.Tensor, x: tf.Tensor, below: tf.Tensor) -> tf.Tensor:
    slope = below + x * (_NORMAL * tf.exp(-0.5 * tf.square(x)))
    return tf.cast(tf.cast(upstream, tf.float32) * slope, upstream.dtype)


def _gelu(inputs: tf.Tensor) -> tf.Tensor:
    x = tf.cast(inputs, tf.float32)
    return tf.cast(x * _below(x), inputs.dtype)


def _gelu_gradient(inputs: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    x = tf.cast(inputs, tf.float32)
    return _times_slope(upstream, x, _below(x))


_IN_ONE_PASS = {function: tf.function(function, jit_compile=True) for function in (_gelu, _gelu_gradient)}


def _in_one_pass(function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
    """An elementwise function of tensors [..., width] by XLA, which compiles anew for each number of rows.

    So the rows are made up to a multiple: the lengths of a data set then come to a dozen compilations of 50 ms.
    """
    shape, width = tf.shape(inputs[0]), inputs[0].shape[-1]
    rows = tf.size(inputs[0]) // width
    missing = -rows % _ROW_MULTIPLE
    made_up = [tf.pad(tf.reshape(each, [-1, width]), [[0, missing], [0, 0]]) for each in inputs]
    return tf.reshape(_IN_ONE_PASS[function](*made_up)[:rows], shape)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def compiled_gelu(inputs: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """`exact_gelu` in a pass over memory each way, instead of seven and nine: for training on a CPU."""
    return _in_one_pass(_gelu, inputs), lambda upstream: _in_one_pass(_gelu_gradient, inputs, upstream)


def layer_norm(inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis (Ba et al., 2016), in float32.

    Args:
        inputs: [..., width], of any float type, which is the result's too.
        gamma: float32 [width].
        beta: float32 [width].
        epsilon: Added to the variance.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def normalized(inputs: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Any]:
        shape, width = tf.shape(inputs), inputs.shape[-1]
        # A mean over rows of a matrix is a product with a vector: one pass, on all cores.
        mean_of = tf.fill([width, 1], 1.0 / width)
        x = tf.reshape(tf.cast(inputs, tf.float32), [-1, width])
        centred = x - tf.matmul(x, mean_of)
        scale = tf.math.rsqrt(tf.matmul(tf.square(centred), mean_of) + epsilon)
        unit = centred * scale

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            dy = tf.reshape(tf.cast(upstream, tf.float32), [-1, width])
            ones = tf.ones([1, tf.shape(dy)[0]])
            product = dy * unit
            weighted = dy * gamma
            pulled = weighted - tf.matmul(weighted, mean_of) - unit * tf.matmul(product * gamma, mean_of)
            dx = tf.cast(tf.reshape(pulled * scale, shape), inputs.dtype)
            return dx, tf.reshape(tf.matmul(ones, product), [width]), tf.reshape(tf.matmul(ones, dy), [width])

        return tf.cast(tf.reshape(unit * gamma + beta, shape), inputs.dtype), gradient

    result: tf.Tensor = normalized(inputs, gamma, beta)
    return result


def dropout(inputs: tf.Tensor, rate: float, seed: tf.Tensor) -> tf.Tensor:
    """Zeroes each value with probability `rate`, to 1 in 65,536, and divides the others by what is kept of them.

    Args:
        inputs: Of any float type and shape.
        rate: Between 0 and 1.
        seed: int32 [2].
    """
    dropped = round(rate * 65_536)
    size = tf.size(inputs)
    # Each random integer decides on two values.
    words = tf.random.stateless_uniform([(size + 1) // 2], seed, minval=None, maxval=None, dtype=tf.int32)
    halves = tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:size]
    kept = tf.reshape(halves >= tf.constant(dropped, tf.uint16), tf.shape(inputs))
    scale = tf.constant(65_536 / (65_536 - dropped), inputs.dtype)

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def masked(values: tf.Tensor) -> tuple[tf.Tensor, Any]:
        zero = tf.zeros([], values.dtype)
        return tf.where(kept, values * scale, zero), lambda upstream: tf.where(kept, upstream * scale, zero)

    result: tf.Tensor = masked(inputs)
    return result


class LeanLayerNormalization(keras.layers.LayerNormalization):  # type: ignore[misc]
    """Keras's over the last axis, by `layer_norm`."""

    def call(self, inputs: Any) -> Any:
        return layer_norm(inputs, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta), self.epsilon)


class LeanDropout(keras.layers.Dropout):  # type: ignore[misc]
    """Keras's without a noise shape, by `dropout`."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate <= 0:
            return inputs
        return dropout(inputs, self.rate, tf.cast(self.seed_generator.next(), tf.int32))


def make_lean(model: Any) -> None:
    """Has the layers of a Keras model do the same in fewer passes, in place and with the same variables."""
    for layer in model._flatten_layers():
        if type(layer) is keras.layers.LayerNormalization:
            layer.__class__ = LeanLayerNormalization
        elif type(layer) is keras.layers.Dropout and layer.noise_shape is None:
            layer.__class__ = LeanDropout
        elif isinstance(layer, keras.layers.Dense) and layer.activation is keras.activations.gelu:
            layer.activation = exact_gelu


def compile_gelu(model: Any) -> None:
    """Has a lean model compute its GELU by XLA, in place; where a GPU does it, its own kernels are good enough.

    Not for a model that is exported: a server may lack XLA, and would compile in the middle of a request.
    """
    if tf.config.list_physical_devices("GPU"):
        return
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dense) and layer.activation is exact_gelu:
            layer.activation = compiled_gelu
