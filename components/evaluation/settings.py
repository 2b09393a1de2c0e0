"""What a user may say about the evaluation."""

from pydantic import Field, field_validator

from components.evaluation.gates import parse_gate
from components.settings import Settings
from schema.errors import Refused
from schema.features import LABELS


class EvaluationSettings(Settings):
    """What is measured on the test split, and what the model must reach to go live."""

    slices: list[str] = Field(
        default=[],
        description="Features by whose values everything is measured once more, such as language or channel.",
    )
    label_slices: bool = Field(
        default=True,
        description="Whether to measure everything once more on the examples of each label.",
    )
    gates: list[str] = Field(
        description=(
            "Bounds that a model must keep to be blessed and pushed: 'macro_f1 >= 0.45', 'f1[refund] >= 0.6', "
            "'macro_f1 >= baseline - 0.01'. [] says that nothing is asked: every model is blessed."
        ),
    )

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
        if LABELS in slices:
            raise ValueError(f"slices by label are had with label_slices, not by naming {LABELS!r}")
        if len(set(slices)) < len(slices):
            raise ValueError("a feature is named twice")
        return slices
