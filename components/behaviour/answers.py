"""Answers of an exported model to the questions of behavioural tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

from components.behaviour.cases import Question
from components.behaviour.results import WrongLabel
from components.common.progress import PROGRESS
from components.registry import ModelRecord

_BATCH_SIZE = 256


@dataclass(frozen=True)
class Answers:
    """Answers of one model.

    Attributes:
        model: The model's record, with labels and thresholds.
        probabilities: float32 [n_labels] for every (text, second text or None) of a question.
    """

    model: ModelRecord
    probabilities: Mapping[tuple[str, str | None], npt.NDArray[np.float32]]

    def probabilities_of(self, question: Question) -> npt.NDArray[np.float32]:
        """Return the probabilities of all labels, float32 [n_labels]."""
        return self.probabilities[question.text, question.text_pair]

    def labels_given(self, question: Question) -> list[str]:
        """Return the labels above their thresholds, compared in single precision as in the exported graph."""
        above = self.probabilities_of(question) > np.asarray(self.model.thresholds, np.float32)
        return [label for label, is_given in zip(self.model.outputs, above.tolist(), strict=True) if is_given and label]

    def wrong_label(self, question: Question, label: str, original: Question | None = None) -> WrongLabel:
        """Describe a label that is wrongly given or wrongly not given.

        Args:
            question: The question.
            label: The label.
            original: The question before an edit; None if there is none.
        """
        index = self.model.labels.index(label)
        return WrongLabel(
            label=label,
            must_be_given=label not in self.labels_given(question),
            probability=float(self.probabilities_of(question)[index]),
            threshold=self.model.thresholds[index],
            before=None if original is None else float(self.probabilities_of(original)[index]),
        )


def ask_model(model_dir: str, questions: Sequence[Question]) -> Answers:
    """Run the `serve_text` signature of a SavedModel on questions, each distinct text once, in batches."""
    model = tf.saved_model.load(model_dir)
    serve = model.signatures["serve_text"]
    distinct = list(dict.fromkeys((question.text, question.text_pair) for question in questions))
    probabilities: dict[tuple[str, str | None], np.ndarray] = {}
    for start in range(0, len(distinct), _BATCH_SIZE):
        batch = distinct[start : start + _BATCH_SIZE]
        columns = {"texts": tf.constant([text for text, _ in batch])}
        if batch[0][1] is not None:
            columns["text_pairs"] = tf.constant([pair for _, pair in batch])
        outputs = serve(**columns)["probabilities"].numpy()
        probabilities |= dict(zip(batch, outputs, strict=True))
        PROGRESS.info("%d of %d texts", min(start + _BATCH_SIZE, len(distinct)), len(distinct))
    return Answers(ModelRecord.read(model_dir), probabilities)
