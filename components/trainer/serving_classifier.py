"""The classifier as it is served: its encoder's arithmetic in fewer operations, on weights that are stored for them.

Queries, keys and values are one matrix product. Matrices have two dimensions and are written so that oneDNN, which
TensorFlow uses on most CPUs, fuses a product with its bias, its GELU or the residual. Padding takes part in attention
alone, and with pooling cls, the last layer is computed for [CLS] alone, whose output is all that the head reads.

Each layer is computed in two independent halves, of its attention heads and of its inner units, whose outputs are
summed. TensorFlow computes a product with few tokens on one core; the halves are thus on two.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.trainer.cpu import exact_gelu
from components.trainer.pooling import PackedPool

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
        self.pool = None if model.pool is None else PackedPool(model.pool)
        if self.pool is None:
            self.pooler = _Dense("pooler", backbone.pooled_dense.kernel, backbone.pooled_dense.bias)
            self._pooler_activation = _served(backbone.pooled_dense.activation)
        self.head = _Dense("head", model.output_dense.kernel, model.output_dense.bias)
        self.n_outputs = model.output_dense.units

    def __call__(self, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None = None) -> tf.Tensor:
        """Compute probabilities.

        Args:
            token_ids: Ragged int [n, None]; n may be 0.
            segment_ids: Ragged int [n, None], those of pairs.

        Returns:
            float32 [n, n_labels], in the order of the texts.
        """
        return tf.sigmoid(self.logits(token_ids, segment_ids))

    def logits(self, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None = None) -> tf.Tensor:
        """Compute logits, of a large batch in chunks of texts of similar length.

        The cost and the memory of a large request thus depend on its tokens, not on its size times its longest text.

        Args:
            token_ids: Ragged int [n, None]; n may be 0.
            segment_ids: Ragged int [n, None], those of pairs.

        Returns:
            float32 [n, n_labels], in the order of the texts.
        """
        longest = tf.reduce_max(tf.concat([token_ids.row_lengths(), tf.zeros([1], tf.int64)], axis=0))
        return tf.cond(
            token_ids.nrows() * longest <= _CHUNK_TOKENS,
            lambda: self._logits(token_ids, segment_ids),
            lambda: self._logits_by_length(token_ids, segment_ids),
        )

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
            (tf.constant(0), tf.zeros([0, self.n_outputs])),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, self.n_outputs])),
            parallel_iterations=1,
        )
        return tf.gather(logits, tf.math.invert_permutation(by_length))

    def _logits(self, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None) -> tf.Tensor:
        batch = PackedTexts(token_ids)
        return self.logits_of_words(self.embed(batch.pack(token_ids)), batch, segment_ids)

    def embed(self, token_ids: tf.Tensor) -> tf.Tensor:
        """Return word embeddings, float32 [n_tokens, width], of token ids, int [n_tokens]."""
        return tf.gather(self.words, token_ids)

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
        return self.outputs(self._pooled(tokens, batch))

    def _pooled(self, tokens: tf.Tensor, batch: "PackedTexts") -> tf.Tensor:
        """Compute the last layer and one vector of each text from the outputs of the layer before it."""
        if self.pool is not None:
            return self.pool(self.layers[-1](tokens, batch), batch.rows, batch.n_rows)
        first = self.layers[-1].first_tokens(tokens, batch)
        return self._pooler_activation(self.pooler(first))

    def outputs(self, pooled: tf.Tensor) -> tf.Tensor:
        """Compute the outputs of the head, float32 [n, n_outputs]: the logits."""
        return self.head(pooled)

    def logits_of_embedded_texts(
        self, words: tf.Tensor, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None = None
    ) -> tf.Tensor:
        """Compute logits of texts from their word embeddings, through which gradients pass.

        Args:
            words: float32 [n_tokens, width of the embeddings], packed.
            token_ids: Ragged int [n, None].
            segment_ids: Ragged int [n, None], those of pairs.

        Returns:
            float32 [n, n_labels].
        """
        return self.logits_of_words(words, PackedTexts(token_ids, differentiable=True), segment_ids)

    def passes(self, n_tokens: tf.Tensor) -> tf.Tensor:
        """Return the number of sequences that a text of so many tokens is read in, of the tensor's type."""
        return tf.ones_like(n_tokens)


