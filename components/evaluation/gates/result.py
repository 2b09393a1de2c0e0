"""Outcome of a gate. Needs neither TensorFlow nor TFMA."""

from typing import Literal

from pydantic import computed_field

from components.common.record import Value
from components.evaluation.metrics.values import Interval


class GateResult(Value):
    """Outcome of one gate.

    Attributes:
        gate: The gate as it was written.
        value: The candidate's value; None if it is undefined. For a gate on every label, the value of the label that
            fails by most or passes by least.
        bound: Smallest value that passes; for metrics where lower is better, the largest. None if there is no baseline
            to compare with, or it does not have the label.
        passed: Whether the gate lets the model through. True for a gate that was not asked.
        note: The outcome in words.
        asked: Whether the gate decided anything; False if it was not asked, for lack of a baseline or of examples.
        lower_is_better: Whether `bound` is an upper bound.
        is_count: Whether `value` and `bound` are numbers of examples, not shares between 0 and 1.
        label: The label that `value` is of; None for an average.
        slice: The slice that `value` is computed on; None for all examples.
        support: Number of examples that have the label, or of the slice for an average; None for an average over all
            examples.
        interval: 95 % confidence interval of `value`; None where there is none.
        change_interval: 95 % confidence interval of the change from the baseline; None where there is none.
    """

    gate: str
    value: float | None
    bound: float | None
    passed: bool
    note: str
    asked: bool = True
    lower_is_better: bool = False
    is_count: bool = False
    label: str | None = None
    slice: str | None = None
    support: int | None = None
    interval: Interval | None = None
    change_interval: Interval | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def status(self) -> Literal["passed", "failed", "not asked"]:
        """Passed, failed or not asked: the words of screen, report, card and summary.

        A gate of an older run lacks `asked`; if it was not asked, it lacks a bound, too.
        """
        if not self.passed:
            return "failed"
        return "not asked" if not self.asked or self.bound is None else "passed"
