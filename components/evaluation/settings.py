"""What a user may say about the evaluation."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from components.common.settings import Settings
from components.evaluation.gates.gate import parse_gate
from components.evaluation.metrics.slicing import BUCKETED, UNNAMED_COLUMNS, Slicing, columns_of, slicing_of
from schema.errors import Refused
from schema.features import LABELS


class EvaluationSettings(Settings):
    """What is measured on the test split, and what the model must reach to go live."""

    slices: list[str] = Field(
        default=[],
        description=(
            "Features by whose values everything is measured once more, such as language or channel; or two of them, "
            "language*channel: by each pair of values."
        ),
    )
    label_slices: bool = Field(
        default=True,
        description="Whether to measure everything once more on the examples of each label.",
    )
    length_slices: list[int] = Field(
        default=[50, 100, 200, 500, 1000],
        description=(
            "And once more by the length of the text in characters (in pairs: of both): where each slice but the first "
            "begins. [] for none."
        ),
    )
    min_support: int = Field(
        default=50,
        ge=0,
        description="A slice with fewer examples is shown, but no gate is asked of it.",
    )
    gates: list[str] = Field(
        description=(
            "Bounds that a model must keep to be blessed and pushed: 'macro_f1 >= 0.45', 'f1[refund] >= 0.6', "
            "'macro_f1 >= baseline - 0.01', 'f1[*] >= baseline - 0.05 where support >= 50', 'auc in language=zh >= "
            "0.8', 'hamming_loss <= 0.1'. [] says that nothing is asked: every model is blessed."
        ),
    )
    broken_baseline: Literal["set_aside", "stop"] = Field(
        default="set_aside",
        description=(
            "Of a last blessed model that cannot be loaded or evaluated any more. set_aside: the gates against it are "
            "not asked, and the summary says so; stop: the run ends, until someone decides."
        ),
    )

    @property
    def slicing(self) -> Slicing:
        """The slices as the rest of the project takes them."""
        return slicing_of(self.slices, label_slices=self.label_slices, length_slices=self.length_slices)

    @property
    def slice_columns(self) -> list[str]:
        """The features that `slices` names, but for those that every example has anyway."""
        named = [column for each in self.slices for column in columns_of(each)]
        return [column for column in dict.fromkeys(named) if column not in UNNAMED_COLUMNS]

    @field_validator("gates")
    @classmethod
    def _gates_can_be_read(cls, gates: list[str]) -> list[str]:
        for gate in gates:
            try:
                parse_gate(gate)
            except Refused as refused:
                raise ValueError(str(refused)) from None
        return gates

    @field_validator("slices")
    @classmethod
    def _slices_are_features(cls, slices: list[str]) -> list[str]:
        columns = [columns_of(each) for each in slices]
        if any(LABELS in each for each in columns):
            raise ValueError(f"slices by label are had with label_slices, not by naming {LABELS!r}")
        if len(set(columns)) < len(columns):
            raise ValueError("a feature, or a pair of them, is named twice")
        return slices

    @field_validator("length_slices")
    @classmethod
    def _lengths_rise(cls, lengths: list[int]) -> list[int]:
        if any(length < 1 for length in lengths) or lengths != sorted(set(lengths)):
            raise ValueError("lengths must be greater than 0, and rise")
        return lengths

    @model_validator(mode="after")
    def _lengths_are_bucketed(self) -> Self:
        if not self.length_slices and any(BUCKETED in columns_of(each) for each in self.slices):
            raise ValueError(f"slices by {BUCKETED} need length_slices, which says where each begins")
        return self
