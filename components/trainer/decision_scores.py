"""Decision scores, and probabilities that obey the implications of labels: parts of the exported graph."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def decision_scores(probabilities: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
    """Map each label's probabilities so that its threshold becomes 0.5, linearly below and above it.

    The order of scores within a label is that of its probabilities, so areas under curves are unchanged, while every
    metric at 0.5 becomes the metric at the label's own threshold. Candidate and baseline each have their own.
    A retired label, with probability 0 and threshold 1, scores 0.

    Args:
        probabilities: float32 [n, n_labels].
        thresholds: float32 [n_labels].

    Returns:
        float32 [n, n_labels].
    """
    below = 0.5 * probabilities / thresholds
    above = 0.5 + 0.5 * (probabilities - thresholds) / (1.0 - thresholds)
    # Rounding must not put a predicted label at 0.5 exactly: what is measured is what is served.
    min_above = np.nextafter(np.float32(0.5), np.float32(1.0))
    return tf.where(probabilities > thresholds, tf.maximum(above, min_above), tf.minimum(below, 0.5))


def obey_implications(
    probabilities: tf.Tensor, thresholds: NDArray[np.float32], ancestors: Mapping[int, Sequence[int]]
) -> tf.Tensor:
    """Lower the probabilities of labels so that none is above its threshold without those that it implies.

    The decision score of a label becomes the least of its own and those of the labels that it implies, and its
    probability the one with this score. Every reader of probabilities and thresholds thus makes the same decisions,
    whichever signature it calls. Other probabilities are unchanged. Giunchiglia and Lukasiewicz, 2020 ("Coherent
    hierarchical multi-label classification networks"), take the maximum over the labels below instead, which gives a
    label with every one that implies it; here the label above decides, so that one strong word does not outvote it.

    Args:
        probabilities: float32 [n, n_labels], returned as it is if no label implies another.
        thresholds: [n_labels].
        ancestors: Columns of the labels that a label implies, directly or through others, by its column.
    """
    if not ancestors:
        return probabilities
    n_labels = len(thresholds)
    width = 1 + max(map(len, ancestors.values()))
    columns = np.repeat(np.arange(n_labels)[:, np.newaxis], width, axis=1)
    for column, above in ancestors.items():
        columns[column, 1 : 1 + len(above)] = above
    limits = tf.constant(thresholds, tf.float32)
    own = decision_scores(probabilities, limits)
    least = tf.reduce_min(tf.gather(own, columns, axis=1), axis=2)
    below = 2.0 * least * limits
    # A label that stays given must stay above its threshold, whatever is rounded.
    min_above = np.nextafter(np.asarray(thresholds, np.float32), np.float32(2.0))
    above = tf.maximum(limits + (2.0 * least - 1.0) * (1.0 - limits), min_above)
    lowered = tf.where(least > 0.5, tf.minimum(above, probabilities), tf.minimum(below, limits))
    return tf.where(least < own, lowered, probabilities)
