"""Training only the word embeddings that occur in the data: the others never have a gradient.

Half of MiniLM's weights are word embeddings, and half of multilingual BERT-Base's; a data set in one language uses some
of them. AdamW keeps two moments of each value and goes over all of them in each update, to add zero to those that do
not occur. During training, the model therefore has a table of the occurring rows alone; afterwards they are copied back
into the whole one.

What is learned is the same except for weight decay: rows that do not occur, and that no text trains, keep the values of
the checkpoint.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# Share of the rows that must be saved for the second table to be worth its while.
_MIN_SAVED = 0.1


class OccurringEmbedding(keras.layers.ReversibleEmbedding):  # type: ignore[misc]
    """Word embedding with a row for some of the token ids, as `occurring_embedding` makes of a whole one.

    Attributes:
        row_of_id: int32 [vocabulary_size], row of each token id in the smaller table.
    """

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        return super().call(tf.gather(self.row_of_id, inputs), reverse)


@contextmanager
def occurring_embedding(model: Any, find_token_ids: Callable[[], NDArray[np.bool_]]) -> Iterator[None]:
    """Reduce a classifier's word embeddings to the occurring rows within this context.

    Does nothing if the word embeddings are frozen or nearly all of them occur.

    Args:
        model: Classifier from `build_classifier`, after `freeze` and before it is compiled.
        find_token_ids: Function that returns which token ids occur, bool [vocabulary_size], the same in each worker.
            Not called if the word embeddings are frozen.
    """
    layer = model.backbone.token_embedding
    occurs = find_token_ids() if layer.trainable else None
    if occurs is None or occurs.mean() > 1 - _MIN_SAVED:
        yield
        return
    ids = np.flatnonzero(occurs)
    whole, layer_class = layer.embeddings, type(layer)
    with model.distribute_strategy.scope():
        reduced = keras.Variable(whole.numpy()[ids], dtype="float32", name="embeddings")
    row_of_id = np.zeros(len(occurs), np.int32)
    row_of_id[ids] = np.arange(len(ids))
    layer.row_of_id = tf.constant(row_of_id)
    layer.__class__ = OccurringEmbedding
    _replace_table(layer, reduced)
    try:
        yield
    finally:
        _replace_table(layer, whole)
        layer.__class__ = layer_class
        del layer.row_of_id
        values = whole.numpy()
        values[ids] = reduced.numpy()
        whole.assign(values)


def _replace_table(layer: Any, table: keras.Variable) -> None:
    # Keras has no way to exchange a variable of a built layer, whose tracker is locked.
    layer._tracker.unlock()
    layer._tracker.untrack(layer._embeddings)
    layer._embeddings = table
    layer._tracker.lock()
