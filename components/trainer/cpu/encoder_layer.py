"""The encoder layer for training on a CPU: KerasHub's mathematics on KerasHub's variables, in fewer operations.

Keras computes attention's projections as Einstein sums, three for queries, keys and values, and differentiates each
into two more with transpositions in between; as one product of matrices they take less than half the time.

Not for a model that is exported: the three kernels are put together anew for each batch, which is nothing beside a
training step and much beside a request.
"""

from typing import Any

import keras_hub
import tensorflow as tf

from components.trainer.cpu.operations import compile_gelu

# What a score loses where there is no token: enough for a weight of 0.
_ABSENT = -3e4


class TrainingEncoderLayer(keras_hub.layers.TransformerEncoder):  # type: ignore[misc]
    """A BERT's encoder layer: self attention, feed-forward network, each added to its input and normalized."""

    def call(self, inputs: Any, padding_mask: Any = None, training: Any = None) -> Any:
        """As KerasHub's.

        Args:
            inputs: [n, length, width].
            padding_mask: int [n, length], 0 where there is no token.
            training: Whether to drop out.

        Returns:
            [n, length, width].
        """
        attended = self._self_attention_dropout(self._attend(inputs, padding_mask, training), training=training)
        attended = self._self_attention_layer_norm(attended + inputs)
        inner, outer = self._feedforward_intermediate_dense, self._feedforward_output_dense
        hidden = inner.activation(_dense(attended, inner.kernel.value, inner.bias.value))
        forwarded = self._feedforward_dropout(_dense(hidden, outer.kernel.value, outer.bias.value), training=training)
        return self._feedforward_layer_norm(forwarded + attended)

    def _attend(self, inputs: Any, padding_mask: Any, training: Any) -> Any:
        """Self attention (Vaswani et al., 2017, section 3.2)."""
        attention = self._self_attention_layer
        heads, size, shape = attention.num_heads, attention.key_dim, tf.shape(inputs)
        query, *others = (
            (tf.reshape(layer.kernel.value, [-1, heads * size]), tf.reshape(layer.bias.value, [-1]))
            for layer in (attention.query_dense, attention.key_dense, attention.value_dense)
        )
        # The scores' scale, where it is least to do.
        scaled = tuple(values * tf.constant(size**-0.5, values.dtype) for values in query)
        kernel, bias = (tf.concat(parts, axis=-1) for parts in zip(scaled, *others, strict=True))
        by_head = tf.reshape(_dense(inputs, kernel, bias), [shape[0], shape[1], 3, heads, size])
        queries, keys, values = tf.unstack(tf.transpose(by_head, [2, 0, 3, 1, 4]))
        scores = tf.matmul(queries, keys, transpose_b=True)
        if padding_mask is not None:
            absent = 1 - tf.cast(padding_mask, scores.dtype)
            scores += (_ABSENT * absent)[:, tf.newaxis, tf.newaxis, :]
        weights = attention._dropout_layer(tf.nn.softmax(scores), training=training)
        mixed = tf.reshape(tf.transpose(tf.matmul(weights, values), [0, 2, 1, 3]), [shape[0], shape[1], heads * size])
        output = attention.output_dense
        return _dense(mixed, tf.reshape(output.kernel.value, [heads * size, -1]), output.bias.value)


def _dense(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Inputs [n, length, width] times kernel plus bias, in the type of the inputs."""
    product = tf.matmul(tf.reshape(inputs, [-1, inputs.shape[-1]]), tf.cast(kernel, inputs.dtype))
    # The shape between product and bias keeps TensorFlow from fusing them, which takes twice as long here.
    shaped = tf.reshape(product, tf.concat([tf.shape(inputs)[:-1], [kernel.shape[-1]]], 0))
    return _add_bias(shaped, bias)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _add_bias(inputs: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """TensorFlow sums a bias's gradient on one core; a product with ones takes both, and float32 inside."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.reshape(upstream, [-1, upstream.shape[-1]])
        ones = tf.ones([1, tf.shape(rows)[0]], rows.dtype)
        return upstream, tf.cast(tf.reshape(tf.matmul(ones, rows), [-1]), bias.dtype)

    return inputs + tf.cast(bias, inputs.dtype), gradient


def make_quick(model: Any) -> None:
    """Has a classifier's encoder layers train faster on a CPU, in place and with the same variables.

    Where there is a GPU nothing is changed: its kernels need no help.
    """
    if tf.config.list_physical_devices("GPU"):
        return
    compile_gelu(model)
    for layer in model._flatten_layers():
        if type(layer) is keras_hub.layers.TransformerEncoder and not layer.normalize_first:
            layer.__class__ = TrainingEncoderLayer
