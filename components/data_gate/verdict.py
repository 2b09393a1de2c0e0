"""What the data gate found on data that it let pass: `verdict.json`. Needs neither TensorFlow nor TFDV."""

from pydantic import Field

from components.common.files import read_bytes
from components.common.settings import Settings, write_json

_FILE = "verdict.json"


class Drift(Settings):
    """How far a feature has moved."""

    feature: str = Field(description="labels, text_length, or another one that the schema has a comparator for.")
    measure: str = Field(description="l_infinity or jensen_shannon.")
    value: float = Field(description="Between 0, no change, and 1.")
    bound: float = Field(description="Above it, the run stops.")


class Verdict(Settings):
    """What the gate found."""

    compared_with: str = Field(description="The data that drift was measured against; empty if there was none.")
    drift: list[Drift]
    warnings: list[str]


def write_verdict(uri: str, verdict: Verdict) -> None:
    """Writes the verdict into an artifact."""
    write_json(uri, _FILE, verdict)


def read_verdict(uri: str) -> Verdict:
    """Reads the verdict of an artifact."""
    return Verdict.model_validate_json(read_bytes(f"{uri}/{_FILE}"))
