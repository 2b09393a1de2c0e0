"""The `report` section of the configuration."""

from pydantic import Field

from components.common.settings import Settings
from components.evaluation.insights.insights import MOST_MISTAKES


class AttentionSettings(Settings):
    """Bounds of what a person should look at, even though the model passed. They decide nothing."""

    f1: float = Field(0.3, ge=0, le=1, description="F1 on the test split below which a label is named.")
    f1_drop: float = Field(
        0.1, ge=0, le=1, description="How far a label's F1 may be below the baseline's before the label is named."
    )
    eval_positives: int = Field(
        10, ge=0, description="Number of examples of the eval split below which a label's threshold is named."
    )
    slice_drop: float = Field(
        0.1, ge=0, le=1, description="How far a slice's micro F1 may be below that of all examples before it is named."
    )
    calibration_error: float = Field(
        0.05, ge=0, le=1, description="Expected calibration error above which the calibration is named."
    )


class ReportSettings(Settings):
    """Content of report.html and model_card.md."""

    texts: bool = Field(True, description="Whether to show the examples' texts; false shows only their ids.")
    mistakes: int = Field(
        5, ge=0, le=MOST_MISTAKES, description="Number of the most confident mistakes shown of each label and kind."
    )
    attention: AttentionSettings = Field(
        AttentionSettings(), description="Bounds of what a person should look at, even though the model passed."
    )
