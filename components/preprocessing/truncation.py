"""Truncation of long texts: how many word pieces each keeps, and which."""

import tensorflow as tf

from components.preprocessing.settings import Truncation


def share_budget(budget: int | tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Compute how many word pieces two texts keep.

    Google's rule: while both together are too long, the longer text loses a piece; of equal texts, the second
    (`_truncate_seq_pair` in google-research/bert's run_classifier.py). In closed form: a text of at most half the
    budget stays whole and leaves the rest to the other, and an odd piece goes to the first. Hugging Face's Rust
    tokenizer gives the odd piece to the longer text instead, or to the second of two equal ones.

    Args:
        budget: Number of pieces for both texts, at least 2; one for all rows, or int64 [n].
        first: Lengths of the first texts, int64 [n].
        second: Lengths of the second texts, int64 [n].

    Returns:
        Lengths to keep of the first and of the second texts, int64 [n] each. Their sum is at most `budget`, and none is
        0 unless the text is empty.
    """
    half = budget // 2
    kept_first = tf.minimum(first, tf.maximum(budget - second, budget - half))
    kept_second = tf.minimum(second, tf.maximum(budget - first, half))
    return kept_first, kept_second


def truncate(pieces: tf.RaggedTensor, lengths: tf.Tensor, truncation: Truncation) -> tf.RaggedTensor:
    """Truncate each row to its own length.

    Args:
        pieces: Word pieces, [n, None].
        lengths: Lengths to keep, int64 [n], none above its row's length.
        truncation: `head` keeps the first pieces. `head_tail` keeps the first quarter, rounded up, and the rest from
            the end: 128 + 382 of 510, which Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", found
            best.

    Returns:
        Word pieces to keep, [n, None].
    """
    kept = tf.ragged.range(lengths)
    rows = kept.value_rowids()
    positions = kept.values
    if truncation == "head_tail":
        head = (lengths + 3) // 4
        skipped = pieces.row_lengths() - lengths
        positions += tf.where(positions < tf.gather(head, rows), tf.constant(0, tf.int64), tf.gather(skipped, rows))
    return kept.with_values(tf.gather(pieces.values, tf.gather(pieces.row_starts(), rows) + positions))
