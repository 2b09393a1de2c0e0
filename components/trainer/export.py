"""Export of the SavedModel that is evaluated, pushed and served. It takes texts and needs nothing but TensorFlow.

Signatures:
    serving_default: {examples: string [n]} serialized tf.Examples -> {probabilities: float32 [n, n_labels]}.
    serve_text: {texts: string [n]} -> {probabilities: float32 [n, n_labels], labels: string [n, n_labels]}, the labels
        above their thresholds first, the rest of the row filled with empty strings.
    transform_features: {examples: string [n]} -> {labels_multi_hot: float32 [n, n_labels],
        token_ids: int64 [n, longest]}, padded with zeros: what the model was trained on.
    evaluation: {examples: string [n]} -> {decision_scores: float32 [n, n_labels]}, see `decision_scores`.

In all of them, a label's probability is at most its threshold where one that it implies is not given: see
`obey_implications`.

    explain, if asked for: {texts, labels: string [n]} -> {pieces: string [n, longest], attributions: float32
        [n, longest], logits, baseline_logits: float32 [n], steps: int32 [n]}: how much each word piece adds to a
        label's logit, padded with empty strings and zeros, see `components.trainer.integrated_gradients`.

A model of pairs also reads `text_pair` from the examples; its serve_text and explain take text_pairs: string [n] too,
and its transform_features returns segment_ids: int64 [n, longest] as well. A second text may be blank.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.explanation.explanation import SIGNATURE as EXPLAIN_SIGNATURE
from components.preprocessing import features as transformed
from components.trainer.decision_scores import decision_scores, obey_implications
from components.trainer.integrated_gradients import integrated_gradients
from components.trainer.serving_classifier import ServingClassifier
from components.trainer.warmup import write_warmup
from components.trainer.windowed_serving import serving_classifier
from schema.features import LABELS, SOFT_LABELS, SOFT_SCORES, TEXT, TEXT_PAIR, UNKNOWN_LABELS


def export_classifier(
    model: Any,
    transform: tft.TFTransformOutput,
    labels: Sequence[str],
    thresholds: np.ndarray,
    directory: str,
    *,
    retired: Sequence[int] = (),
    ancestors: Mapping[int, Sequence[int]] | None = None,
    vocabulary: Sequence[str] = (),
    serving: Callable[[Any], ServingClassifier] = serving_classifier,
) -> None:
    """Write the SavedModel.

    Args:
        model: Classifier from `components.trainer.model.build_classifier`, or a `WindowedClassifier` of one.
        transform: Transform graph. It becomes part of the export, so that serving tokenizes like training.
        labels: Label list.
        thresholds: float32 [n_labels].
        directory: Directory of the export, which must not exist.
        retired: Columns of retired labels, whose probability is always 0.
        ancestors: Columns of the labels that a label implies, directly or through others, by its column.
        vocabulary: Tokens in the order of their ids, for the signature explain; empty to leave that out.
        serving: Function from the model to the form in which it is served.
    """
    archive = keras.export.ExportArchive()
    # The Keras model is not tracked itself: Keras would store each of its weights twice.
    classifier = serving(model)
    archive.track(classifier)
    endpoints = _Endpoints(classifier, transform, labels, thresholds, retired, ancestors or {})
    archive.track(endpoints.transform_layer)
    signatures = [
        (endpoints.serving_default, ["examples"]),
        (endpoints.serve_text, list(endpoints.text_columns.values())),
        (endpoints.transform_features, ["examples"]),
        (endpoints.evaluation, ["examples"]),
    ]
    if vocabulary:
        signatures.append((partial(endpoints.explain, vocabulary), [*endpoints.text_columns.values(), "labels"]))
    for endpoint, arguments in signatures:
        signature = [tf.TensorSpec([None], tf.string, name=argument) for argument in arguments]
        archive.add_endpoint(getattr(endpoint, "__name__", EXPLAIN_SIGNATURE), endpoint, signature)
    archive.write_out(directory, verbose=False)
    write_warmup(directory, list(endpoints.text_columns.values()))


class _Endpoints:
    """Functions of the signatures, described in the module's docstring.

    Attributes:
        transform_layer: Layer of the transform graph.
        text_columns: Argument of serve_text by text column.
    """

    def __init__(
        self,
        classifier: ServingClassifier,
        transform: tft.TFTransformOutput,
        labels: Sequence[str],
        thresholds: np.ndarray,
        retired: Sequence[int],
        ancestors: Mapping[int, Sequence[int]],
    ) -> None:
        raw_spec = transform.raw_feature_spec()
        pair = transformed.SEGMENT_IDS in transform.transformed_feature_spec()
        self.transform_layer = transform.transform_features_layer()
        self.text_columns = {TEXT: "texts", TEXT_PAIR: "text_pairs"} if pair else {TEXT: "texts"}
        self._token_names = (transformed.TOKEN_IDS, transformed.SEGMENT_IDS) if pair else (transformed.TOKEN_IDS,)
        self._text_spec = {name: raw_spec[name] for name in self.text_columns}
        self._labeled_spec = self._text_spec | {
            name: raw_spec[name] for name in (LABELS, UNKNOWN_LABELS, SOFT_LABELS, SOFT_SCORES) if name in raw_spec
        }
        self._classifier, self._retired, self._ancestors = classifier, retired, ancestors
        self._limits = np.asarray(thresholds, np.float32)
        self._thresholds = tf.constant(thresholds, tf.float32)
        self._names = tf.constant(list(labels))

    def _tokens(self, features: dict[str, tf.Tensor]) -> list[tf.RaggedTensor]:
        """Return token ids and, of pairs, segment ids, each ragged int [n, None]."""
        outputs = self.transform_layer(features)
        return [tf.RaggedTensor.from_sparse(outputs[name]) for name in self._token_names]

    def _text_features(self, texts: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
        return {name: column[:, tf.newaxis] for name, column in zip(self.text_columns, texts, strict=True)}

    def _probabilities(self, features: dict[str, tf.Tensor]) -> tf.Tensor:
        token_ids, *segment_ids = self._tokens(features)
        probabilities = zero_columns(self._classifier(token_ids, *segment_ids), self._retired)
        return obey_implications(probabilities, self._limits, self._ancestors)

    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": self._probabilities(tf.io.parse_example(examples, self._text_spec))}

    def serve_text(self, *texts: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._probabilities(self._text_features(texts))
        return {"probabilities": probabilities, "labels": _labels_above(probabilities, self._thresholds, self._names)}

    def explain(self, vocabulary: Sequence[str], *arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        *texts, labels = arguments
        is_label = labels[:, tf.newaxis] == self._names
        tf.debugging.assert_equal(tf.reduce_any(is_label, axis=1), True, "labels: one is not a label of the model")
        token_ids, *segment_ids = self._tokens(self._text_features(texts))
        columns = tf.argmax(tf.cast(is_label, tf.int32), axis=1, output_type=tf.int32)
        found = integrated_gradients(self._classifier, token_ids, segment_ids[0] if segment_ids else None, columns)
        return {
            "pieces": tf.gather(tf.constant(list(vocabulary)), token_ids).to_tensor(""),
            "attributions": found.values.to_tensor(0.0),
            "logits": found.logits,
            "baseline_logits": found.baseline_logits,
            "steps": found.steps,
        }

    def transform_features(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = self.transform_layer(tf.io.parse_example(examples, self._labeled_spec))
        return {
            transformed.LABELS: features[transformed.LABELS],
            **{name: tf.sparse.to_dense(features[name]) for name in self._token_names},
        }

    def evaluation(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self.serving_default(examples)["probabilities"]
        return {"decision_scores": decision_scores(probabilities, self._thresholds)}


def zero_columns(values: tf.Tensor, columns: Sequence[int]) -> tf.Tensor:
    """Set columns of a float tensor [n, n_columns] to zero.

    Args:
        values: Tensor, returned as it is if there are no columns.
        columns: Indices of the columns.
    """
    if not columns:
        return values
    is_kept = np.ones(values.shape[-1], bool)
    is_kept[list(columns)] = False
    return tf.where(is_kept, values, tf.zeros_like(values))


def _labels_above(probabilities: tf.Tensor, thresholds: tf.Tensor, names: tf.Tensor) -> tf.Tensor:
    """Return the names of labels above their thresholds, the most probable first, padded with empty strings.

    Args:
        probabilities: float32 [n, n_labels].
        thresholds: float32 [n_labels].
        names: string [n_labels].

    Returns:
        string [n, n_labels].
    """
    order = tf.argsort(probabilities, direction="DESCENDING", stable=True)
    is_above = tf.gather(probabilities > thresholds, order, batch_dims=1)
    above_first = tf.argsort(tf.cast(is_above, tf.int32), direction="DESCENDING", stable=True)
    order, is_above = tf.gather(order, above_first, batch_dims=1), tf.gather(is_above, above_first, batch_dims=1)
    return tf.where(is_above, tf.gather(names, order), "")
