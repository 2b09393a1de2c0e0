"""The classifier as it is served: its encoder's arithmetic in fewer operations, on weights that are stored for them.

Queries, keys and values are one matrix product. Matrices have two dimensions and are written so that oneDNN, which
TensorFlow uses on most CPUs, fuses a product with its bias, its GELU or the residual. Padding takes part in attention
alone, and the last layer is computed for [CLS] alone, whose output is all that the head reads.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.trainer.cpu import exact_gelu

# Added to the attention scores of padding: low enough for a weight of 0.
_MASKED_SCORE = -3e4
# Tokens per pass through the encoder, padding included. A caller may send thousands of texts, whose attention matrices
# must fit in memory. TensorFlow computes matrix products of fewer tokens on one core, so smaller passes are slower.
_CHUNK_TOKENS = 4096


class ServingClassifier(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """Function from token ids to probabilities, with the weights of a trained classifier.

    Args:
        model: Classifier from `components.trainer.model.build_classifier`, in float32.
    """

    def __init__(self, model: Any) -> None:
        super().__init__(name="classifier")
        backbone = model.backbone
        self.words = _variable("words", backbone.token_embedding.embeddings)
        self.positions = _variable("positions", backbone.position_embedding.position_embeddings)
        segments = np.asarray(backbone.segment_embedding.embeddings)
        # A DistilBERT has none.
        self.segments = _variable("segments", segments) if segments.any() else None
        self.norm = _LayerNorm("norm", backbone.embeddings_layer_norm)
        # An ELECTRA may have embeddings that are narrower than its layers.
        projection = getattr(backbone, "embeddings_projection", None)
        self.projection = _Dense("projection", projection.kernel, projection.bias) if projection is not None else None
        self.layers = [
            _EncoderLayer(f"layers/{index}", layer) for index, layer in enumerate(backbone.transformer_layers)
        ]
        self.pooler = _Dense("pooler", backbone.pooled_dense.kernel, backbone.pooled_dense.bias)
        self._pooler_activation = _served(backbone.pooled_dense.activation)
        self.head = _Dense("head", model.output_dense.kernel, model.output_dense.bias)
        self._n_labels = model.output_dense.units

    def __call__(self, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None = None) -> tf.Tensor:
        """Compute probabilities, of a large batch in chunks of texts of similar length.

        The cost and the memory of a large request thus depend on its tokens, not on its size times its longest text.

        Args:
            token_ids: Ragged int [n, None]; n may be 0.
            segment_ids: Ragged int [n, None], those of pairs.

        Returns:
            float32 [n, n_labels], in the order of the texts.
        """
        longest = tf.reduce_max(tf.concat([token_ids.row_lengths(), tf.zeros([1], tf.int64)], axis=0))
        logits = tf.cond(
            token_ids.nrows() * longest <= _CHUNK_TOKENS,
            lambda: self._logits(token_ids, segment_ids),
            lambda: self._logits_by_length(token_ids, segment_ids),
        )
        return tf.sigmoid(logits)

    def _logits_by_length(self, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None) -> tf.Tensor:
        by_length = tf.argsort(token_ids.row_lengths(), stable=True)
        lengths = tf.cast(tf.gather(token_ids.row_lengths(), by_length), tf.int32)
        n_rows = tf.shape(by_length)[0]

        def predict_chunk(start: tf.Tensor, done: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            # Sizes of the chunks that end after each of the remaining rows; they ascend.
            sizes = tf.range(1, n_rows - start + 1) * lengths[start:]
            end = start + tf.maximum(tf.math.count_nonzero(sizes <= _CHUNK_TOKENS, dtype=tf.int32), 1)
            rows = by_length[start:end]
            segments = None if segment_ids is None else tf.gather(segment_ids, rows)
            return end, tf.concat([done, self._logits(tf.gather(token_ids, rows), segments)], axis=0)

        _, logits = tf.while_loop(
            lambda start, _: start < n_rows,
            predict_chunk,
            (tf.constant(0), tf.zeros([0, self._n_labels])),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, self._n_labels])),
            parallel_iterations=1,
        )
        return tf.gather(logits, tf.math.invert_permutation(by_length))

    def _logits(self, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None) -> tf.Tensor:
        batch = PackedTexts(token_ids)
        return self.logits_of_words(tf.gather(self.words, batch.pack(token_ids)), batch, segment_ids)

    def logits_of_words(
        self, words: tf.Tensor, batch: "PackedTexts", segment_ids: tf.RaggedTensor | None = None
    ) -> tf.Tensor:
        """Compute logits from word embeddings.

        Args:
            words: float32 [n_tokens, width of the embeddings], packed.
            batch: Arrangement of the texts that they are of.
            segment_ids: Ragged int [n, None], those of pairs.

        Returns:
            float32 [n, n_labels].
        """
        embedded = words + tf.gather(self.positions, batch.columns)
        if self.segments is not None and segment_ids is None:
            embedded += self.segments[0]
        elif self.segments is not None:
            embedded += tf.gather(self.segments, batch.pack(segment_ids))
        tokens = self.norm(embedded)
        if self.projection is not None:
            tokens = self.projection(tokens)
        for layer in self.layers[:-1]:
            tokens = layer(tokens, batch)
        first = self.layers[-1].first_tokens(tokens, batch)
        return self.head(self._pooler_activation(self.pooler(first)))


class PackedTexts:
    """Arrangement of texts: packed, without padding, and padded to the longest.

    Attributes:
        n_rows: Number of texts.
        longest: Number of tokens of the longest text.
        starts: Index of each text's first token among the packed ones, int [n].
        columns: Position of each packed token in its text, int [n_tokens].
        mask: float32 [n, 1, 1, longest], to be added to attention scores.
    """

    def __init__(self, token_ids: tf.RaggedTensor) -> None:
        lengths = token_ids.row_lengths()
        self.starts = token_ids.row_starts()
        padded = token_ids.to_tensor()
        self.n_rows, self.longest = tf.unstack(tf.shape(padded, tf.int64))
        columns = tf.range(self.longest)
        is_token = columns < lengths[:, tf.newaxis]
        self._slot_of_token = tf.where(tf.reshape(is_token, [-1]))[:, 0]
        # What padding takes from other tokens is masked, or dropped again.
        last = tf.size(token_ids.flat_values, tf.int64) - 1
        self._token_of_slot = tf.reshape(tf.minimum(self.starts[:, tf.newaxis] + columns, last), [-1])
        self.columns = self._slot_of_token % tf.maximum(self.longest, 1)
        self.mask = tf.where(is_token, 0.0, _MASKED_SCORE)[:, tf.newaxis, tf.newaxis, :]

    def pack(self, values: tf.RaggedTensor) -> tf.Tensor:
        """Return the values of a ragged tensor [n, None] that is shaped as the token ids, [n_tokens].

        They are not its flat values, so that TensorFlow knows that all packed tensors have one length: it does not fuse
        a product with the sum of others.
        """
        return self.drop_padding(tf.reshape(values.to_tensor(), [-1]))

    def pad(self, packed: tf.Tensor) -> tf.Tensor:
        """Return packed values [n_tokens, width] as [n * longest, width], with any values in padding."""
        return tf.gather(packed, self._token_of_slot)

    def drop_padding(self, padded: tf.Tensor) -> tf.Tensor:
        """Return the values of tokens among padded ones [n * longest, ...], as [n_tokens, ...]."""
        return tf.gather(padded, self._slot_of_token)


class _EncoderLayer(tf.Module):  # type: ignore[misc]
    """Encoder layer of a BERT: self attention and feed-forward network, each added to its input and normalized."""

    def __init__(self, name: str, layer: Any) -> None:
        super().__init__(name="layer")
        attention = layer._self_attention_layer
        self._heads, self._size = attention.num_heads, attention.key_dim
        self._width = self._heads * self._size
        parts = (attention.query_dense, attention.key_dense, attention.value_dense)
        self.attention = _Dense(
            f"{name}/attention",
            np.concatenate([np.reshape(part.kernel, [-1, self._width]) for part in parts], axis=1),
            np.concatenate([np.reshape(part.bias, [-1]) for part in parts]),
        )
        output = attention.output_dense
        self.output = _Dense(f"{name}/output", np.reshape(output.kernel, [self._width, -1]), output.bias)
        self.attention_norm = _LayerNorm(f"{name}/attention_norm", layer._self_attention_layer_norm)
        inner, outer = layer._feedforward_intermediate_dense, layer._feedforward_output_dense
        self.inner = _Dense(f"{name}/inner", inner.kernel, inner.bias)
        self.outer = _Dense(f"{name}/outer", outer.kernel, outer.bias)
        self.norm = _LayerNorm(f"{name}/norm", layer._feedforward_layer_norm)
        self._activation = _served(inner.activation)

    def __call__(self, tokens: tf.Tensor, batch: PackedTexts) -> tf.Tensor:
        """Compute the outputs of packed tokens, float32 [n_tokens, width]."""
        queries, keys, values = self._by_head(self.attention(tokens), batch, 3)
        mixed = tf.transpose(self._attend(queries, keys, values, batch), [0, 2, 1, 3])
        return self._feed_forward(batch.drop_padding(tf.reshape(mixed, [-1, self._width])), tokens)

    def first_tokens(self, tokens: tf.Tensor, batch: PackedTexts) -> tf.Tensor:
        """Compute the outputs of the first token of each text, float32 [n, width]."""
        first, width = tf.gather(tokens, batch.starts), self._width
        kernel, bias = tf.convert_to_tensor(self.attention.kernel), tf.convert_to_tensor(self.attention.bias)
        queries = tf.nn.bias_add(tf.matmul(first, kernel[:, :width]), bias[:width])
        queries = tf.reshape(queries, [-1, self._heads, 1, self._size])
        keys_and_values = tf.nn.bias_add(tf.matmul(tokens, kernel[:, width:]), bias[width:])
        keys, values = self._by_head(keys_and_values, batch, 2)
        mixed = tf.reshape(self._attend(queries, keys, values, batch), [-1, width])
        return self._feed_forward(mixed, first)

    def _by_head(self, packed: tf.Tensor, batch: PackedTexts, n_parts: int) -> list[tf.Tensor]:
        """Return the parts of packed values [n_tokens, n_parts * width], each float32 [n, heads, longest, size]."""
        shape = [batch.n_rows, batch.longest, n_parts, self._heads, self._size]
        parts: list[tf.Tensor] = tf.unstack(tf.transpose(tf.reshape(batch.pad(packed), shape), [2, 0, 3, 1, 4]))
        return parts

    def _attend(self, queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, batch: PackedTexts) -> tf.Tensor:
        """Compute attention (Vaswani et al., 2017, section 3.2.1)."""
        scores = tf.matmul(queries, keys, transpose_b=True) * self._size**-0.5 + batch.mask
        return tf.matmul(tf.nn.softmax(scores), values)

    def _feed_forward(self, mixed: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
        attended = self.attention_norm(self.output(mixed) + tokens)
        return self.norm(self.outer(self._activation(self.inner(attended))) + attended)


class _Dense(tf.Module):  # type: ignore[misc]
    """Product with a matrix, and a bias."""

    def __init__(self, name: str, kernel: Any, bias: Any) -> None:
        super().__init__(name="dense")
        self.kernel, self.bias = _variable(f"{name}/kernel", kernel), _variable(f"{name}/bias", bias)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.bias_add(tf.matmul(inputs, self.kernel), self.bias)


class _LayerNorm(tf.Module):  # type: ignore[misc]
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis (Ba et al., 2016)."""

    def __init__(self, name: str, layer: Any) -> None:
        super().__init__(name="norm")
        self.gamma, self.beta = _variable(f"{name}/gamma", layer.gamma), _variable(f"{name}/beta", layer.beta)
        self._epsilon = layer.epsilon

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        centered = inputs - tf.reduce_mean(inputs, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centered), axis=-1, keepdims=True)
        return self.beta + centered * (tf.math.rsqrt(variance + self._epsilon) * self.gamma)


