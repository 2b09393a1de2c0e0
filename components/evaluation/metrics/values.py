"""What was measured, as types: read by the report and by programs, so they need neither TensorFlow nor TFMA."""

from pydantic import Field

from components.common.settings import Settings

# From, to: 95 %.
Interval = tuple[float, float]


class LabelMetrics(Settings):
    """One label's metrics at its threshold; None where undefined (the areas of a label that no example has).

    What has a default is not in the summaries of older runs.
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


class Metrics(Settings):
    """One model's metrics on some examples.

    Macro precision, recall and F1 count a label without examples as 0; macro areas leave it out.

    Attributes:
        intervals: confidence intervals of what is gated, by the number's name: `macro_f1`, `f1[refund]`.
        change_intervals: of the candidate, likewise of its difference from the baseline.
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
        """Return one number.

        Args:
            metric: Name of an average; with `label`, of a metric of single labels.
            label: Whose metric; None for an average.

        Returns:
            The number; None where it is undefined.
        """
        owner = self if label is None else self.per_label[label]
        number: float | None = getattr(owner, metric)
        return number


class Compared(Settings):
    """Averages over the labels that candidate and baseline both have, where these are not all, of what gates compare.

    Attributes:
        averages: model (`candidate`, `baseline`) -> average -> its value.
        intervals: confidence intervals of the candidate's, by average.
        change_intervals: likewise of their differences from the baseline's.
    """

    averages: dict[str, dict[str, float | None]] = Field(default={})
    intervals: dict[str, Interval] = Field(default={})
    change_intervals: dict[str, Interval] = Field(default={})


class Evaluation(Settings):
    """All that was measured on the test split, of the labels in use.

    Attributes:
        candidate: the new model.
        baseline: the last blessed one on the same examples, None if there is none; labels that it lacks are left out.
        slices: slice (`language=zh`) -> model (`candidate`, `baseline`) -> metrics.
        compared: slice, empty for all examples -> averages over the labels that both models have; empty where both
            have all.
    """

    candidate: Metrics
    baseline: Metrics | None
    slices: dict[str, dict[str, Metrics]]
    compared: dict[str, Compared] = Field(default={})
