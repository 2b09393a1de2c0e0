"""Settings of calibration and thresholds. Free of TensorFlow: the configuration is checked without it."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from components.common.settings import Settings


class BestF1(Settings):
    """Threshold of the highest F1."""

    objective: Literal["f1"] = "f1"


class BestFBeta(Settings):
    """Threshold of the highest F-beta."""

    objective: Literal["f_beta"]
    beta: PositiveFloat = Field(description="Above 1, recall counts more than precision; below 1, less.")


class MinPrecision(Settings):
    """Threshold of the highest recall among those that reach a precision."""

    objective: Literal["min_precision"]
    precision: float = Field(
        gt=0,
        le=1,
        description="Minimum precision on the eval split; a label that reaches it at no threshold is never predicted.",
    )


ThresholdSettings = Annotated[BestF1 | BestFBeta | MinPrecision, Field(discriminator="objective")]


class DecisionSettings(Settings):
    """How probabilities become decisions."""

    thresholds: ThresholdSettings = Field(
        BestF1(), description="What each label's threshold optimizes: f1, f_beta or min_precision."
    )
    calibration: Literal["none", "platt"] = Field(
        "none", description="platt: scale and shift each label's logits so that probabilities match frequencies."
    )
