"""Prediction with a pushed model, as a server would do it, with nothing but TensorFlow."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.memory import check_memory
from components.common.stderr import quiet
from components.registry import ModelRecord, find_model
from schema.errors import Refused

_FEW_TEXTS = 32


@dataclass(frozen=True)
class LabelPrediction:
    """Prediction of one label.

    Attributes:
        name: The label.
        probability: Its probability, between 0 and 1.
        threshold: Probability above which the label is given.
    """

    name: str
    probability: float
    threshold: float

    @property
    def given(self) -> bool:
        """True if the probability is above the threshold."""
        return self.probability > self.threshold


@dataclass(frozen=True)
class TextPrediction:
    """Prediction of a text or of a pair of texts.

    Attributes:
        text: The text.
        text_pair: The second text; None if the model takes single texts.
        labels: Predictions of the labels in use, by falling probability.
    """

    text: str
    text_pair: str | None
    labels: tuple[LabelPrediction, ...]

    def probability_of(self, label: str) -> float:
        """Return the probability of a label in use."""
        return next(each.probability for each in self.labels if each.name == label)

    def as_json(self) -> dict[str, Any]:
        """Return the prediction as plain JSON: the text, its labels, and the probabilities of all labels."""
        return {
            "text": self.text,
            **({} if self.text_pair is None else {"text_pair": self.text_pair}),
            "labels": [label.name for label in self.labels if label.given],
            "probabilities": {label.name: round(label.probability, 6) for label in self.labels},
        }


def chosen_texts(texts: Sequence[str], file: str | None, pairs: Sequence[str] = ()) -> Sequence[str]:
    """Return the texts to classify: those of the command line, or the lines of a file that are not blank.

    Args:
        texts: Texts of the command line; empty if there is a file.
        file: UTF-8 file with one text per line; "-" for standard input; None if there are texts.
        pairs: Second texts of the command line, which a file does not go with.

    Raises:
        Refused: There are both texts and a file, or neither; or the file has no text, or cannot be read as UTF-8.
    """
    if (file is None) == (not texts):
        raise Refused("give either --text, once for each text, or --file with one text per line")
    if file is None:
        return texts
    if pairs:
        raise Refused("--file holds single texts; give pairs as --text and --text-pair")
    name = "standard input" if file == "-" else file
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        # Not splitlines(), which also splits at characters within a text, such as U+2028.
        lines = content.decode("utf-8-sig").split("\n")
    except OSError as error:
        raise Refused(f"{name}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise Refused(f"{name}:{number}: is not UTF-8; save the file as UTF-8") from None
    found = [line.removesuffix("\r") for line in lines if line.strip()]
    if not found:
        raise Refused(f"{name}: has no text; write one per line")
    return found


def predict_texts(model: str, texts: Sequence[str], pairs: Sequence[str] = ()) -> list[TextPrediction]:
    """Classify texts with a model's `serve_text` signature.

    Args:
        model: A version's directory, or a registry, which stands for its newest version; a path or a gs:// address.
        texts: At least one text.
        pairs: The second text of each, if the model was trained on pairs; otherwise empty.

    Returns:
        The prediction of each text, in order.

    Raises:
        Refused: There is no model, or texts and pairs do not fit it.
    """
    check_numbers(texts, pairs)
    directory = find_model(model)
    record = ModelRecord.read(directory)
    with quiet_tensorflow():
        return predict_loaded(directory, record, load(directory), texts, pairs)


def check_numbers(texts: Sequence[str], pairs: Sequence[str]) -> None:
    """Check that there is a second text for each text, or none at all.

    Raises:
        Refused: There are others.
    """
    if pairs and len(pairs) != len(texts):
        raise Refused(f"--text is given {len(texts)} times, --text-pair {len(pairs)} times; give one of each per pair")


def predict_loaded(
    directory: str, record: ModelRecord, loaded: Any, texts: Sequence[str], pairs: Sequence[str]
) -> list[TextPrediction]:
    """Classify texts with a model from `load`, see `predict_texts`."""
    rows = _probabilities(directory, loaded, texts, pairs)
    seconds: Sequence[str | None] = pairs or [None] * len(texts)
    return [
        TextPrediction(text, second, _rank_labels(record, probabilities))
        for text, second, probabilities in zip(texts, seconds, rows, strict=True)
    ]


@contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Keep what TensorFlow logs from the terminal; if the block fails, print it before the error."""
    # Not all of its C++ code follows TF_CPP_MIN_LOG_LEVEL, so stderr is redirected as well.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow imports Keras, which the model does not need. Keras 2, unlike 3, imports neither scikit-learn nor
    # matplotlib: a second of processor time less.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    check_memory(tfx=False)
    with quiet(shown_after=BaseException):
        yield


def load(directory: str) -> Any:
    """Load an exported model, whose `signatures` are functions by name."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

    return tf.saved_model.load(directory)


def _probabilities(directory: str, loaded: Any, texts: Sequence[str], pairs: Sequence[str]) -> list[list[float]]:
    """Return the probabilities of the labels for each text.

    Raises:
        Refused: The model takes pairs, and there are none, or the reverse.
    """
    import tensorflow as tf

    serve = loaded.signatures["serve_text"]
    _check_pairs(directory, pairs, takes_pairs="text_pairs" in serve.structured_input_signature[1])
    columns = {"texts": texts, "text_pairs": pairs} if pairs else {"texts": texts}
    with _unoptimized(tf.config.optimizer, len(texts) <= _FEW_TEXTS):
        outputs = serve(**{name: tf.constant(list(column)) for name, column in columns.items()})
    rows: list[list[float]] = outputs["probabilities"].numpy().tolist()
    return rows


@contextmanager
def _unoptimized(optimizer: Any, unoptimized: bool) -> Iterator[None]:
    """Keep TensorFlow from optimizing the graph before its first call, which takes longer than a few texts."""
    if unoptimized:
        optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        if unoptimized:
            optimizer.set_experimental_options({"disable_meta_optimizer": False})


def _check_pairs(directory: str, pairs: Sequence[str], *, takes_pairs: bool) -> None:
    if takes_pairs and not pairs:
        raise Refused(
            f"{directory}: the model takes pairs of texts; add a --text-pair for each --text, in the same order (it may"
            " be empty)"
        )
    if pairs and not takes_pairs:
        raise Refused(f"{directory}: the model takes single texts; leave --text-pair out")


def _rank_labels(record: ModelRecord, probabilities: Sequence[float]) -> tuple[LabelPrediction, ...]:
    """Return the labels in use by falling probability."""
    predictions = [
        LabelPrediction(name, probability, threshold)
        for name, probability, threshold in zip(record.labels, probabilities, record.thresholds, strict=True)
        if name not in record.retired
    ]
    return tuple(sorted(predictions, key=lambda prediction: -prediction.probability))
