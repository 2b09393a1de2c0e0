"""Word pieces of texts, counted with a model's own tokenizer: for the request log and for profiles of answers."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.example import example_pb2

from schema.features import TEXT, TEXT_PAIR
from serving.request_log.rows import PieceCounter, Pieces

SIGNATURE = "transform_features"
"""Signature of an exported model whose output `token_ids` are the pieces of examples, padded with zeros."""

# A character of the private use area, which no vocabulary has, and a text that is longer than any model reads.
_UNKNOWN, _LONG = "\ue0f8".encode(), b"a " * 2000


def piece_counter(token_ids: Callable[[Sequence[bytes]], NDArray[np.int64]]) -> PieceCounter:
    """Return a function that counts the pieces of texts, [CLS] and [SEP] included.

    Args:
        token_ids: Function from serialized tf.Examples to their token ids, int64 [n, longest].
    """
    # No text has the piece [PAD], whose id pads the rows.
    (probe,) = token_ids([_example(_UNKNOWN, b"")])
    unknown = int(probe[1]) if len(probe) > 2 else None
    limit = int(np.count_nonzero(token_ids([_example(_LONG, _LONG)])))

    def count(texts: Sequence[bytes], pairs: Sequence[bytes] | None) -> Pieces:
        # Models of single texts do not read the second one.
        seconds = texts if pairs is None else pairs
        ids = token_ids([_example(text, second) for text, second in zip(texts, seconds, strict=True)])
        counts = np.count_nonzero(ids, axis=1)
        return Pieces(counts.tolist(), np.count_nonzero(ids == unknown, axis=1).tolist(), (counts >= limit).tolist())

    return count


def _example(text: bytes, pair: bytes) -> bytes:
    example = example_pb2.Example()
    example.features.feature[TEXT].bytes_list.value.append(text)
    example.features.feature[TEXT_PAIR].bytes_list.value.append(pair)
    serialized: bytes = example.SerializeToString()
    return serialized
