"""The SavedModel that is evaluated, pushed and served: raw text in, probabilities out, nothing but TensorFlow between.

Signatures:
    serving_default: {examples: string [n]} serialized tf.Examples -> {probabilities: float32 [n, n_labels]}.
    serve_text: {texts: string [n]} -> {probabilities: float32 [n, n_labels], labels: string [n, n_labels]}, the labels
        above their thresholds first, the rest of the row filled with empty strings.
    transform_features: {examples: string [n]} -> {labels_multi_hot: float32 [n, n_labels],
        token_ids: int64 [n, longest]}, padded with zeros: what the model was trained on.
    evaluation: {examples: string [n]} -> {decision_scores: float32 [n, n_labels]}, see `_decision_scores`.

A model of pairs reads `text_pair` from the examples too; its serve_text takes {texts, text_pairs: string [n]} and its
transform_features gives segment_ids: int64 [n, longest] as well. A second text may be blank.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.preprocessing import features as transformed
from components.trainer.input_pipeline import encoder_inputs
from schema.features import LABELS, TEXT, TEXT_PAIR

# Texts that go through the encoder at once. A caller may send thousands; their attention matrices must fit in memory.
_CHUNK = 64


def export_classifier(
    model: Any,
    transform: tft.TFTransformOutput,
    labels: Sequence[str],
    thresholds: np.ndarray,
    directory: str,
    *,
    retired: Sequence[int] = (),
) -> None:
    """Writes the SavedModel.

    Args:
        model: From `components.trainer.model.build_classifier`.
        transform: The transform graph; it is part of the export, so serving tokenizes as training did.
        labels: The label list.
        thresholds: float32 [n_labels].
        directory: Where to; must not exist.
        retired: Columns of labels that are not in use any more: their probability is 0, whatever the head says.
    """
    layer = transform.transform_features_layer()
    raw_spec = transform.raw_feature_spec()
    pair = transformed.SEGMENT_IDS in transform.transformed_feature_spec()
    columns = {TEXT: "texts", TEXT_PAIR: "text_pairs"} if pair else {TEXT: "texts"}
    token_names = (transformed.TOKEN_IDS, transformed.SEGMENT_IDS) if pair else (transformed.TOKEN_IDS,)
    text_spec = {name: raw_spec[name] for name in columns}
    labelled_spec = {**text_spec, LABELS: raw_spec[LABELS]}
    cuts = tf.constant(thresholds, tf.float32)
    names = tf.constant(list(labels))

    def probabilities_of(features: dict[str, tf.Tensor]) -> tf.Tensor:
        outputs = layer(features)
        token_ids, *segment_ids = (tf.RaggedTensor.from_sparse(outputs[name]) for name in token_names)
        return without_columns(predict_by_length(model, token_ids, len(labels), *segment_ids), retired)

    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": probabilities_of(tf.io.parse_example(examples, text_spec))}

    def serve_text(*texts: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {name: column[:, tf.newaxis] for name, column in zip(columns, texts, strict=True)}
        probabilities = probabilities_of(features)
        return {"probabilities": probabilities, "labels": _labels_above(probabilities, cuts, names)}

    def transform_features(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = layer(tf.io.parse_example(examples, labelled_spec))
        return {
            transformed.LABELS: features[transformed.LABELS],
            **{name: tf.sparse.to_dense(features[name]) for name in token_names},
        }

    def evaluation(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"decision_scores": _decision_scores(serving_default(examples)["probabilities"], cuts)}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.track(layer)
    for endpoint, arguments in (
        (serving_default, ["examples"]),
        (serve_text, list(columns.values())),
        (transform_features, ["examples"]),
        (evaluation, ["examples"]),
    ):
        signature = [tf.TensorSpec([None], tf.string, name=argument) for argument in arguments]
        archive.add_endpoint(endpoint.__name__, endpoint, signature)
    archive.write_out(directory, verbose=False)


def predict_by_length(
    model: Any, token_ids: tf.RaggedTensor, n_labels: int, segment_ids: tf.RaggedTensor | None = None
) -> tf.Tensor:
    """Probabilities float32 [n, n_labels] of ragged token ids [n, None], in their order; n may be 0.

    Segment ids [n, None] lie beside the token ids of pairs.

    Shortest texts first, a chunk at a time, each padded to its own longest: the cost and the memory of a large request
    follow its tokens, not its length times its longest text.
    """
    by_length = tf.argsort(token_ids.row_lengths(), stable=True)
    n_rows = tf.shape(by_length)[0]

    def one_chunk(start: tf.Tensor, done: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = by_length[start : start + _CHUNK]
        segments = None if segment_ids is None else tf.gather(segment_ids, rows)
        logits = model(encoder_inputs(tf.gather(token_ids, rows), segments), training=False)
        return start + _CHUNK, tf.concat([done, tf.cast(logits, tf.float32)], axis=0)

    _, logits = tf.while_loop(
        lambda start, _: start < n_rows,
        one_chunk,
        (tf.constant(0), tf.zeros([0, n_labels])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, n_labels])),
        parallel_iterations=1,
    )
    return tf.sigmoid(tf.gather(logits, tf.math.invert_permutation(by_length)))


def without_columns(values: tf.Tensor, columns: Sequence[int]) -> tf.Tensor:
    """Float [n, n_columns] with zeros in some columns; the tensor itself if there are none."""
    if not columns:
        return values
    kept = np.ones(values.shape[-1], bool)
    kept[list(columns)] = False
    return tf.where(kept, values, tf.zeros_like(values))


def _decision_scores(probabilities: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
    """Maps each label's probability so that its threshold comes to lie at 0.5, in two straight pieces.

    The order of scores within a label is that of the probabilities, so areas under curves are unchanged, while every
    metric at 0.5 becomes the metric at the label's own threshold: candidate and baseline each bring their own.
    A retired label, of probability 0 and threshold 1, scores 0.
    """
    below = 0.5 * probabilities / thresholds
    above = 0.5 + 0.5 * (probabilities - thresholds) / (1.0 - thresholds)
    # Rounding must not take a label that is given to 0.5 itself: what is measured is what is served.
    least_above = np.nextafter(np.float32(0.5), np.float32(1.0))
    return tf.where(probabilities > thresholds, tf.maximum(above, least_above), tf.minimum(below, 0.5))


def _labels_above(probabilities: tf.Tensor, thresholds: tf.Tensor, names: tf.Tensor) -> tf.Tensor:
    """String [n, n_labels]: the names of the labels that are given, most probable first, then empty strings."""
    order = tf.argsort(probabilities, direction="DESCENDING", stable=True)
    given = tf.gather(probabilities > thresholds, order, batch_dims=1)
    first_given = tf.argsort(tf.cast(given, tf.int32), direction="DESCENDING", stable=True)
    order, given = tf.gather(order, first_given, batch_dims=1), tf.gather(given, first_given, batch_dims=1)
    return tf.where(given, tf.gather(names, order), "")
