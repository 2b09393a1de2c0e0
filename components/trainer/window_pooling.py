"""Pooling: the logits of a text's windows become those of the text."""

import tensorflow as tf

from components.preprocessing.settings import WindowPool


def pool_windows(outputs: tf.Tensor, texts: tf.Tensor, pool: WindowPool) -> tf.Tensor:
    """Pool the logits of each text's windows, label by label.

    A text of one window has the logits of that window, to the bit. With `attention`, each label weights the windows by
    a softmax over their scores, as label-wise attention does over words (Mullenbach et al., 2018, "Explainable
    prediction of medical codes from clinical text", section 3.2) and multiple instance learning over instances (Ilse et
    al., 2018); equal scores give the mean.

    Args:
        outputs: Logits, float32 [n_windows, n_labels]; for `attention` [n_windows, 2 * n_labels], logits and scores.
        texts: Index of each window's text, int [n_windows], ascending and without gaps.
        pool: How they are pooled.

    Returns:
        float32 [n, n_labels].
    """
    if pool == "max":
        return tf.math.segment_max(outputs, texts)
    if pool == "mean":
        return tf.math.segment_mean(outputs, texts)
    logits, scores = tf.split(outputs, 2, axis=1)
    # The weights do not depend on what is subtracted; the largest one keeps them finite.
    largest = tf.stop_gradient(tf.math.segment_max(scores, texts))
    weights = tf.exp(scores - tf.gather(largest, texts))
    return tf.math.segment_sum(weights * logits, texts) / tf.math.segment_sum(weights, texts)
