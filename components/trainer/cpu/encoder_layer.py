"""Encoder layer for training on a CPU: KerasHub's arithmetic on KerasHub's variables, in fewer operations.

Keras computes the projections of attention as Einstein sums, three for queries, keys and values, and differentiates
each into two more with transpositions in between; as a single matrix product they take less than half the time.

Not for a model that is exported: the three kernels are concatenated again for each batch, which is negligible beside a
training step but not beside a request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import keras_hub
import tensorflow as tf

from components.trainer.cpu.gelu import compiled_gelu, exact_gelu

# Added to the attention scores of padding: low enough for a weight of 0.
_MASKED_SCORE = -3e4


@contextmanager
def quick_encoder_layers(model: Any) -> Iterator[None]:
    """Make the encoder layers of a classifier train faster on a CPU within this context, on the same variables.

    Does nothing on a machine with a GPU, whose kernels are fast enough.

    Args:
        model: Classifier from `build_classifier`.
    """
    if tf.config.list_physical_devices("GPU"):
        yield
        return
    layers = list(model._flatten_layers())
    dense = [each for each in layers if isinstance(each, keras.layers.Dense) and each.activation is exact_gelu]
    encoders = [
        each for each in layers if type(each) is keras_hub.layers.TransformerEncoder and not each.normalize_first
    ]
    for layer in dense:
        layer.activation = compiled_gelu
    for layer in encoders:
        layer.__class__ = TrainingEncoderLayer
    try:
        yield
    finally:
        for layer in dense:
            layer.activation = exact_gelu
        for layer in encoders:
            layer.__class__ = keras_hub.layers.TransformerEncoder


class TrainingEncoderLayer(keras_hub.layers.TransformerEncoder):  # type: ignore[misc]
    """Encoder layer of a BERT: self attention and feed-forward network, each added to its input and normalized."""

    def call(self, inputs: Any, padding_mask: Any = None, training: Any = None) -> Any:
        """Compute the outputs of KerasHub's layer.

        Args:
            inputs: Float tensor [n, length, width].
            padding_mask: int [n, length], 0 for padding.
            training: Whether to apply dropout.

        Returns:
            Float tensor [n, length, width].
        """
        attended = self._self_attention_dropout(self._attend(inputs, padding_mask, training), training=training)
        attended = self._self_attention_layer_norm(attended + inputs)
        inner, outer = self._feedforward_intermediate_dense, self._feedforward_output_dense
        hidden = inner.activation(_dense(attended, inner.kernel.value, inner.bias.value))
        forwarded = self._feedforward_dropout(_dense(hidden, outer.kernel.value, outer.bias.value), training=training)
        return self._feedforward_layer_norm(forwarded + attended)

    def _attend(self, inputs: Any, padding_mask: Any, training: Any) -> Any:
        """Compute self attention (Vaswani et al., 2017, section 3.2)."""
        attention = self._self_attention_layer
        heads, size, shape = attention.num_heads, attention.key_dim, tf.shape(inputs)
        query, *key_and_value = (
            (tf.reshape(layer.kernel.value, [-1, heads * size]), tf.reshape(layer.bias.value, [-1]))
            for layer in (attention.query_dense, attention.key_dense, attention.value_dense)
        )
        # Scaling the query's weights scales the scores, and there are fewer of them.
        scaled = tuple(values * tf.constant(size**-0.5, values.dtype) for values in query)
        kernel, bias = (tf.concat(parts, axis=-1) for parts in zip(scaled, *key_and_value, strict=True))
        by_head = tf.reshape(_dense(inputs, kernel, bias), [shape[0], shape[1], 3, heads, size])
        queries, keys, values = tf.unstack(tf.transpose(by_head, [2, 0, 3, 1, 4]))
        scores = tf.matmul(queries, keys, transpose_b=True)
        if padding_mask is not None:
            is_padding = 1 - tf.cast(padding_mask, scores.dtype)
            scores += (_MASKED_SCORE * is_padding)[:, tf.newaxis, tf.newaxis, :]
        weights = attention._dropout_layer(tf.nn.softmax(scores), training=training)
        mixed = tf.reshape(tf.transpose(tf.matmul(weights, values), [0, 2, 1, 3]), [shape[0], shape[1], heads * size])
        output = attention.output_dense
        return _dense(mixed, tf.reshape(output.kernel.value, [heads * size, -1]), output.bias.value)


def _dense(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Compute inputs [n, length, width] times kernel plus bias, in the type of the inputs."""
    product = tf.matmul(tf.reshape(inputs, [-1, inputs.shape[-1]]), tf.cast(kernel, inputs.dtype))
    # The reshape between product and bias keeps TensorFlow from fusing them, which would take twice as long here.
    reshaped = tf.reshape(product, tf.concat([tf.shape(inputs)[:-1], [kernel.shape[-1]]], 0))
    return _add_bias(reshaped, bias)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _add_bias(inputs: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Add a bias whose gradient is a product with ones, which uses all cores and float32 accumulation.

    TensorFlow sums the gradient of a bias on one core.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.reshape(upstream, [-1, upstream.shape[-1]])
        ones = tf.ones([1, tf.shape(rows)[0]], rows.dtype)
        return upstream, tf.cast(tf.reshape(tf.matmul(ones, rows), [-1]), bias.dtype)

    return inputs + tf.cast(bias, inputs.dtype), gradient
