"""Why a label was given: integrated gradients of its logit, in a graph that is exported with the model.

Source: Sundararajan, Taly and Yan, 2017, "Axiomatic attribution for deep networks". The attribution of a word piece is
the difference between its embedding and a baseline's, times the gradient of the logit, averaged along the straight line
from baseline to text. In the baseline every word piece is [PAD], while special tokens and positions stay. By the
completeness axiom, attributions sum to the difference between the two logits; what is missing tells how exact the
average is.

The average is an integral, computed by Gauss-Legendre quadrature with 16 nodes on each of 1, 2, 4, 8 or 16 equal parts
of the line: as many parts as it takes for the gap to fall below the bound. A logit is smooth along most of the line,
where this rule needs a tenth of the nodes of a Riemann sum.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from components.trainer.serving_classifier import ServingClassifier

_NODES = 16
_MOST_PARTS = 16
# The gap may be a hundredth of the difference between the logits, or a hundredth of a logit.
_RELATIVE_BOUND, _ABSOLUTE_BOUND = 0.01, 0.01
_PAD_ID = 0


@dataclass(frozen=True)
class Attributions:
    """Attributions of texts, as tensors.

    Attributes:
        values: Ragged float32 [n, None], of each token; 0 for special tokens.
        logits: float32 [n], the label's logit.
        baseline_logits: float32 [n], its logit for the baseline.
        steps: int32 [n], the number of points of the line at which the gradient was computed last.
    """

    values: tf.RaggedTensor
    logits: tf.Tensor
    baseline_logits: tf.Tensor
    steps: tf.Tensor


def integrated_gradients(
    classifier: ServingClassifier, token_ids: tf.RaggedTensor, segment_ids: tf.RaggedTensor | None, labels: tf.Tensor
) -> Attributions:
    """Compute the attributions of one label of each text, one text at a time.

    Args:
        classifier: Classifier.
        token_ids: Ragged int [n, None], with the special tokens.
        segment_ids: Ragged int [n, None], those of pairs; None for single texts.
        labels: int32 [n], the column of each text's label.
    """

    def explain(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        segments = None if segment_ids is None else segment_ids[number]
        return _Line(classifier, token_ids[number], segments, labels[number]).attributions()

    values, logits, baseline_logits, steps = tf.map_fn(
        explain,
        tf.range(tf.shape(labels)[0]),
        fn_output_signature=(
            tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.int32),
        ),
        parallel_iterations=1,
    )
    return Attributions(values, logits, baseline_logits, steps)


class _Line:
    """Straight line from the baseline to a text, in the space of word embeddings."""

    def __init__(
        self, classifier: ServingClassifier, token_ids: tf.Tensor, segments: tf.Tensor | None, label: tf.Tensor
    ) -> None:
        self._classifier, self._ids, self._segments, self._label = classifier, token_ids, segments, label
        words = classifier.embed(token_ids)
        # The last token separates texts; a pair has another one like it.
        is_special = tf.logical_or(tf.range(tf.size(token_ids)) == 0, token_ids == token_ids[-1])
        self._baseline = tf.where(is_special[:, tf.newaxis], words, classifier.embed(_PAD_ID))
        self._difference = words - self._baseline
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)  # on [-1, 1]
        self._nodes = tf.constant(nodes / 2 + 0.5, tf.float32)
        self._weights = tf.constant(weights / 2, tf.float32)
        # A long text is read in many windows, of which as many are in memory at once as a short text has nodes.
        self._at_once = tf.maximum(_NODES // classifier.passes(tf.size(token_ids)), 1)

    def attributions(self) -> tuple[tf.Tensor, ...]:
        """Compute the attributions [n_tokens], the logits of text and baseline, and the number of steps."""
        logits = self._logits(self._points(tf.constant([1.0, 0.0])), 2)
        difference = logits[0] - logits[1]
        bound = tf.maximum(_RELATIVE_BOUND * tf.abs(difference), _ABSOLUTE_BOUND)

        def is_inexact(parts: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
            is_first = parts == 0
            gap = tf.abs(difference - tf.reduce_sum(values))
            return tf.logical_or(is_first, tf.logical_and(gap > bound, parts < _MOST_PARTS))

        def refine(parts: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            parts = tf.maximum(2 * parts, 1)
            return parts, self._integrate(parts)

        parts, values = tf.while_loop(
            is_inexact,
            refine,
            (tf.constant(0), tf.zeros_like(self._ids, tf.float32)),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
            parallel_iterations=1,
        )
        return values, logits[0], logits[1], parts * _NODES

    def _integrate(self, parts: tf.Tensor) -> tf.Tensor:
        width = 1.0 / tf.cast(parts, tf.float32)
        n_points = parts * _NODES

        def add(start: tf.Tensor, gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            end = tf.minimum(start + self._at_once, n_points)
            points = tf.range(start, end)
            positions = (tf.cast(points // _NODES, tf.float32) + tf.gather(self._nodes, points % _NODES)) * width
            weights = tf.gather(self._weights, points % _NODES)
            return end, gradient + self._gradient(positions, weights) * width

        _, gradient = tf.while_loop(
            lambda start, _: start < n_points,
            add,
            (tf.constant(0), tf.zeros_like(self._difference)),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, self._difference.shape[1]])),
            parallel_iterations=1,
        )
        return tf.reduce_sum(gradient * self._difference, axis=-1)

    def _gradient(self, positions: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Compute the weighted sum of the logit's gradients at positions of the line, float32 [n_tokens, width]."""
        points, n = self._points(positions), tf.size(positions)
        with tf.GradientTape() as tape:
            tape.watch(points)
            total = tf.reduce_sum(weights * self._logits(points, n))
        gradients = tf.reshape(tf.convert_to_tensor(tape.gradient(total, points)), [n, -1, points.shape[-1]])
        return tf.reduce_sum(gradients, axis=0)

    def _points(self, positions: tf.Tensor) -> tf.Tensor:
        """Return the word embeddings at positions between 0 and 1, packed, float32 [n_positions * n_tokens, width]."""
        points = self._baseline + positions[:, tf.newaxis, tf.newaxis] * self._difference
        return tf.reshape(points, [-1, self._difference.shape[1]])

    def _logits(self, words: tf.Tensor, n: int | tf.Tensor) -> tf.Tensor:
        """Compute the label's logits, float32 [n], of n variants of the text."""
        segments = None if self._segments is None else _repeat(self._segments, n)
        logits = self._classifier.logits_of_embedded_texts(words, _repeat(self._ids, n), segments)
        return tf.gather(logits, self._label, axis=1)


def _repeat(row: tf.Tensor, n: int | tf.Tensor) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_lengths(tf.tile(row, [n]), tf.fill([n], tf.size(row, tf.int64)))
