"""How texts over the limit are cut: how many word pieces each keeps, and which."""

import tensorflow as tf

from components.preprocessing.settings import Truncation


def shared_budget(budget: int | tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What two texts keep, by Google's rule in closed form: while both are too long, the longer loses a piece.

    Where they are equal the second loses one (`_truncate_seq_pair` in google-research/bert's run_classifier.py). So a
    text within its half stays whole and leaves the rest to the other; the odd piece is the first's. Hugging Face's
    Rust tokenizer gives the odd piece to the longer instead, or to the second of two that are equal.

    Args:
        budget: Pieces for both together, at least 2; one for all rows or int64 [n].
        first: Lengths of the first texts, int64 [n].
        second: Of the second texts, int64 [n].

    Returns:
        The lengths that they keep, int64 [n]: their sum is at most `budget`, and neither is 0 that was not before.
    """
    half = budget // 2
    kept_first = tf.minimum(first, tf.maximum(budget - second, budget - half))
    kept_second = tf.minimum(second, tf.maximum(budget - first, half))
    return kept_first, kept_second


def cut(pieces: tf.RaggedTensor, lengths: tf.Tensor, truncation: Truncation) -> tf.RaggedTensor:
    """Cuts each row to its own length.

    Args:
        pieces: [n, None].
        lengths: int64 [n], none above its row's own.
        truncation: `head` keeps the first ones; `head_tail` the first quarter, rounded up, and the rest from the end,
            128 + 382 of 510: what Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?", found best.

    Returns:
        [n, None]; a row that had so many pieces is as it was.
    """
    kept = tf.ragged.range(lengths)
    rows = kept.value_rowids()
    places = kept.values
    if truncation == "head_tail":
        head = (lengths + 3) // 4
        skipped = pieces.row_lengths() - lengths
        places += tf.where(places < tf.gather(head, rows), tf.constant(0, tf.int64), tf.gather(skipped, rows))
    return kept.with_values(tf.gather(pieces.values, tf.gather(pieces.row_starts(), rows) + places))
