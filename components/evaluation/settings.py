"""Settings of the evaluation: slices and gates."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from components.baseline.settings import BrokenBaseline
from components.common.settings import Settings
from components.evaluation.gates.gate import Gate
from components.evaluation.metrics.slicing import BUCKETED, UNNAMED_COLUMNS, Slicing, make_slicing, split_columns
from schema.features import LABELS

# Labels up to which label_slices: auto slices by each.
_MOST_SLICED_LABELS = 100


class EvaluationSettings(Settings):
    """What is measured on the test split, and the gates that a model must pass to go live."""

    slices: list[str] = Field(
        default=[],
        description=(
            "Columns to slice the test split by, such as language or channel: all metrics are computed for each of "
            "their values as well. language*channel slices by each pair of values."
        ),
    )
    label_slices: bool | Literal["auto"] = Field(
        default="auto",
        description="Whether to compute all metrics on the examples of each label as well. auto: with up to 100 labels,"
        " since time and memory grow with the square of their number.",
    )
    length_slices: list[int] = Field(
        default=[50, 100, 200, 500, 1000],
        description=(
            "Slices by the length of the text, in characters (of both texts of a pair): the lower bounds of all slices "
            "but the first, which begins at 0. [] for none."
        ),
    )
    min_support: int = Field(
        default=50,
        ge=0,
        description="Gates on a slice with fewer examples are not asked; its metrics are still reported.",
    )
    gates: list[Gate] = Field(
        description=(
            "Bounds that a model must keep to be blessed and pushed: 'macro_f1 >= 0.45', 'f1[refund] >= 0.6', "
            "'macro_f1 >= baseline - 0.01', 'f1[*] >= baseline - 0.05 where support >= 50', 'auc in language=zh >= "
            "0.8', 'hamming_loss <= 0.1'. [] for none: every model is blessed."
        ),
    )
    broken_baseline: BrokenBaseline = Field(
        default="set_aside",
        description=(
            "What to do if the last blessed model cannot be loaded or evaluated any more. set_aside: skip the gates "
            "against it, and note it in the summary; stop: end the run."
        ),
    )

    def slicing(self, n_labels: int) -> Slicing:
        """Return the configured slices, parsed.

        Args:
            n_labels: Number of labels in use.
        """
        label_slices = n_labels <= _MOST_SLICED_LABELS if self.label_slices == "auto" else self.label_slices
        return make_slicing(self.slices, label_slices=label_slices, length_slices=self.length_slices)

    @property
    def slice_columns(self) -> list[str]:
        """Columns that `slices` names, except those that every example has anyway."""
        named = [column for each in self.slices for column in split_columns(each)]
        return [column for column in dict.fromkeys(named) if column not in UNNAMED_COLUMNS]

    @field_validator("slices")
    @classmethod
    def _check_slices(cls, slices: list[str]) -> list[str]:
        columns = [split_columns(each) for each in slices]
        if any(LABELS in each for each in columns):
            raise ValueError(f"to slice by label, set label_slices instead of naming {LABELS!r} in slices")
        if len(set(columns)) < len(columns):
            raise ValueError("a column or a pair of columns is named twice in slices")
        return slices

    @field_validator("length_slices")
    @classmethod
    def _check_lengths(cls, lengths: list[int]) -> list[int]:
        if any(length < 1 for length in lengths) or lengths != sorted(set(lengths)):
            raise ValueError("lengths must be positive and in ascending order, without duplicates")
        return lengths

    @model_validator(mode="after")
    def _check_buckets(self) -> Self:
        if not self.length_slices and any(BUCKETED in split_columns(each) for each in self.slices):
            raise ValueError(f"slices by {BUCKETED} need length_slices, which sets where each slice begins")
        return self
