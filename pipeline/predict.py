"""Asks a pushed model, as a server would, with nothing but TensorFlow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.registry import latest, read_record
from schema.errors import Refused


@dataclass(frozen=True)
class LabelPrediction:
    """One label's answer: its probability, the threshold, and whether it is given."""

    name: str
    probability: float
    threshold: float

    @property
    def given(self) -> bool:
        return self.probability > self.threshold


@dataclass(frozen=True)
class TextPrediction:
    """A text's labels, most probable first."""

    text: str
    labels: tuple[LabelPrediction, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "labels": [label.name for label in self.labels if label.given],
            "probabilities": {label.name: round(label.probability, 6) for label in self.labels},
        }


def predict_texts(model: Path, texts: Sequence[str]) -> list[TextPrediction]:
    """Classifies texts with the model's `serve_text` signature.

    Args:
        model: A version directory, or a registry: then its newest version.
        texts: At least one.

    Raises:
        Refused: There is no model there.
    """
    directory = _version_directory(model)
    record = read_record(str(directory))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    serve = tf.saved_model.load(str(directory)).signatures["serve_text"]
    probabilities = serve(texts=tf.constant(list(texts)))["probabilities"].numpy()
    return [
        TextPrediction(text, tuple(sorted(
            (LabelPrediction(*answer) for answer in zip(record.labels, row.tolist(), record.thresholds, strict=True)),
            key=lambda label: -label.probability,
        )))
        for text, row in zip(texts, probabilities, strict=True)
    ]  # fmt: skip


def _version_directory(model: Path) -> Path:
    if (model / "saved_model.pb").is_file():
        return model
    newest = latest(str(model))
    if newest is None:
        raise Refused(f"{model}: no model there; give a version directory or the registry that holds some")
    return Path(newest.path)
