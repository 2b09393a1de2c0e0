"""The data gate's findings on data that passed. Needs neither TensorFlow nor TFDV."""

from pydantic import Field

from components.common.record import Record, Value


class Drift(Value):
    """Drift of one feature."""

    feature: str = Field(description="labels, text_length, or another feature with a drift comparator in the schema.")
    measure: str = Field(description="l_infinity or jensen_shannon.")
    value: float = Field(description="Between 0, no drift, and 1.")
    bound: float = Field(description="Greatest value that does not stop the run.")


class Verdict(Record):
    """Findings on data that passed the data gate."""

    FILE = "verdict.json"

    compared_with: str = Field(description="The data that drift was measured against; empty if there was none.")
    drift: list[Drift]
    warnings: list[str]
