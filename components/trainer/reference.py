"""Reference predictions: probabilities of a few texts, computed by the process that trained the model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from components.canary.reference import Reference
from components.checkpoints.find import Checkpoint
from components.checkpoints.vocabulary import read_vocabulary
from components.preprocessing.features import SEGMENT_IDS, TOKEN_IDS
from components.trainer.decision_scores import obey_implications
from components.trainer.export import zero_columns
from components.trainer.input_pipeline import encoder_inputs
from schema.features import TEXT, TEXT_PAIR

_INPUTS = ("token_ids", "padding_mask", "segment_ids")
_TEXTS = 32
_BATCHES = 8  # batches of the eval split that texts are chosen from


def make_reference(
    model: Any,
    transform: tft.TFTransformOutput,
    evaluation: tf.data.Dataset,
    checkpoint: Checkpoint,
    retired: Sequence[int] = (),
    *,
    thresholds: NDArray[np.float32] | None = None,
    ancestors: Mapping[int, Sequence[int]] | None = None,
) -> Reference:
    """Decode texts from the token ids of eval rows and predict them.

    The rows' own texts are not in transformed examples. Predictions are made on the CPU even if there is a GPU, whose
    float32 arithmetic may have a tenth of the digits (TF32).

    Args:
        model: Classifier as it is exported: in float32, calibrated.
        transform: Transform graph.
        evaluation: Batches from `length_grouped_batches`.
        checkpoint: Checkpoint whose vocabulary the token ids are of.
        retired: Columns of retired labels, whose probability is always 0.
        thresholds: float32 [n_labels]; needed if labels imply others.
        ancestors: Columns of the labels that a label implies, directly or through others, by its column.
    """
    pair = SEGMENT_IDS in transform.transformed_feature_spec()
    texts, text_pairs = _decode_texts(evaluation, checkpoint)
    with tf.device("/CPU:0"):
        columns = {TEXT: texts} | ({TEXT_PAIR: text_pairs} if pair else {})
        features = {name: tf.constant(column, tf.string, [len(texts), 1]) for name, column in columns.items()}
        tokens = transform.transform_features_layer()(features)
        ids = [
            tf.RaggedTensor.from_sparse(tokens[name]) for name in ((TOKEN_IDS, SEGMENT_IDS) if pair else (TOKEN_IDS,))
        ]
        probabilities = zero_columns(tf.sigmoid(model(encoder_inputs(*ids), training=False)), retired)
        if ancestors and thresholds is not None:
            probabilities = obey_implications(probabilities, thresholds, ancestors)
    return Reference(texts=texts, text_pairs=text_pairs if pair else None, probabilities=probabilities.numpy().tolist())


def _decode_texts(evaluation: tf.data.Dataset, checkpoint: Checkpoint) -> tuple[list[str], list[str]]:
    """Return first and second texts of rows that are spread over the first batches."""
    with tf.device("/CPU:0"):
        batches = [[inputs[name].numpy() for name in _INPUTS] for inputs, _ in evaluation.take(_BATCHES)]
    rows = [row for batch in batches for row in zip(*batch, strict=True)]
    chosen = rows[:: max(1, len(rows) // _TEXTS)][:_TEXTS]
    special = checkpoint.tokenization.special_tokens
    vocabulary = read_vocabulary(str(checkpoint.vocabulary), special)
    texts, text_pairs = (
        [_decode(ids[(mask == 1) & (segments == segment)], vocabulary, special) for ids, mask, segments in chosen]
        for segment in (0, 1)
    )
    return texts, text_pairs


def _decode(ids: NDArray[np.int32], vocabulary: Sequence[str], special: Sequence[str]) -> str:
    """Return the words of token ids, without special tokens."""
    pieces = (vocabulary[token_id] for token_id in ids)
    return " ".join(piece for piece in pieces if piece not in special).replace(" ##", "")
