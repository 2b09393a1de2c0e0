"""Outcome of a gate. Needs neither TensorFlow nor TFMA."""

from components.common.settings import Settings
from components.evaluation.metrics.values import Interval


class GateResult(Settings):
    """One gate's outcome.

    Attributes:
        gate: as it was written.
        value: the candidate's number, None if it is undefined. Of a gate on every label, the number of the label that
            comes nearest to failing, or fails most.
        bound: the least number that passes, or the greatest of what is the better the lower; None if there is no
            baseline to tell, or it lacks the label.
        passed: whether the gate lets the model through.
        note: the outcome in words.
        asked: False where it decided nothing: no baseline yet, too little support.
        lower_is_better: whether `bound` is one from above.
        label: whose number `value` is.
        slice: of which examples, None for all.
        support: examples that have the label, or of the slice, if there is no label; None for averages of all examples.
        interval: 95 % confidence of `value`, None where it cannot be told.
        change_interval: likewise of the change against the baseline.
    """

    gate: str
    value: float | None
    bound: float | None
    passed: bool
    note: str
    asked: bool = True
    lower_is_better: bool = False
    label: str | None = None
    slice: str | None = None
    support: int | None = None
    interval: Interval | None = None
    change_interval: Interval | None = None
