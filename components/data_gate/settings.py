"""What a person can say about data that may not be trained on."""

from typing import Literal

from pydantic import Field, PositiveInt

from components.common.settings import Settings


class LabelDrift(Settings):
    """How far label frequencies may move from one span to the next, measured as TFDV does."""

    measure: Literal["l_infinity", "jensen_shannon"] = Field(
        "l_infinity",
        description="l_infinity: the largest change of any label's share of all labels given; jensen_shannon: the"
        " divergence of the two distributions.",
    )
    bound: float = Field(0.1, gt=0, le=1, description="More than this stops the run.")


class DataGateSettings(Settings):
    """Bounds whose crossing stops a run before anything is trained. A share is of all rows read."""

    quarantined: float = Field(0.01, ge=0, le=1, description="Share of rows that may be quarantined.")
    blank_texts: float = Field(0.01, ge=0, le=1, description="Share of rows whose text may be blank.")
    vanished_label: PositiveInt | None = Field(
        10,
        description="A label that had at least so many rows in the data last trained on, and has none now, stops the"
        " run; null: none does.",
    )
    label_drift: LabelDrift | None = Field(
        LabelDrift(), description="Of label frequencies, against the span last trained on; null: not asked."
    )
    length_drift: float | None = Field(
        0.1,
        gt=0,
        le=1,
        description="Jensen-Shannon divergence of the text lengths, against the span last trained on; null: not asked.",
    )
