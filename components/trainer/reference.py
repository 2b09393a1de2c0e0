"""Reference predictions: probabilities of a few texts, computed by the process that trained the model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from components.canary.reference import Reference
from components.checkpoints.find import Checkpoint
from components.preprocessing.features import SEGMENT_IDS, TOKEN_IDS
from components.trainer.decision_scores import obey_implications
from components.trainer.decoding import decode_rows
from components.trainer.export import zero_columns
from components.trainer.input_pipeline import encoder_inputs
from schema.features import TEXT, TEXT_PAIR

_TEXTS = 32


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
    rows = decode_rows(evaluation, checkpoint, _TEXTS)
    texts, text_pairs = [row.text for row in rows], [row.text_pair for row in rows]
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
