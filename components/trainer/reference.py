"""What the trained model says, in the process that trained it, of a few texts like those of the eval split."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from components.canary.reference import Reference
from components.checkpoints.find import Checkpoint
from components.checkpoints.vocabulary import read_vocabulary
from components.preprocessing.features import SEGMENT_IDS, TOKEN_IDS
from components.trainer.export import without_columns
from components.trainer.input_pipeline import encoder_inputs
from schema.features import TEXT, TEXT_PAIR

_TOKENS = ("token_ids", "padding_mask", "segment_ids")
_ROWS = 32
_BATCHES = 8  # of the eval split, read for them


def make_reference(
    model: Any,
    transform: tft.TFTransformOutput,
    evaluation: tf.data.Dataset,
    checkpoint: Checkpoint,
    retired: Sequence[int] = (),
) -> Reference:
    """Spells texts from eval rows' token ids, for the rows' own never get here, and asks the model about them.

    On the processor, also where there is a GPU, whose float32 may have a tenth of the digits (TF32).

    Args:
        model: As it is exported: in float32, calibrated.
        transform: The transform graph.
        evaluation: Batches from `length_grouped_batches`.
        checkpoint: Whose vocabulary the token ids are of.
        retired: Columns that are always 0.
    """
    with tf.device("/CPU:0"):
        batches = [[inputs[name].numpy() for name in _TOKENS] for inputs, _ in evaluation.take(_BATCHES)]
    rows = [row for batch in batches for row in zip(*batch, strict=True)]
    chosen = rows[:: max(1, len(rows) // _ROWS)][:_ROWS]
    special = checkpoint.spelling.special_tokens
    vocabulary = read_vocabulary(str(checkpoint.vocabulary), special)
    pair = SEGMENT_IDS in transform.transformed_feature_spec()
    texts, pairs = (
        [_spelled(ids[(mask == 1) & (segments == segment)], vocabulary, special) for ids, mask, segments in chosen]
        for segment in (0, 1)
    )
    with tf.device("/CPU:0"):
        columns = {TEXT: texts} | ({TEXT_PAIR: pairs} if pair else {})
        features = {name: tf.constant(column, tf.string, [len(chosen), 1]) for name, column in columns.items()}
        tokens = transform.transform_features_layer()(features)
        ids = [
            tf.RaggedTensor.from_sparse(tokens[name]) for name in ((TOKEN_IDS, SEGMENT_IDS) if pair else (TOKEN_IDS,))
        ]
        probabilities = without_columns(tf.sigmoid(model(encoder_inputs(*ids), training=False)), retired)
    return Reference(texts=texts, text_pairs=pairs if pair else None, probabilities=probabilities.numpy().tolist())


def _spelled(ids: NDArray[np.int32], vocabulary: Sequence[str], special: Sequence[str]) -> str:
    """The words that the pieces are of; of special tokens, none."""
    pieces = (vocabulary[number] for number in ids)
    return " ".join(piece for piece in pieces if piece not in special).replace(" ##", "")
