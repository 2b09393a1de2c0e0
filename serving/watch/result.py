"""`watch.json`: what a look at the answers has found. Needs no TensorFlow."""

from typing import ClassVar

from pydantic import Field

from components.common.record import Record, Value

TRAINING, BEFORE = "training", "window before"


class Distance(Value):
    """Distance of one feature of the answers from the same feature of something else.

    Attributes:
        feature: labels, text_length, `probability of LABEL`, `slice COLUMN`, language, unknown_pieces, blank or cut.
        compared_with: training, or window before.
        measure: l_infinity, jensen_shannon, or rise (of a mean share).
        value: The distance.
        bound: Greatest value that is no drift.
        words: What is behind it, in one sentence.
    """

    feature: str
    compared_with: str
    measure: str
    value: float
    bound: float
    words: str

    @property
    def has_drifted(self) -> bool:
        return self.value > self.bound

    @property
    def sentence(self) -> str:
        """The distance as a sentence.

        Example:
            >>> Distance(feature="labels", compared_with=TRAINING, measure="l_infinity", value=0.234, bound=0.1,
            ...          words="'refund' is given to 40% of texts, 12% in the training data").sentence
            "labels: 'refund' is given to 40% of texts, 12% in the training data (l_infinity 0.234, bound 0.1)"
        """
        return f"{self.feature}: {self.words} ({self.measure} {self.value:.3g}, bound {self.bound:g})"


class WatchedModel(Value):
    """Answers of one model in the window.

    Attributes:
        model_id: Its id.
        version: Its version in the registry.
        rows: Rows that it answered in the window.
        rows_before: Rows that it answered in the window before.
        distances: Distances from both, as far as they could be measured.
        label_rates: Share of the texts that each label was given to.
        means: Mean share of unknown word pieces, of blank and of cut texts, and mean length, as far as they are known.
        notes: What could not be compared, and why.
    """

    model_id: str
    version: int | None = None
    rows: int
    rows_before: int = 0
    distances: list[Distance] = Field(default=[])
    label_rates: dict[str, float] = Field(default={})
    means: dict[str, float] = Field(default={})
    notes: list[str] = Field(default=[])


class WatchResult(Record):
    """What a look at the answers of a window has found.

    Attributes:
        start: Start of the window, ISO 8601.
        end: Its end.
        models: The models that answered, the one with the most rows first.
    """

    FILE: ClassVar = "watch.json"

    start: str
    end: str
    models: list[WatchedModel] = Field(default=[])

    @property
    def drifted(self) -> list[Distance]:
        """Distances above their bounds."""
        return [each for model in self.models for each in model.distances if each.has_drifted]
