"""Training only the word embeddings that occur in the data: the others have no gradient, ever.

Half of MiniLM's weights are word embeddings, and half of multilingual BERT-Base's; a data set in one language has words
for some of them. AdamW keeps two moments of each value and goes over all of them in each update, to add zero to those
that do not occur. While a model is trained it has the rows that do occur, alone and with their places; afterwards they
are put back among the others.

What is learned is the same but for weight decay: rows that do not occur, which no text has taught anything, keep the
values of the checkpoint.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# Below this there is too little to win for the second table.
_LEAST_SPARED = 0.1


class OccurringEmbedding(keras.layers.ReversibleEmbedding):  # type: ignore[misc]
    """A word embedding whose table has rows for some ids only, as `only_occurring` makes it."""

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        return super().call(tf.gather(self.places, inputs), reverse)


@contextmanager
def only_occurring(model: Any, look: Callable[[], NDArray[np.bool_]]) -> Iterator[None]:
    """Meanwhile the classifier has the embeddings of ids that occur, and nothing is asked of it with others.

    Changes nothing where the word embeddings are not trained, or nearly all occur.

    Args:
        model: From `build_classifier`, frozen as it is to be trained, not compiled yet.
        look: Says which ids occur: [vocabulary size], the same in each worker. Not called where none are trained.
    """
    layer = model.backbone.token_embedding
    occurring = look() if layer.trainable else None
    if occurring is None or occurring.mean() > 1 - _LEAST_SPARED:
        yield
        return
    ids = np.flatnonzero(occurring)
    whole, own_class = layer.embeddings, type(layer)
    with model.distribute_strategy.scope():
        some = keras.Variable(whole.numpy()[ids], dtype="float32", name="embeddings")
    places = np.zeros(len(occurring), np.int32)
    places[ids] = np.arange(len(ids))
    layer.places = tf.constant(places)
    layer.__class__ = OccurringEmbedding
    _replace_table(layer, some)
    try:
        yield
    finally:
        _replace_table(layer, whole)
        layer.__class__ = own_class
        del layer.places
        values = whole.numpy()
        values[ids] = some.numpy()
        whole.assign(values)


def _replace_table(layer: Any, table: keras.Variable) -> None:
    # Keras has no way to exchange a variable of a built layer, whose tracker is locked.
    layer._tracker.unlock()
    layer._tracker.untrack(layer._embeddings)
    layer._embeddings = table
    layer._tracker.lock()
