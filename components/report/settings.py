"""What a user may say about the report."""

from pydantic import Field

from components.common.settings import Settings
from components.evaluation.insights.insights import MOST_MISTAKES


class ReportSettings(Settings):
    """What report.html and model_card.md show."""

    texts: bool = Field(True, description="Whether the examples' texts are shown; false leaves their ids only.")
    mistakes: int = Field(
        5, ge=0, le=MOST_MISTAKES, description="The most confident mistakes to show, of each label and kind."
    )
