"""`variants.json`: which variants of a model were made, what each costs and gains, and which may be pushed.

Needs no TensorFlow.
"""

from typing import ClassVar

from pydantic import Field

from components.common.record import Record, Value
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.values import Metrics
from components.registry import CanaryFindings


class VariantResult(Value):
    """What became of one variant.

    Attributes:
        name: Name of the variant.
        reasons: Why it is not pushed; empty if it holds.
        size_mb: Size of its files, in MB; None if it was not made.
        metrics: Its metrics on the test split, at thresholds of its own; None if it was not measured.
        gates: Results of its gates.
        canary: Measurements of its trial, the full model's latency beside its own; None if it was not tried.
    """

    name: str
    reasons: list[str] = Field(default=[])
    size_mb: float | None = None
    metrics: Metrics | None = None
    gates: list[GateResult] = Field(default=[])
    canary: CanaryFindings | None = None

    @property
    def holds(self) -> bool:
        """Whether it may be pushed."""
        return not self.reasons


class VariantResults(Record):
    """What became of all variants of a model.

    Attributes:
        model_id: Id of the full model that they are made of.
        note: Why none was made; empty otherwise.
        full_size_mb: Size of the full model's files, in MB.
        variants: Results in the order of the configuration.
    """

    FILE: ClassVar = "variants.json"

    model_id: str = ""
    note: str = ""
    full_size_mb: float | None = None
    variants: list[VariantResult] = Field(default=[])

    @property
    def holding(self) -> list[str]:
        """Names of the variants that may be pushed."""
        return [each.name for each in self.variants if each.holds]
