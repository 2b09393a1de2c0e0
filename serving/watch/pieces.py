"""Word pieces of texts, counted with the model's own tokenizer, as `serve` counts them for its log."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from schema.features import TEXT, TEXT_PAIR
from serving.scoring.model import TextModel

_SIGNATURE = "transform_features"
# A character of the private use area, which no vocabulary has, and a text that is longer than any model reads.
_UNKNOWN, _LONG = "\ue0f8".encode(), b"a " * 2000
_BATCH_SIZE = 256


@dataclass(frozen=True)
class CountedPieces:
    """Word pieces of texts.

    Attributes:
        unknown_shares: float32 [n], share of each text's pieces that are [UNK].
        is_cut: bool [n], whether each text has as many pieces as the model reads.
    """

    unknown_shares: NDArray[np.float32]
    is_cut: NDArray[np.bool_]


def count_pieces(model: TextModel, examples: Sequence[tf.train.Example]) -> CountedPieces | None:
    """Count the pieces of examples, [CLS] and [SEP] included; None if the model has no signature for that."""
    signature = model.signature(_SIGNATURE)
    if signature is None:
        return None

    def token_ids(serialized: Sequence[bytes]) -> NDArray[np.int64]:
        ids: NDArray[np.int64] = signature(examples=tf.constant(serialized))["token_ids"].numpy()
        return ids

    # The ids are padded with zeros, and no text has the piece [PAD].
    (probe,) = token_ids([_example(_UNKNOWN, b"")])
    unknown = int(probe[1]) if len(probe) > 2 else -1
    limit = int(np.count_nonzero(token_ids([_example(_LONG, _LONG)])))
    counts, unknowns = [], []
    for start in range(0, len(examples), _BATCH_SIZE):
        ids = token_ids([example.SerializeToString() for example in examples[start : start + _BATCH_SIZE]])
        counts.append(np.count_nonzero(ids, axis=1))
        unknowns.append(np.count_nonzero(ids == unknown, axis=1))
    pieces = np.concatenate(counts)
    return CountedPieces((np.concatenate(unknowns) / np.maximum(pieces, 1)).astype(np.float32), pieces >= limit)


def _example(text: bytes, pair: bytes) -> bytes:
    feature = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in ((TEXT, text), (TEXT_PAIR, pair))
    }
    serialized: bytes = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    return serialized
