"""`canary.json` in the InfraBlessing artifact: the verdict of the canary. Needs no TensorFlow."""

from typing import ClassVar

from components.common.record import Record
from components.registry import CanaryFindings

# Largest difference of a probability between the Trainer's process and a fresh one that passes.
TOLERANCE = 1e-5


class CanaryVerdict(Record):
    """Decision of the canary on a model.

    Attributes:
        passed: Whether the model answers well enough to be pushed.
        reasons: Why not, one line each; empty if it passed.
        findings: Measurements.
        model_id: Id of the model; None in verdicts older than this attribute.
    """

    FILE: ClassVar = "canary.json"

    passed: bool
    reasons: list[str]
    findings: CanaryFindings
    model_id: str | None = None
