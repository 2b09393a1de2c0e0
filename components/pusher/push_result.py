"""`pushed.json` in the PushedModel artifact: the result of a push. Needs no TensorFlow."""

from typing import ClassVar

from components.common.record import Record


class PushResult(Record):
    """Result of a push.

    Attributes:
        number: Number of the version; None if the model was not pushed.
        path: Directory of the version; None if the model was not pushed.
        reason: Why a blessed model was not pushed; empty if it was pushed, or was not blessed.
    """

    FILE: ClassVar = "pushed.json"

    number: int | None = None
    path: str | None = None
    reason: str = ""
