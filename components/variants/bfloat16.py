"""Variant bfloat16: a SavedModel with the full model's signatures, its matrices in bfloat16."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.canary.trial import Form
from components.trainer.bfloat16_classifier import BFloat16Classifier
from components.trainer.export import export_classifier
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
        # Exported, so that it is tokenized and computed as it will be served; the graph has any thresholds.
        record = self._source.record
        with tempfile.TemporaryDirectory() as folder:
            self._export(Path(folder, "model"), np.full(len(record.labels), 0.5, np.float32), {})
            return self.load(Path(folder, "model"))

    def write(self, folder: Path, thresholds: NDArray[np.float32]) -> None:
        """Write the SavedModel into a folder, which must not exist."""
        self._export(folder, thresholds, self._source.labels.ancestor_indices)

    def _export(self, folder: Path, thresholds: NDArray[np.float32], ancestors: Mapping[int, Sequence[int]]) -> None:
        source = self._source
        export_classifier(
            source.model,
            source.transform,
            source.record.labels,
            thresholds,
            str(folder),
            retired=source.labels.retired_indices,
            ancestors=ancestors,
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
