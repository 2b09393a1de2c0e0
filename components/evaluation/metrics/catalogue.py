"""The metrics by name: what there is, what may be gated, and which way is better. Needs no TensorFlow."""

# Of one label.
LABEL_RATES = ("precision", "recall", "f1", "auc", "pr_auc", "calibration_error")
LABEL_COUNTS = ("true_positives", "false_positives", "false_negatives", "true_negatives")
LABEL_METRICS = LABEL_RATES + LABEL_COUNTS

# Of all labels.
AVERAGES = (
    "macro_f1",
    "micro_f1",
    "weighted_f1",
    "samples_f1",
    "macro_precision",
    "micro_precision",
    "weighted_precision",
    "samples_precision",
    "macro_recall",
    "micro_recall",
    "weighted_recall",
    "samples_recall",
    "macro_auc",
    "macro_pr_auc",
    "macro_calibration_error",
    "hamming_loss",
    "subset_accuracy",
    "label_ranking_average_precision",
)

LOWER_IS_BETTER = frozenset(
    {"calibration_error", "false_positives", "false_negatives", "macro_calibration_error", "hamming_loss"}
)


def macro_of(label_metric: str) -> str | None:
    """The average that a label's metric stands for where no label is named, None for a count."""
    return f"macro_{label_metric}" if label_metric in LABEL_RATES else None


def label_key(metric: str, label: str) -> str:
    """The name of one label's metric in TFMA's output."""
    return f"{metric}/{label}"
