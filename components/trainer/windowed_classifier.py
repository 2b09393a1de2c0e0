"""Classifier of long texts: the encoder reads windows, whose logits are pooled before loss and sigmoid."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from components.preprocessing.settings import WindowSettings
from components.preprocessing.windows import count_windows, cut_windows
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.window_pooling import pool_windows

Inputs = dict[str, tf.Tensor]


class WindowHead(keras.layers.Layer):  # type: ignore[misc]
    """A classifier's head, from pooled outputs of windows to logits of texts.

    Args:
        classifier: Classifier of single windows, from `build_classifier`, whose dropout and dense layer are used.
        pool: How the logits of windows become one.

    Attributes:
        dense: Layer of the logits.
        scores: Layer of the windows' scores, for `attention`; None otherwise. Its weights start at zero, which gives
            every window the same weight.
    """

    def __init__(self, classifier: Any, windows: WindowSettings) -> None:
        super().__init__(name="window_head", dtype="float32")
        self._pool = windows.pool
        self.dropout, self.dense, self.scores = classifier.output_dropout, classifier.output_dense, None
        if windows.pool == "attention":
            self.scores = keras.layers.Dense(
                self.dense.units, use_bias=False, kernel_initializer="zeros", dtype="float32", name="window_scores"
            )
            self.scores.build([None, classifier.backbone.hidden_dim])
        self.built = True

    def call(self, pooled: tf.Tensor, texts: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Compute logits.

        Args:
            pooled: Pooled outputs of the windows, float32 [n_windows, hidden].
            texts: Index of each window's text, int [n_windows], ascending.
            training: Whether to apply dropout.

        Returns:
            float32 [n, n_labels].
        """
        outputs = self.dense(self.dropout(pooled, training=training))
        if self.scores is not None:
            outputs = tf.concat([outputs, self.scores(pooled)], axis=1)
        return pool_windows(outputs, texts, self._pool)


class WindowedClassifier(keras.Model):  # type: ignore[misc]
    """Classifier of texts, each of which is read in windows.

    A text that fits one window has the logits of `classifier`, to the bit. In inference, windows go through the encoder
    `batch_size` at a time, however many a batch of texts has. In training they all go at once, for their activations
    are needed; `components.trainer.loop.parts` divides a batch whose windows are too many.

    Args:
        classifier: Classifier of single windows, from `build_classifier`.
        windows: Windows.
        batch_size: Number of windows in a pass of inference.

    Attributes:
        classifier: Classifier of single windows.
        windows: Windows.
        head: Head over the windows.
    """

    def __init__(self, classifier: Any, windows: WindowSettings, batch_size: int) -> None:
        super().__init__(name="windowed_classifier", dtype="float32")
        self.classifier, self.windows, self.batch_size = classifier, windows, batch_size
        self.head = WindowHead(classifier, windows)
        pooled = keras.Model(classifier.input, classifier.output_dropout.input)
        # Within a function, so that Keras does not track the encoder's layers a second time.
        self._pooled: Callable[..., tf.Tensor] = lambda inputs, training: pooled(inputs, training=training)
        self.built = True

    @property
    def backbone(self) -> Any:
        """Encoder."""
        return self.classifier.backbone

    @property
    def output_dense(self) -> Any:
        """Layer of the logits."""
        return self.head.dense

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """Compute logits of texts.

        Args:
            inputs: Encoder inputs of whole texts, each int32 [n, longest]; segment ids are ignored.
            training: Whether to apply dropout.

        Returns:
            float32 [n, n_labels].
        """
        tokens, texts = self.cut(inputs)
        pooled = self._encode(tokens, training=True) if training else self.encode(tokens)
        logits: tf.Tensor = self.head(pooled, texts, training=training)
        return logits

    def count(self, inputs: Inputs) -> tf.Tensor:
        """Return the number of windows of each text, int32 [n]."""
        return count_windows(_lengths(inputs), self.windows)

    def cut(self, inputs: Inputs) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Return the token ids of windows, ragged int32 [n_windows, None], and the index of each one's text."""
        windows = cut_windows(tf.RaggedTensor.from_tensor(inputs["token_ids"], _lengths(inputs)), self.windows)
        return windows.tokens, windows.texts

    def encode(self, tokens: tf.RaggedTensor) -> tf.Tensor:
        """Compute the pooled outputs of windows without dropout, float32 [n_windows, hidden], some at a time."""
        n_windows = tf.cast(tokens.nrows(), tf.int32)

        def encode_some(start: tf.Tensor, done: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            end = tf.minimum(start + self.batch_size, n_windows)
            return end, tf.concat([done, self._encode(tokens[start:end], training=False)], axis=0)

        hidden = self.backbone.hidden_dim
        _, pooled = tf.while_loop(
            lambda start, _: start < n_windows,
            encode_some,
            (tf.constant(0), tf.zeros([0, hidden])),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, hidden])),
            parallel_iterations=1,
        )
        return pooled

    def _encode(self, tokens: tf.RaggedTensor, *, training: bool) -> tf.Tensor:
        return tf.cast(self._pooled(encoder_inputs(tokens), training), tf.float32)


def window_classifier(model: Any) -> Any:
    """Return the classifier that reads a window, which is the whole model if texts are not read in windows."""
    return model.classifier if isinstance(model, WindowedClassifier) else model


def _lengths(inputs: Inputs) -> tf.Tensor:
    return tf.reduce_sum(inputs["padding_mask"], axis=1)
