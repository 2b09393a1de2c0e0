"""The exact GELU, op by op and compiled.

TensorFlow's own exact GELU uses the complementary error function, which it computes a value at a time.
"""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

_SQRT_HALF = math.sqrt(0.5)
_DENSITY_SCALE = 1.0 / math.sqrt(2.0 * math.pi)
_ROW_MULTIPLE = 128


@tf.custom_gradient  # type: ignore[untyped-decorator]
def exact_gelu(inputs: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Compute x Phi(x), with the derivative Phi(x) + x phi(x).

    Phi and phi are the distribution and density functions of the standard normal distribution. Source: Hendrycks and
    Gimpel, 2016.

    Args:
        inputs: Float tensor of any type and shape. The computation is in float32.

    Returns:
        Tensor of the type and shape of the inputs.
    """
    x = tf.cast(inputs, tf.float32)
    cdf = _normal_cdf(x)
    return tf.cast(x * cdf, inputs.dtype), lambda upstream: _multiply_by_slope(upstream, x, cdf)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def compiled_gelu(inputs: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Compute `exact_gelu` in one pass over memory each way instead of seven and nine.

    Not for a model that is exported: a server may lack XLA, and would compile in the middle of a request.

    Args:
        inputs: Float tensor [..., width] of any type.

    Returns:
        Tensor of the type and shape of the inputs.
    """
    return _call_compiled(_gelu, inputs), lambda upstream: _call_compiled(_gelu_gradient, inputs, upstream)


def _normal_cdf(x: tf.Tensor) -> tf.Tensor:
    return 0.5 + 0.5 * tf.math.erf(x * _SQRT_HALF)


def _multiply_by_slope(upstream: tf.Tensor, x: tf.Tensor, cdf: tf.Tensor) -> tf.Tensor:
    slope = cdf + x * (_DENSITY_SCALE * tf.exp(-0.5 * tf.square(x)))
    return tf.cast(tf.cast(upstream, tf.float32) * slope, upstream.dtype)


def _gelu(inputs: tf.Tensor) -> tf.Tensor:
    x = tf.cast(inputs, tf.float32)
    return tf.cast(x * _normal_cdf(x), inputs.dtype)


def _gelu_gradient(inputs: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    x = tf.cast(inputs, tf.float32)
    return _multiply_by_slope(upstream, x, _normal_cdf(x))


_COMPILED = {function: tf.function(function, jit_compile=True) for function in (_gelu, _gelu_gradient)}


def _call_compiled(function: Callable[..., tf.Tensor], *inputs: tf.Tensor) -> tf.Tensor:
    """Apply an elementwise function to tensors [..., width] through XLA.

    XLA compiles for each number of rows, so rows are padded to a multiple of 128: the lengths of a data set then
    result in a dozen compilations of 50 ms.
    """
    shape, width = tf.shape(inputs[0]), inputs[0].shape[-1]
    n_rows = tf.size(inputs[0]) // width
    missing = -n_rows % _ROW_MULTIPLE
    padded = [tf.pad(tf.reshape(values, [-1, width]), [[0, missing], [0, 0]]) for values in inputs]
    return tf.reshape(_COMPILED[function](*padded)[:n_rows], shape)
