"""Settings of the data gate: which data may not be trained on."""

from typing import Literal

from pydantic import Field, PositiveInt

from components.common.settings import Settings


class LabelDrift(Settings):
    """Bound on the drift of label frequencies from one span to the next, measured as TFDV does."""

    measure: Literal["l_infinity", "jensen_shannon"] = Field(
        "l_infinity",
        description="l_infinity: the largest change of any label's share of all labels given; jensen_shannon: the"
        " divergence of the two distributions.",
    )
    bound: float = Field(0.1, gt=0, le=1, description="Greatest value that does not stop the run.")


class DataGateSettings(Settings):
    """Bounds that stop a run before training when they are exceeded. Shares are of all rows read."""

    quarantined: float = Field(0.01, ge=0, le=1, description="Greatest share of rows that may be quarantined.")
    blank_texts: float = Field(0.01, ge=0, le=1, description="Greatest share of rows whose text may be blank.")
    vanished_label: PositiveInt | None = Field(
        10,
        description="Number of rows. A label that had at least this many rows in the last training and has none now"
        " stops the run; null: no label does.",
    )
    label_drift: LabelDrift | None = Field(
        LabelDrift(), description="Drift of label frequencies since the span last trained on; null: not measured."
    )
    length_drift: float | None = Field(
        0.1,
        gt=0,
        le=1,
        description="Greatest Jensen-Shannon divergence of text lengths since the span last trained on; null: not"
        " measured.",
    )
