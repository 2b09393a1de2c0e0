"""The classifier of long texts as it is served."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.preprocessing.windows import count_windows, cut_windows
from components.trainer.serving_classifier import PackedTexts, ServingClassifier
from components.trainer.window_pooling import pool_windows
from components.trainer.windowed_classifier import WindowedClassifier

_SCORES = "window_scores/kernel"


class WindowedServingClassifier(ServingClassifier):
    """Function from token ids to probabilities, which reads long texts in windows.

    If every text of a request fits one window, the request takes the same operations as without windows.

    Args:
        model: Classifier in float32.
    """

    def __init__(self, model: WindowedClassifier) -> None:
        super().__init__(model.classifier)
        self._windows, self._n_labels = model.windows, model.output_dense.units
        scores = model.head.scores
        self.window_scores = None if scores is None else _scores_variable(scores.kernel)
        if scores is not None:
            self.n_outputs = 2 * self._n_labels

    def logits(self, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None = None) -> tf.Tensor:
        assert segment_ids is None, "pairs have no windows"
        lengths = token_ids.row_lengths()
        fits = tf.reduce_all(lengths <= self._windows.size)

        def cut() -> tuple[tf.RaggedTensor, tf.Tensor]:
            windows = cut_windows(token_ids, self._windows)
            return windows.tokens, windows.texts

        tokens, texts = tf.cond(fits, lambda: (token_ids, tf.range(token_ids.nrows())), cut)
        outputs = super().logits(tokens)
        return tf.cond(fits, lambda: outputs[:, : self._n_labels], lambda: self._pool(outputs, texts))

    def outputs(self, pooled: tf.Tensor) -> tf.Tensor:
        logits = super().outputs(pooled)
        if self.window_scores is None:
            return logits
        return tf.concat([logits, tf.matmul(pooled, self.window_scores)], axis=1)

    def logits_of_embedded_texts(
        self, words: tf.Tensor, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None = None
    ) -> tf.Tensor:
        assert segment_ids is None, "pairs have no windows"
        # Windows of indices of the words tell which words are in which window.
        indices = tf.range(tf.size(token_ids.values, tf.int64))
        windows = cut_windows(token_ids.with_values(indices), self._windows)
        batch = PackedTexts(windows.tokens.with_values(tf.gather(token_ids.values, windows.tokens.values)),
                            differentiable=True)  # fmt: skip
        outputs = self.logits_of_words(tf.gather(words, batch.pack(windows.tokens)), batch)
        return self._pool(outputs, windows.texts)

    def passes(self, n_tokens: tf.Tensor) -> tf.Tensor:
        return count_windows(n_tokens, self._windows)

    def _pool(self, outputs: tf.Tensor, texts: tf.Tensor) -> tf.Tensor:
        return pool_windows(outputs, texts, self._windows.pool)


def serving_classifier(model: Any) -> ServingClassifier:
    """Return a classifier in the form in which it is served."""
    return WindowedServingClassifier(model) if isinstance(model, WindowedClassifier) else ServingClassifier(model)


def window_scores(variables: Sequence[tf.Variable]) -> NDArray[np.float32] | None:
    """Return the kernel of the windows' scores in an export, float32 [hidden, n_labels]; None if there is none.

    Args:
        variables: Variables of a signature.
    """
    found = [variable for variable in variables if variable.name.removesuffix(":0") == _SCORES]
    return np.asarray(found[0].numpy()) if found else None


def _scores_variable(kernel: Any) -> tf.Variable:
    return tf.Variable(np.asarray(kernel), trainable=False, name=_SCORES)
