"""`pushed.json` in the PushedModel artifact: the result of a push. Needs no TensorFlow."""

from typing import ClassVar

from pydantic import Field

from components.common.record import Record


class PushResult(Record):
    """Result of a push.

    Attributes:
        number: Number of the version; None if the model was not pushed.
        path: Directory of the version; None if the model was not pushed.
        reason: Why a blessed model was not pushed; empty if it was pushed, or was not blessed.
        variants: Directory of each variant that was pushed beside it, by name.
    """

    FILE: ClassVar = "pushed.json"

    number: int | None = None
    path: str | None = None
    reason: str = ""
    variants: dict[str, str] = Field(default={})