def _served(activation: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Return the form in which an activation is served."""
    return _gelu if activation is exact_gelu else activation


def _gelu(inputs: tf.Tensor) -> tf.Tensor:
    """Compute x Phi(x) in the form that TensorFlow fuses with a product before it (remapper.cc, gelu_exact_pattern)."""
    return ((tf.math.erf(inputs * math.sqrt(0.5)) + 1.0) * 0.5) * inputs


def _variable(name: str, value: Any) -> tf.Variable:
    # The name is what a variable is found by in an export, where Keras keeps a list of all of them.
    return tf.Variable(np.asarray(value), trainable=False, name=name)


def keras_weights(variables: Sequence[tf.Variable], n_heads: int) -> list[NDArray[np.float32]] | None:
    """Return the variables of an exported `ServingClassifier` as the weights of the Keras model that it was made of.

    Args:
        variables: Variables of a signature; others than the classifier's are ignored.
        n_heads: Number of attention heads, which divides the width.

    Returns:
        Weights in the order and shapes of the Keras model; None if the variables are not a `ServingClassifier`'s.
    """
    by_name = {variable.name.removesuffix(":0"): variable for variable in variables}
    if "words" not in by_name:
        return None

    def read(*names: str) -> list[NDArray[np.float32]]:
        return [by_name[name].numpy() for name in names]

    words, positions = read("words", "positions")
    segments = read("segments") if "segments" in by_name else [np.zeros([2, words.shape[1]], np.float32)]
    weights = [words, positions, *segments, *read("norm/gamma", "norm/beta")]
    if "projection/kernel" in by_name:
        weights += read("projection/kernel", "projection/bias")
    for index in range(sum(name.endswith("/inner/kernel") for name in by_name)):
        layer = f"layers/{index}"
        kernel, bias, output = read(f"{layer}/attention/kernel", f"{layer}/attention/bias", f"{layer}/output/kernel")
        for part_kernel, part_bias in zip(np.split(kernel, 3, axis=1), np.split(bias, 3), strict=True):
            weights += [part_kernel.reshape(len(kernel), n_heads, -1), part_bias.reshape(n_heads, -1)]
        weights += [output.reshape(n_heads, -1, output.shape[1]), *read(f"{layer}/output/bias")]
        for part in ("attention_norm", "norm"):
            weights += read(f"{layer}/{part}/gamma", f"{layer}/{part}/beta")
        for part in ("inner", "outer"):
            weights += read(f"{layer}/{part}/kernel", f"{layer}/{part}/bias")
    return weights + read("pooler/kernel", "pooler/bias", "head/kernel", "head/bias")
