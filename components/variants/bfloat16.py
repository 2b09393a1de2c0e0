"""Variant bfloat16: a SavedModel with the full model's signatures, its matrices in bfloat16."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.canary.trial import Form
from components.preprocessing.features import SEGMENT_IDS, TOKEN_IDS
from components.trainer.bfloat16_classifier import BFloat16Classifier
from components.trainer.export import export_classifier, zero_columns
from components.variants.making import Predict, Probabilities, Source, in_batches
from schema.features import TEXT, TEXT_PAIR

_ARGUMENTS = {TEXT: "texts", TEXT_PAIR: "text_pairs"}
# Of a fresh process from this one, which computes the same: as far as threads may add up in another order.
_TOLERANCE = 1e-3


class BFloat16Maker:
    """Maker of the variant; see `components.variants.making.Maker`."""

    form = Form(tolerance=_TOLERANCE)
    equals_full = False

    def __init__(self, source: Source) -> None:
        self._source = source

    def predict_unfinished(self) -> Predict:
        """Return the function that thresholds are chosen for."""
        source = self._source
        classifier, layer = BFloat16Classifier(source.model), source.transform.transform_features_layer()

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def infer(columns: dict[str, tf.Tensor]) -> tf.Tensor:
            outputs = layer({name: column[:, tf.newaxis] for name, column in columns.items()})
            names = (TOKEN_IDS, SEGMENT_IDS) if TEXT_PAIR in columns else (TOKEN_IDS,)
            ids = [tf.RaggedTensor.from_sparse(outputs[name]) for name in names]
            return zero_columns(classifier(*ids), source.labels.retired_indices)

        def predict(texts: Sequence[str], pairs: Sequence[str]) -> Probabilities:
            with tf.device("/CPU:0"):
                probabilities: Probabilities = infer(_columns(texts, pairs)).numpy()
            return probabilities

        return in_batches(predict)

    def write(self, folder: Path, thresholds: NDArray[np.float32]) -> None:
        """Write the SavedModel into a folder, which must not exist."""
        source = self._source
        export_classifier(
            source.model,
            source.transform,
            source.record.labels,
            thresholds,
            str(folder),
            retired=source.labels.retired_indices,
            ancestors=source.labels.ancestor_indices,
            vocabulary=source.vocabulary if source.settings.training.export.explain else (),
            serving=BFloat16Classifier,
        )

    def load(self, folder: Path) -> Predict:
        """Load the variant and return its signature serve_text as a function."""
        with tf.device("/CPU:0"):
            model = tf.saved_model.load(str(folder))

        def predict(texts: Sequence[str], pairs: Sequence[str]) -> Probabilities:
            columns = {_ARGUMENTS[name]: column for name, column in _columns(texts, pairs).items()}
            with tf.device("/CPU:0"):
                probabilities: Probabilities = model.signatures["serve_text"](**columns)["probabilities"].numpy()
            return probabilities

        return in_batches(predict)


def _columns(texts: Sequence[str], pairs: Sequence[str]) -> dict[str, tf.Tensor]:
    columns = {TEXT: texts, TEXT_PAIR: pairs} if pairs else {TEXT: texts}
    return {name: tf.constant(list(column), tf.string) for name, column in columns.items()}
