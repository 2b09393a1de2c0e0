"""Asks a pushed model, as a server would, with nothing but TensorFlow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.common.files import exists
from components.registry import ModelRecord, latest
from schema.errors import Refused

_ASKS = {
    True: "pairs of texts; add a --text-pair for each --text, in their order (it may be empty)",
    False: "single texts; leave --text-pair out",
}


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
    """A text's labels, or a pair's, most probable first."""

    text: str
    text_pair: str | None
    labels: tuple[LabelPrediction, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            **({} if self.text_pair is None else {"text_pair": self.text_pair}),
            "labels": [label.name for label in self.labels if label.given],
            "probabilities": {label.name: round(label.probability, 6) for label in self.labels},
        }


def predict_texts(model: str, texts: Sequence[str], pairs: Sequence[str] = ()) -> list[TextPrediction]:
    """Classifies texts with the model's `serve_text` signature.

    Args:
        model: A version directory, or a registry: then its newest version; a path, or a gs:// address.
        texts: At least one.
        pairs: The second text of each, where the model was trained on pairs; none elsewhere.

    Raises:
        Refused: There is no model there, or it does not take so many texts.
    """
    if pairs and len(pairs) != len(texts):
        raise Refused(f"--text is given {len(texts)} times, --text-pair {len(pairs)} times; give one of each a pair")
    directory = _version_directory(model)
    record = ModelRecord.read(directory)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    serve = tf.saved_model.load(directory).signatures["serve_text"]
    takes_pairs = "text_pairs" in serve.structured_input_signature[1]
    if takes_pairs != bool(pairs):
        raise Refused(f"{directory}: the model takes {_ASKS[takes_pairs]}")
    columns = {"texts": texts, "text_pairs": pairs} if takes_pairs else {"texts": texts}
    served = serve(**{name: tf.constant(list(column)) for name, column in columns.items()})
    probabilities = served["probabilities"].numpy()
    second: Sequence[str | None] = pairs or [None] * len(texts)
    return [
        TextPrediction(text, pair, tuple(sorted(
            (
                LabelPrediction(*answer)
                for answer in zip(record.labels, row.tolist(), record.thresholds, strict=True)
                if answer[0] not in record.retired
            ),
            key=lambda label: -label.probability,
        )))
        for text, pair, row in zip(texts, second, probabilities, strict=True)
    ]  # fmt: skip


def _version_directory(model: str) -> str:
    if exists(f"{model}/saved_model.pb"):
        return model
    newest = latest(model)
    if newest is None:
        raise Refused(f"{model}: no model there; give a version directory or the registry that holds some")
    return newest.path
