"""What the steps of a run took, where each step measures itself: a property of its artifacts that later steps hand on.

On a cluster no process sees all steps. Each step leaves what it took, and what the steps before it took, with its
outputs; so the Report finds all of it with its inputs.
"""

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from components.common.record import Value
from components.report.summary.summary import StepCost, Summary

PROPERTY = "costs"
"""Custom property of an artifact: `MeasuredSteps` as JSON."""


class MeasuredStep(Value):
    """What a step took.

    Attributes:
        run: ID of the run in which it took that. Outputs from a cache have the run that made them.
        seconds: Duration of its process.
        cost: Processor time and memory.
    """

    run: str
    seconds: float
    cost: StepCost


class MeasuredSteps(Value):
    """What steps took, by their names."""

    steps: dict[str, MeasuredStep]


def merge_measured(properties: Iterable[str], run: str | None = None) -> dict[str, MeasuredStep]:
    """Return what steps took that the properties of artifacts name; what cannot be read is left out.

    Args:
        properties: Values of `PROPERTY`; those of artifacts without it are empty.
        run: ID of the run to take the steps of; None: of any.

    Example:
        >>> step = MeasuredStep(run="7", seconds=2.5, cost=StepCost(cpu_s=2.0))
        >>> text = MeasuredSteps(steps={"Trainer": step}).model_dump_json()
        >>> sorted(merge_measured([text, "", text])), sorted(merge_measured([text], run="8"))
        (['Trainer'], [])
    """
    merged: dict[str, MeasuredStep] = {}
    for text in filter(None, properties):
        try:
            merged |= MeasuredSteps.model_validate_json(text).steps
        except ValidationError:  # of another release
            continue
    return {name: step for name, step in merged.items() if run in (None, step.run)}


def with_measured(summary: Summary, steps: Mapping[str, MeasuredStep]) -> Summary:
    """Return a summary with what the steps took; the same if nothing is known of it, as on one machine."""
    if not steps:
        return summary
    peaks = [step.cost.peak_memory_mb for step in steps.values() if step.cost.peak_memory_mb is not None]
    return summary.model_copy(
        update={
            "durations_s": {name: step.seconds for name, step in steps.items()},
            "costs": {name: step.cost for name, step in steps.items()},
            "peak_memory_mb": max(peaks, default=None),
        }
    )