class PackedTexts:
    """Arrangement of texts: packed, without padding, and padded to the longest.

    Attributes:
        n_rows: Number of texts.
        longest: Number of tokens of the longest text.
        starts: Index of each text's first token among the packed ones, int [n].
        columns: Position of each packed token in its text, int [n_tokens].
        rows: Text of each packed token, int [n_tokens].
        mask: float32 [n, 1, 1, longest], to be added to attention scores.
        differentiable: Whether gradients pass through what is computed with it, which is then a little slower.
    """

    def __init__(self, token_ids: tf.RaggedTensor, *, differentiable: bool = False) -> None:
        self.differentiable = differentiable
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
        self.rows = self._slot_of_token // tf.maximum(self.longest, 1)
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
        attention, inner = layer._self_attention_layer, layer._feedforward_intermediate_dense
        outer = layer._feedforward_output_dense
        self._attention = [
            _Heads(f"{name}/heads/{part}", attention, heads) for part, heads in enumerate(_halves(attention.num_heads))
        ]
        self._feed_forward = [
            _InnerUnits(f"{name}/inner_units/{part}", inner, outer, units)
            for part, units in enumerate(_halves(inner.units))
        ]
        self.attention_bias = _variable(f"{name}/attention_bias", attention.output_dense.bias)
        self.attention_norm = _LayerNorm(f"{name}/attention_norm", layer._self_attention_layer_norm)
        self.bias = _variable(f"{name}/bias", outer.bias)
        self.norm = _LayerNorm(f"{name}/norm", layer._feedforward_layer_norm)

    def __call__(self, tokens: tf.Tensor, batch: PackedTexts) -> tf.Tensor:
        """Compute the outputs of packed tokens, float32 [n_tokens, width]."""
        return self._add_and_normalize(tokens, [heads.mix(tokens, batch) for heads in self._attention])

    def first_tokens(self, tokens: tf.Tensor, batch: PackedTexts) -> tf.Tensor:
        """Compute the outputs of the first token of each text, float32 [n, width]."""
        first = tf.gather(tokens, batch.starts)
        return self._add_and_normalize(first, [heads.mix_first(first, tokens, batch) for heads in self._attention])

    def _add_and_normalize(self, tokens: tf.Tensor, mixed: list[tf.Tensor]) -> tf.Tensor:
        products = [(each, heads.output) for each, heads in zip(mixed, self._attention, strict=True)]
        attended = self.attention_norm(_sum(products, self.attention_bias, tokens))
        products = [(units(attended), units.outer) for units in self._feed_forward]
        return self.norm(_sum(products, self.bias, attended))


class _Heads(tf.Module):  # type: ignore[misc]
    """Some of the attention heads of a layer.

    Attributes:
        output: Rows of the kernel after attention that belong to these heads, [width of the heads, width].
    """

    def __init__(self, name: str, attention: Any, heads: slice) -> None:
        super().__init__(name="heads")
        self._size = attention.key_dim
        self._n_heads = heads.stop - heads.start
        self._width = self._n_heads * self._size
        parts = (attention.query_dense, attention.key_dense, attention.value_dense)
        kernels = [np.asarray(part.kernel)[:, heads] for part in parts]  # [width, heads, size]
        self.kernel = _variable(f"{name}/kernel", np.concatenate([_flat(each, 1) for each in kernels], axis=1))
        biases = [np.asarray(part.bias)[heads] for part in parts]  # [heads, size]
        self.bias = _variable(f"{name}/bias", np.concatenate([_flat(each, 0) for each in biases]))
        output = np.asarray(attention.output_dense.kernel)[heads]  # [heads, size, width]
        self.output = _variable(f"{name}/output", output.reshape(self._width, -1))

    def mix(self, tokens: tf.Tensor, batch: PackedTexts) -> tf.Tensor:
        """Attend from every token to all tokens of its text, float32 [n_tokens, width of the heads]."""
        queries, keys, values = self._by_head(_affine(tokens, self.kernel, self.bias), batch, 3)
        mixed = self._attend(queries, keys, values, batch)
        mixed = _transpose(mixed, [0, 2, 1, 3], differentiable=batch.differentiable)
        return batch.drop_padding(tf.reshape(mixed, [-1, self._width]))

    def mix_first(self, first: tf.Tensor, tokens: tf.Tensor, batch: PackedTexts) -> tf.Tensor:
        """Attend from the first token of each text to all of its tokens, float32 [n, width of the heads]."""
        width, kernel, bias = self._width, tf.convert_to_tensor(self.kernel), tf.convert_to_tensor(self.bias)
        queries = tf.reshape(_affine(first, kernel[:, :width], bias[:width]), [-1, self._n_heads, 1, self._size])
        keys, values = self._by_head(_affine(tokens, kernel[:, width:], bias[width:]), batch, 2)
        return tf.reshape(self._attend(queries, keys, values, batch), [-1, width])

    def _by_head(self, packed: tf.Tensor, batch: PackedTexts, n_parts: int) -> list[tf.Tensor]:
        """Return the parts of packed values [n_tokens, n_parts * width], each float32 [n, heads, longest, size]."""
        shape = [batch.n_rows, batch.longest, n_parts, self._n_heads, self._size]
        padded = tf.reshape(batch.pad(packed), shape)
        parts: list[tf.Tensor] = tf.unstack(_transpose(padded, [2, 0, 3, 1, 4], differentiable=batch.differentiable))
        return parts

    def _attend(self, queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, batch: PackedTexts) -> tf.Tensor:
        """Compute attention (Vaswani et al., 2017, section 3.2.1)."""
        scores = tf.matmul(queries, keys, transpose_b=True) * self._size**-0.5 + batch.mask
        return tf.matmul(tf.nn.softmax(scores), values)


