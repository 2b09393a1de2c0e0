"""The `report` section of the configuration."""

from pydantic import Field

from components.common.settings import Settings
from components.evaluation.insights.insights import MOST_MISTAKES


class ReportSettings(Settings):
    """Content of report.html and model_card.md."""

    texts: bool = Field(True, description="Whether to show the examples' texts; false shows only their ids.")
    mistakes: int = Field(
        5, ge=0, le=MOST_MISTAKES, description="Number of the most confident mistakes shown of each label and kind."
    )
