"""What the Trainer's own model said of some texts, for the canary to hear the exported one say again.

`reference.json` lies in the Trainer's Model artifact beside the folder of the SavedModel, never inside it, where
TensorFlow Serving would look for warm-up requests (`assets.extra/`): the texts are rows of the eval split, and what is
inside goes to the registry and to every server. The artifacts hold all rows anyway. Needs no TensorFlow.
"""

from components.common.files import read_bytes, write_whole
from components.common.settings import Settings

_FILE = "reference.json"


class Reference(Settings):
    """A batch and its probabilities.

    Attributes:
        texts: spelled from the token ids that the model was evaluated on: cut, and in lower case where it reads so.
        text_pairs: the second text of each, None where the model takes single texts.
        probabilities: [n, n_labels], float32 each, in the order of the model's labels.
    """

    texts: list[str]
    text_pairs: list[str] | None = None
    probabilities: list[list[float]]

    @property
    def rows(self) -> list[tuple[bytes, bytes]]:
        """Both texts of each row, the second blank where there is none."""
        seconds = self.text_pairs or [""] * len(self.texts)
        return [(first.encode(), second.encode()) for first, second in zip(self.texts, seconds, strict=True)]


def write_reference(model_uri: str, reference: Reference) -> None:
    """Writes the batch into a Model artifact."""
    write_whole(f"{model_uri}/{_FILE}", f"{reference.model_dump_json()}\n".encode())


def read_reference(model_uri: str) -> Reference | None:
    """The batch of a Model artifact, None where its Trainer left none."""
    try:
        return Reference.model_validate_json(read_bytes(f"{model_uri}/{_FILE}"))
    except FileNotFoundError:
        return None
