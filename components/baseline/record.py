"""Record of the baseline: `baseline.json`, because artifact properties do not reach every step on every runner."""

from typing import ClassVar

from pydantic import Field

from components.common.record import Record


class BaselineRecord(Record):
    """Record in the artifact of `RegistryBaseline`.

    Attributes:
        has_baseline: Whether the artifact holds a model to compare with.
        version: The version that was found in the registry; None if there is none.
        model_id: The id of its model; None if unknown.
        set_aside: Why the candidate is not compared with that version; None if it is.
        lacks: The candidate's labels that the baseline lacks; they are not compared.
        only_its: The baseline's labels that the candidate does not have, or has retired.
    """

    FILE: ClassVar[str] = "baseline.json"

    has_baseline: bool
    version: int | None = None
    model_id: str | None = None
    set_aside: str | None = None
    lacks: list[str] = Field(default=[])
    only_its: list[str] = Field(default=[])
