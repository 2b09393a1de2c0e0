"""Making of variants: the weights of an exported model in another form."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the tokenizer's operations
import tensorflow_transform as tft
from numpy.typing import NDArray

from components.canary.trial import Form
from components.checkpoints.find import Checkpoint, find_checkpoint, load_backbone
from components.checkpoints.vocabulary import read_vocabulary
from components.common.progress import PROGRESS
from components.registry import ModelRecord
from components.trainer.model import build_classifier
from components.trainer.serving_classifier import keras_weights
from components.variants.settings import VariantsSettings
from schema.label_list import LabelList

_BATCH_SIZE = 64

Probabilities = NDArray[np.float32]
Predict = Callable[[Sequence[str], Sequence[str]], Probabilities]
"""Function from texts, and second texts or none, to probabilities, float32 [n, n_labels]."""


@dataclass(frozen=True)
class Source:
    """The model that variants are made of.

    Attributes:
        model: Its Keras model, in float32.
        record: Its record.
        checkpoint: Checkpoint that it was fine-tuned from.
        labels: Label list.
        transform: Transform graph.
        settings: Settings of the step.
    """

    model: Any
    record: ModelRecord
    checkpoint: Checkpoint
    labels: LabelList
    transform: tft.TFTransformOutput
    settings: VariantsSettings

    @classmethod
    def read(
        cls, model_dir: str, labels: LabelList, transform: tft.TFTransformOutput, settings: VariantsSettings
    ) -> Self:
        """Read the weights of an exported model back into a Keras model."""
        checkpoint, record = find_checkpoint(settings.checkpoint), ModelRecord.read(model_dir)
        backbone = load_backbone(checkpoint)
        model = build_classifier(backbone, len(record.labels), settings.training.dropout, record.pooling)
        exported = tf.saved_model.load(model_dir)
        weights = keras_weights(exported.signatures["serve_text"].variables, model.backbone.num_heads)
        assert weights is not None  # it was exported by the same code
        model.set_weights(weights)
        return cls(model, record, checkpoint, labels, transform, settings)

    @property
    def vocabulary(self) -> list[str]:
        """Tokens of the checkpoint in the order of their ids."""
        return read_vocabulary(str(self.checkpoint.vocabulary), self.checkpoint.tokenization.special_tokens)


class Maker(Protocol):
    """Maker of one kind of variant.

    Attributes:
        form: How the variant is tried.
        equals_full: Whether its probabilities are the full model's, within the tolerance of the form.
    """

    form: Form
    equals_full: bool

    def predict_unfinished(self) -> Predict:
        """Return the function that thresholds are chosen for: as `load`, before implications are obeyed."""

    def write(self, folder: Path, thresholds: NDArray[np.float32]) -> None:
        """Write the files of the variant, without its record, into a folder, which does not exist."""

    def load(self, folder: Path) -> Predict:
        """Load the variant from a folder, with its record, and return the function that a client calls."""


def in_batches(predict: Predict) -> Predict:
    """Return the function with any number of texts, which predicts 64 at a time and says how far it is."""

    def predict_all(texts: Sequence[str], pairs: Sequence[str]) -> Probabilities:
        parts = []
        for start in range(0, len(texts), _BATCH_SIZE):
            part = slice(start, start + _BATCH_SIZE)
            parts.append(predict(texts[part], pairs[part]))
            PROGRESS.info("%d of %d texts", min(start + _BATCH_SIZE, len(texts)), len(texts))
        return np.concatenate(parts)

    return predict_all
