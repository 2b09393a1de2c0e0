"""Probabilities that the model gave in the Trainer's process, which the exported model must give again.

`reference.json` is in the Trainer's Model artifact, beside the folder of the SavedModel. It is never in that folder
itself, where TensorFlow Serving would look for warm-up requests (`assets.extra/`): the texts are rows of the eval
split, and what is in the folder goes to the registry and to every server. Needs no TensorFlow.
"""

from typing import ClassVar

from components.common.record import Record


class Reference(Record):
    """Batch of texts and their probabilities.

    Attributes:
        texts: Texts spelled from the token ids that the model was evaluated on: truncated, and in lower case if the
            model reads lower case.
        text_pairs: Second text of each; None if the model takes single texts.
        probabilities: [n, n_labels], float32 each, in the order of the model's labels.
    """

    FILE: ClassVar = "reference.json"

    texts: list[str]
    text_pairs: list[str] | None = None
    probabilities: list[list[float]]

    @property
    def rows(self) -> list[tuple[bytes, bytes]]:
        """Both texts of each row; the second is empty for models of single texts."""
        seconds = self.text_pairs or [""] * len(self.texts)
        return [(first.encode(), second.encode()) for first, second in zip(self.texts, seconds, strict=True)]
