"""Windows of long texts: overlapping stretches of their word pieces, each a sequence of its own for the encoder.

Transform leaves a text whole. Windows are cut from its token ids where they are read, by the same function in training
and in the served graph, so that they take no room on disk.
"""

from dataclasses import dataclass

import tensorflow as tf

from components.preprocessing.settings import WindowSettings


@dataclass(frozen=True)
class Windows:
    """Windows of some texts.

    Attributes:
        tokens: Tokens of each window, ragged [n_windows, None]: the first of its text, word pieces, the last of its
            text.
        texts: Index of each window's text, int64 [n_windows], ascending.
    """

    tokens: tf.RaggedTensor
    texts: tf.Tensor


def count_windows(lengths: tf.Tensor, settings: WindowSettings) -> tf.Tensor:
    """Return the number of windows of texts.

    Args:
        lengths: Tokens of each text, [CLS] and [SEP] included, int [n].
        settings: Size and stride of the windows.

    Returns:
        Tensor of the type and shape of the lengths, at least 1.
    """
    surplus = tf.maximum(lengths - settings.size, 0)
    return 1 + (surplus + settings.stride - 1) // settings.stride


def cut_windows(token_ids: tf.RaggedTensor, settings: WindowSettings) -> Windows:
    """Cut texts into windows.

    The windows of a text begin `stride` word pieces apart, and the last one ends with the text. A text that fits one
    window is that window.

    Args:
        token_ids: Tokens of texts, [CLS] ... [SEP], ragged of any type [n, None].
        settings: Size and stride of the windows.
    """
    counts = count_windows(token_ids.row_lengths(), settings)
    numbers = tf.ragged.range(counts)
    texts = numbers.value_rowids()
    # Both in word pieces: of the text before the window, and of the window.
    before = numbers.values * settings.stride
    last = tf.gather(token_ids.row_lengths(), texts) - 1
    pieces = tf.minimum(last - 1 - before, settings.pieces)
    # Positions in the text, except that the first and the last token of each window are those of the text.
    positions = tf.ragged.range(before, before + pieces + 2)
    windows = positions.value_rowids()
    columns = positions.values - tf.gather(before, windows)
    inner = tf.where(columns == 0, tf.zeros_like(columns), positions.values)
    chosen = tf.where(columns == tf.gather(pieces, windows) + 1, tf.gather(last, windows), inner)
    starts = tf.gather(tf.gather(token_ids.row_starts(), texts), windows)
    return Windows(positions.with_values(tf.gather(token_ids.values, starts + chosen)), texts)
