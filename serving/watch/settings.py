"""The `watch` block of the configuration: what was answered, the windows of time, and the bounds on drift."""

from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from components.common.settings import Settings
from components.data_gate.settings import LabelDrift


class WatchSettings(Settings):
    """What is compared with the data that the answering version was trained on, and with the window before."""

    log: str | None = Field(default=None, description="Folder of the request log that `serve` writes.")
    scores: str | None = Field(
        default=None, description="Folder of scores, as scoring.output, whose folders count as answers when they ended."
    )
    window_hours: PositiveFloat = Field(default=24, description="Length of a window, which ends now.")
    min_rows: PositiveInt = Field(default=200, description="Rows below which a window is not judged.")
    max_rows: PositiveInt = Field(
        default=100_000, description="Rows of a window that are compared at most, drawn at random."
    )
    label_drift: LabelDrift | None = Field(
        default=LabelDrift(), description="Drift of the frequencies of the labels given; null: not measured."
    )
    probability_drift: float | None = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Greatest Jensen-Shannon divergence of any label's probabilities; null: not measured.",
    )
    length_drift: float | None = Field(
        default=0.1, gt=0, le=1, description="Greatest Jensen-Shannon divergence of text lengths; null: not measured."
    )
    slice_drift: float | None = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Greatest change of the share of any value of a slice column; null: not measured.",
    )
    language_drift: float | None = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Greatest change of the share of any language of the texts; null: not measured.",
    )
    unknown_pieces: float | None = Field(
        default=0.02, gt=0, le=1, description="Greatest rise of the share of unknown word pieces; null: not measured."
    )
    empty_texts: float | None = Field(
        default=0.01, gt=0, le=1, description="Greatest rise of the share of blank texts; null: not measured."
    )
    cut_texts: float | None = Field(
        default=0.05, gt=0, le=1, description="Greatest rise of the share of texts that were cut; null: not measured."
    )
    evidently: bool = Field(
        default=False,
        description="Whether to write Evidently's drift reports besides, which decide nothing; needs the extra"
        " evidently.",
    )
    profile_texts: PositiveInt = Field(
        default=2_000, description="Texts of the eval split that a version's profile is made of, when it is pushed."
    )
    when: Literal["never", "drift"] = Field(
        default="never",
        description="drift: `watch` starts a run when answers of the live version have drifted.",
    )

    @model_validator(mode="after")
    def _watch_something(self) -> Self:
        if self.log is None and self.scores is None:
            raise ValueError("name the request log in log, or a folder of scores in scores")
        return self
