"""What was measured, as types: read by the report and by programs, so they need neither TensorFlow nor TFMA."""

from pydantic import Field

from components.evaluation.gates import Gate
from components.settings import Settings


class LabelMetrics(Settings):
    """One label's metrics at its threshold; None where undefined (the areas of a label that no example has)."""

    precision: float | None
    recall: float | None
    f1: float | None
    auc: float | None
    pr_auc: float | None
    support: int


class Metrics(Settings):
    """One model's metrics on some examples.

    Macro precision, recall and F1 count a label without examples as 0; macro areas leave it out.
    """

    examples: int
    macro_f1: float | None
    micro_f1: float | None
    macro_precision: float | None
    micro_precision: float | None
    macro_recall: float | None
    micro_recall: float | None
    macro_auc: float | None
    macro_pr_auc: float | None
    per_label: dict[str, LabelMetrics]

    def value(self, gate: Gate) -> float | None:
        """The number that a gate is about."""
        owner = self if gate.label is None else self.per_label[gate.label]
        number: float | None = getattr(owner, gate.metric)
        return number


class Evaluation(Settings):
    """All that was measured on the test split, of the labels in use.

    Attributes:
        candidate: the new model.
        baseline: the last blessed one on the same examples, None if there is none; labels that it lacks are left out.
        compared: model (`candidate`, `baseline`) -> average -> its value over the labels that both have, where these
            are not all, of the averages that gates compare.
        slices: slice (`language=zh`) -> model (`candidate`, `baseline`) -> metrics.
    """

    candidate: Metrics
    baseline: Metrics | None
    slices: dict[str, dict[str, Metrics]]
    compared: dict[str, dict[str, float | None]] = Field(default={})


class GateResult(Settings):
    """One gate's outcome.

    Attributes:
        gate: as it was written.
        value: the candidate's number, None if it is undefined.
        bound: the least number that passes, None if there is no baseline to tell, or it lacks the label.
        passed: whether the gate lets the model through.
        note: the outcome in words.
    """

    gate: str
    value: float | None
    bound: float | None
    passed: bool
    note: str
