"""Values of the metrics, for the report and for programs. Needs neither TensorFlow nor TFMA."""

from typing import Any

from pydantic import ConfigDict, Field

from components.common.record import Value

# Lower and upper bound of a 95 % confidence interval.
Interval = tuple[float, float]


class _Values(Value):
    """Values by the name of their metric.

    Metrics that the catalogue declares without a field of their own here are kept as extra fields, in memory and in
    JSON, so that a metric is added in the catalogue alone.
    """

    model_config = ConfigDict(extra="allow")

    def numbers(self) -> dict[str, Any]:
        """Return all fields by name, those of metrics that have none of their own included."""
        return {name: getattr(self, name) for name in (*type(self).model_fields, *(self.model_extra or {}))}


class LabelMetrics(_Values):
    """Metrics of one label at its threshold, over the examples that are known to have it or not.

    None where undefined, such as the areas for a label without examples.

    Fields that have a default are not in the summaries of older runs.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    auc: float | None
    pr_auc: float | None
    support: int
    calibration_error: float | None = None
    true_positives: int | None = None
    false_positives: int | None = None
    false_negatives: int | None = None
    true_negatives: int | None = None
    # Examples of which nobody knows whether they have the label; None if there are none.
    unknown: int | None = None


class Metrics(_Values):
    """Metrics of one model on a set of examples.

    Macro precision, recall and F1 count a label without examples as 0; macro areas leave it out.

    Attributes:
        examples: Number of examples.
        per_label: Label -> its metrics.
        intervals: Confidence intervals of the gated values, by name: `macro_f1`, `f1[refund]`; over all
            examples, of the candidate's recall and precision of every label too.
        change_intervals: Confidence intervals of their changes from the baseline, by the same names; for the candidate
            only.
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
    weighted_f1: float | None = None
    samples_f1: float | None = None
    weighted_precision: float | None = None
    samples_precision: float | None = None
    weighted_recall: float | None = None
    samples_recall: float | None = None
    macro_calibration_error: float | None = None
    hamming_loss: float | None = None
    subset_accuracy: float | None = None
    label_ranking_average_precision: float | None = None
    intervals: dict[str, Interval] = Field(default={})
    change_intervals: dict[str, Interval] = Field(default={})

    def value(self, metric: str, label: str | None = None) -> float | None:
        """Return the value of one metric.

        Args:
            metric: Name of an average, or with `label`, of a metric of single labels.
            label: The label; None for an average.

        Returns:
            The value; None where it is undefined.
        """
        values = self if label is None else self.per_label[label]
        value: float | None = getattr(values, metric, None)
        return value


class Compared(Value):
    """Gated averages over the labels that candidate and baseline both have, where these are not all.

    Attributes:
        averages: Model (`candidate`, `baseline`) -> average -> its value.
        intervals: Confidence intervals of the candidate's values, by average.
        change_intervals: Confidence intervals of their changes from the baseline's, by average.
    """

    averages: dict[str, dict[str, float | None]] = Field(default={})
    intervals: dict[str, Interval] = Field(default={})
    change_intervals: dict[str, Interval] = Field(default={})


class Evaluation(Value):
    """Everything measured on the test split, for the labels in use.

    Attributes:
        candidate: Metrics of the new model.
        baseline: Metrics of the last blessed model on the same examples, without the labels that it lacks; None if
            there is none.
        slices: Slice (`language=zh`) -> model (`candidate`, `baseline`) -> metrics.
        compared: Slice, empty for all examples -> averages over the labels that both models have; empty where both have
            all.
    """

    candidate: Metrics
    baseline: Metrics | None
    slices: dict[str, dict[str, Metrics]]
    compared: dict[str, Compared] = Field(default={})
