"""Texts of transformed rows, decoded from their token ids: the rows' own texts are not in transformed examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.checkpoints.find import Checkpoint
from components.checkpoints.vocabulary import read_vocabulary

_INPUTS = ("token_ids", "padding_mask", "segment_ids")
_BATCHES = 8  # batches that rows are chosen from


@dataclass(frozen=True)
class DecodedRow:
    """Words of a row.

    Attributes:
        index: Index of the row among those of its dataset.
        text: First text.
        text_pair: Second text; empty for a single text.
    """

    index: int
    text: str
    text_pair: str


def decode_rows(batches: tf.data.Dataset, checkpoint: Checkpoint, n: int) -> list[DecodedRow]:
    """Decode rows that are spread over the first batches of a dataset.

    Args:
        batches: Batches from `length_grouped_batches`, which are not shuffled.
        checkpoint: Checkpoint whose vocabulary the token ids are of.
        n: Number of rows; fewer if the batches have fewer.
    """
    with tf.device("/CPU:0"):
        arrays = [[inputs[name].numpy() for name in _INPUTS] for inputs, _ in batches.take(_BATCHES)]
    rows = [row for batch in arrays for row in zip(*batch, strict=True)]
    chosen = list(enumerate(rows))[:: max(1, len(rows) // n)][:n]
    special = checkpoint.tokenization.special_tokens
    vocabulary = read_vocabulary(str(checkpoint.vocabulary), special)
    return [
        DecodedRow(
            index, *(_decode(ids[(mask == 1) & (segments == segment)], vocabulary, special) for segment in (0, 1))
        )
        for index, (ids, mask, segments) in chosen
    ]


def _decode(ids: NDArray[np.int32], vocabulary: Sequence[str], special: Sequence[str]) -> str:
    """Return the words of token ids, without special tokens."""
    pieces = (vocabulary[token_id] for token_id in ids)
    return " ".join(piece for piece in pieces if piece not in special).replace(" ##", "")