class _InnerUnits(tf.Module):  # type: ignore[misc]
    """Some of the inner units of a layer's feed-forward network.

    Attributes:
        outer: Rows of the outer kernel that belong to these units, [units, width].
    """

    def __init__(self, name: str, inner: Any, outer: Any, units: slice) -> None:
        super().__init__(name="inner_units")
        self.kernel = _variable(f"{name}/kernel", np.asarray(inner.kernel)[:, units])
        self.bias = _variable(f"{name}/bias", np.asarray(inner.bias)[units])
        self.outer = _variable(f"{name}/outer", np.asarray(outer.kernel)[units])
        self._activation = _served(inner.activation)

    def __call__(self, tokens: tf.Tensor) -> tf.Tensor:
        return self._activation(_affine(tokens, self.kernel, self.bias))


class _Dense(tf.Module):  # type: ignore[misc]
    """Product with a matrix, and a bias."""

    def __init__(self, name: str, kernel: Any, bias: Any) -> None:
        super().__init__(name="dense")
        self.kernel, self.bias = _variable(f"{name}/kernel", kernel), _variable(f"{name}/bias", bias)

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return _affine(inputs, self.kernel, self.bias)


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


def _halves(n: int) -> list[slice]:
    """Return the two halves of a range, or the range if it cannot be halved."""
    return [slice(0, n // 2), slice(n // 2, n)] if n % 2 == 0 else [slice(0, n)]


def _flat(kernel: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Join an axis with the next, which is the last."""
    return kernel.reshape(*kernel.shape[:axis], -1)


def _affine(inputs: tf.Tensor, kernel: Any, bias: Any) -> tf.Tensor:
    return tf.nn.bias_add(_product(inputs, kernel), bias)


def _product(inputs: tf.Tensor, kernel: Any) -> tf.Tensor:
    """Multiply by a kernel in the kernel's type."""
    if kernel.dtype == inputs.dtype:
        return tf.matmul(inputs, kernel)
    return tf.cast(tf.matmul(tf.cast(inputs, kernel.dtype), kernel), inputs.dtype)


def _sum(products: Sequence[tuple[tf.Tensor, Any]], bias: Any, residual: tf.Tensor) -> tf.Tensor:
    """Sum products of matrices, a bias and a residual; the first product is fused with both."""
    (inputs, kernel), *others = products
    total = _affine(inputs, kernel, bias) + residual
    for inputs, kernel in others:
        total += _product(inputs, kernel)
    return total


def _transpose(values: tf.Tensor, axes: Sequence[int], *, differentiable: bool) -> tf.Tensor:
    """Transpose float32 values.

    TensorFlow builds a oneDNN primitive for each transposition of floats, which takes longer than to transpose the
    values of a short text. Of integers it does not, but their bitcast has no gradient.
    """
    if differentiable:
        return tf.transpose(values, axes)
    return tf.bitcast(tf.transpose(tf.bitcast(values, tf.int32), axes), tf.float32)


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

    def parts(name: str, kind: str) -> list[NDArray[np.float32]]:
        n_parts = sum(other.startswith(f"{name}/") and other.endswith(f"/{kind}") for other in by_name)
        return read(*(f"{name}/{part}/{kind}" for part in range(n_parts)))

    words, positions = read("words", "positions")
    segments = read("segments") if "segments" in by_name else [np.zeros([2, words.shape[1]], np.float32)]
    weights = [words, positions, *segments, *read("norm/gamma", "norm/beta")]
    if "projection/kernel" in by_name:
        weights += read("projection/kernel", "projection/bias")
    for index in range(sum(name.endswith("/attention_bias") for name in by_name)):
        layer = f"layers/{index}"
        heads, units = f"{layer}/heads", f"{layer}/inner_units"
        # Of the queries, the keys and the values: those of all heads.
        kernels = zip(*(np.split(each, 3, axis=1) for each in parts(heads, "kernel")), strict=True)
        biases = zip(*(np.split(each, 3) for each in parts(heads, "bias")), strict=True)
        for kernel, bias in zip(kernels, biases, strict=True):
            joined = np.concatenate(kernel, axis=1)
            weights += [joined.reshape(len(joined), n_heads, -1), np.concatenate(bias).reshape(n_heads, -1)]
        output = np.concatenate(parts(heads, "output"))
        weights += [output.reshape(n_heads, -1, output.shape[1]), *read(f"{layer}/attention_bias")]
        for norm in ("attention_norm", "norm"):
            weights += read(f"{layer}/{norm}/gamma", f"{layer}/{norm}/beta")
        weights += [np.concatenate(parts(units, "kernel"), axis=1), np.concatenate(parts(units, "bias"))]
        weights += [np.concatenate(parts(units, "outer")), *read(f"{layer}/bias")]
    # The Keras model has a pooler even where another pooling leaves it unused.
    width = weights[-1].shape[0]
    unused = [np.zeros([width, width], np.float32), np.zeros([width], np.float32)]
    weights += read("pooler/kernel", "pooler/bias") if "pooler/kernel" in by_name else unused
    query = read("pool/query") if "pool/query" in by_name else []
    return [*weights, *query, *read("head/kernel", "head/bias")]
