"""From the vectors of a text's tokens to one vector, for padded batches and for packed ones.

cls is not here: it is part of the encoder, the pooler on the output of [CLS]. The others read the output of every
token, [CLS] and [SEP] included, as sentence-transformers does, and padding not at all:

    mean         sum of h_t / number of tokens
    max          greatest value of each component
    attention    sum of a_t h_t, a = softmax over the tokens of q h_t, with a trained query q (Yang et al., 2016,
                 "Hierarchical attention networks for document classification", without the hidden layer); as q starts
                 at zero, it starts as the mean
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.checkpoints.pooling import Pooling

_LOWEST = -3e4


@keras.saving.register_keras_serializable("bert_multilabel")
class Pool(keras.layers.Layer):  # type: ignore[misc]
    """Pooling of padded token vectors.

    Args:
        pooling: mean, max or attention.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, pooling: Pooling, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pooling: Pooling = pooling

    def build(self, tokens_shape: Any, padding_mask_shape: Any) -> None:  # noqa: ARG002
        if self.pooling == "attention":
            self.query = self.add_weight(shape=(tokens_shape[-1],), initializer="zeros", name="query")

    def call(self, tokens: tf.Tensor, padding_mask: tf.Tensor) -> tf.Tensor:
        """Pool token vectors.

        Args:
            tokens: Float [n, length, width].
            padding_mask: int [n, length], 0 for padding.

        Returns:
            Float [n, width], in the type of the layer.
        """
        is_token = tf.cast(padding_mask, tokens.dtype)
        if self.pooling == "max":
            return tf.reduce_max(tokens + (_LOWEST * (1 - is_token))[:, :, tf.newaxis], axis=1)
        if self.pooling == "mean":
            weights = is_token / tf.reduce_sum(is_token, axis=1, keepdims=True)
        else:
            weights = tf.nn.softmax(tf.linalg.matvec(tokens, self.query.value) + _LOWEST * (1 - is_token))
        # A product with a row of weights reads each token vector once.
        return tf.squeeze(tf.matmul(weights[:, tf.newaxis, :], tokens), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pooling": self.pooling}


class PackedPool(tf.Module):  # type: ignore[misc]
    """Pooling of packed token vectors, with the weights of a `Pool`."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(name="pool")
        self.pooling = pool.pooling
        if pool.pooling == "attention":
            self.query = tf.Variable(np.asarray(pool.query), trainable=False, name="pool/query")

    def __call__(self, tokens: tf.Tensor, rows: tf.Tensor, n_rows: tf.Tensor) -> tf.Tensor:
        """Pool token vectors.

        Args:
            tokens: float32 [n_tokens, width].
            rows: Text of each token, int64 [n_tokens], ascending; every text has a token.
            n_rows: Number of texts.

        Returns:
            float32 [n_rows, width].
        """
        if self.pooling == "max":
            return tf.math.unsorted_segment_max(tokens, rows, n_rows)
        if self.pooling == "mean":
            return tf.math.unsorted_segment_mean(tokens, rows, n_rows)
        scores = tf.linalg.matvec(tokens, self.query)
        greatest = tf.stop_gradient(tf.math.unsorted_segment_max(scores, rows, n_rows))
        shares = tf.exp(scores - tf.gather(greatest, rows))
        total = tf.math.unsorted_segment_sum(shares, rows, n_rows)
        weighted = tf.math.unsorted_segment_sum(shares[:, tf.newaxis] * tokens, rows, n_rows)
        return weighted / total[:, tf.newaxis]
