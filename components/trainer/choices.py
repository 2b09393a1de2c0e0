"""What a person can choose of the loss and of the thresholds, each choice with parameters of its own.

Nothing here needs TensorFlow: the configuration is checked without it.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat

from components.common.settings import Settings


class PlainLoss(Settings):
    """The mean sigmoid cross entropy: every label and every example counts alike."""

    kind: Literal["plain"] = "plain"


class WeightedLoss(Settings):
    """Positives of a label weigh as much as its negatives: PyTorch's `BCEWithLogitsLoss` with pos_weight."""

    kind: Literal["weighted"]
    cap: float = Field(
        10.0, ge=1, description="A label's weight, negatives / positives in train, is kept within 1 / cap and cap."
    )


class FocalLoss(Settings):
    """What the model is sure of and right about counts little (Lin et al., 2017, arXiv:1708.02002)."""

    kind: Literal["focal"]
    gamma: float = Field(2.0, ge=0, description="How little; 0: as much as the rest.")
    alpha: float | None = Field(
        0.25, gt=0, lt=1, description="Share of the weight that positives have; null: both have all of it."
    )


class AsymmetricLoss(Settings):
    """Easy negatives count little or nothing, positives stay (Ridnik et al., 2021, arXiv:2009.14119)."""

    kind: Literal["asymmetric"]
    gamma_neg: float = Field(4.0, ge=0, description="As focal's gamma, of negatives.")
    gamma_pos: float = Field(0.0, ge=0, description="As focal's gamma, of positives.")
    clip: float = Field(0.05, ge=0, le=0.5, description="A negative whose probability is below this counts nothing.")


LossSettings = Annotated[PlainLoss | WeightedLoss | FocalLoss | AsymmetricLoss, Field(discriminator="kind")]


class BestF1(Settings):
    """The cut of best F1."""

    objective: Literal["f1"] = "f1"


class BestFBeta(Settings):
    """The cut of best F-beta."""

    objective: Literal["f_beta"]
    beta: PositiveFloat = Field(description="Above 1, recall counts more than precision; below 1, less.")


class MinPrecision(Settings):
    """The cut of most recall among those that keep a precision."""

    objective: Literal["min_precision"]
    precision: float = Field(
        gt=0, le=1, description="A label that no cut brings to it on the eval split is never given."
    )


ThresholdSettings = Annotated[BestF1 | BestFBeta | MinPrecision, Field(discriminator="objective")]
