"""Catalogue of metrics: each is declared here once, and computed, gated, reported and read from its entry.

To add a metric, add an entry to `METRICS`. `components.evaluation.metrics.evidence` describes what a formula is given.
Needs neither TensorFlow nor, until a formula is called, numpy: the command line imports the names alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from components.evaluation.metrics.evidence import Evidence

# How single values are averaged, as in scikit-learn's `average`:
#   macro: mean over the labels for which the metric is defined.
#   micro: formula over the pooled decisions on all labels.
#   weighted: mean over the labels, weighted by their support.
#   samples: mean over the examples of the formula over the labels of each.
Average = Literal["macro", "micro", "weighted", "samples"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: Name of the metric of a single label: `f1[refund]` in gates, `f1` in summary.json.
        formula: Computes the metric from the evidence about labels, or about all labels together (micro), or about
            examples (samples), element by element. May return NaN where the metric is undefined.
        averages: Averages to compute; each is named `<average>_<name>`.
        lower_is_better: Whether gates set an upper bound.
        per_label: Whether the metric is computed for each label. If not, it has exactly one average, micro or samples,
            which has the metric's own name.
        is_count: Whether the metric is a number of examples, not a share between 0 and 1.
        evidence: What the formula needs: decisions (the confusion matrix, or an example's ranking), areas under curves,
            or calibration. Only decisions can be averaged otherwise than macro.
    """

    name: str
    formula: Callable[[Evidence], Any]
    averages: tuple[Average, ...] = ()
    lower_is_better: bool = False
    per_label: bool = True
    is_count: bool = False
    evidence: Literal["decisions", "areas", "calibration"] = "decisions"

    def __post_init__(self) -> None:
        """Refuse entries that contradict themselves.

        Raises:
            ValueError: An average cannot be computed.
        """
        if not self.per_label and self.averages not in (("micro",), ("samples",)):
            raise ValueError(f"metric {self.name}: without values per label, it needs one average, micro or samples")
        if self.evidence != "decisions" and set(self.averages) - {"macro"}:
            raise ValueError(f"metric {self.name}: from {self.evidence}, only the macro average can be computed")

    def average_name(self, average: Average) -> str:
        """Return the name of one of the metric's averages."""
        return f"{average}_{self.name}" if self.per_label else self.name


def ratio(numerator: Any, denominator: Any) -> Any:
    """Divide element by element, with 0 / 0 = 0, as scikit-learn does with `zero_division=0`."""
    import numpy as np

    defined = np.asarray(denominator) > 0
    quotient = np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=defined)
    return np.asarray(quotient, np.float64)


def _precision(evidence: Evidence) -> Any:
    return ratio(evidence.true_positives, evidence.true_positives + evidence.false_positives)


def _recall(evidence: Evidence) -> Any:
    return ratio(evidence.true_positives, evidence.support)


def _f1(evidence: Evidence) -> Any:
    twice = 2 * evidence.true_positives
    return ratio(twice, twice + evidence.false_positives + evidence.false_negatives)


def _calibration_error(evidence: Evidence) -> Any:
    """Compute the expected calibration error over even bins (Naeini, Cooper and Hauskrecht, 2015)."""
    return abs(evidence.calibration).sum(axis=-1) / evidence.total


_ALL: tuple[Average, ...] = ("macro", "micro", "weighted", "samples")

METRICS: tuple[Metric, ...] = (
    Metric("f1", _f1, averages=_ALL),
    Metric("precision", _precision, averages=_ALL),
    Metric("recall", _recall, averages=_ALL),
    Metric("auc", lambda evidence: evidence.roc_auc, averages=("macro",), evidence="areas"),
    Metric("pr_auc", lambda evidence: evidence.pr_auc, averages=("macro",), evidence="areas"),
    Metric("calibration_error", _calibration_error, averages=("macro",), lower_is_better=True, evidence="calibration"),
    Metric("true_positives", lambda evidence: evidence.true_positives, is_count=True),
    Metric("false_positives", lambda evidence: evidence.false_positives, is_count=True, lower_is_better=True),
    Metric("false_negatives", lambda evidence: evidence.false_negatives, is_count=True, lower_is_better=True),
    Metric("true_negatives", lambda evidence: evidence.true_negatives, is_count=True),
    Metric(
        "hamming_loss",
        lambda evidence: (evidence.false_positives + evidence.false_negatives) / evidence.total,
        averages=("micro",),
        lower_is_better=True,
        per_label=False,
    ),
    Metric(
        "subset_accuracy",
        lambda evidence: evidence.false_positives + evidence.false_negatives == 0,
        averages=("samples",),
        per_label=False,
    ),
    Metric(
        "label_ranking_average_precision",
        lambda evidence: evidence.ranking_precision,
        averages=("samples",),
        per_label=False,
    ),
)


def average_names() -> tuple[str, ...]:
    """Return the names of all averages."""
    return tuple(metric.average_name(average) for metric in METRICS for average in metric.averages)


def label_metric_names() -> tuple[str, ...]:
    """Return the names of the metrics of single labels, shares before counts."""
    return (*label_rate_names(), *label_count_names())


def label_rate_names() -> tuple[str, ...]:
    """Return the names of the metrics of single labels that are shares."""
    return tuple(metric.name for metric in METRICS if metric.per_label and not metric.is_count)


def label_count_names() -> tuple[str, ...]:
    """Return the names of the metrics of single labels that are numbers of examples."""
    return tuple(metric.name for metric in METRICS if metric.per_label and metric.is_count)


def find_metric(name: str) -> Metric:
    """Return the entry that declares a metric of single labels, or an average.

    Raises:
        KeyError: No entry declares it.
    """
    for metric in METRICS:
        if name == metric.name or name in map(metric.average_name, metric.averages):
            return metric
    raise KeyError(name)


def lower_is_better(name: str) -> bool:
    """Return whether lower values of a metric or average are better; False for a name that no entry declares.

    Example:
        >>> lower_is_better("hamming_loss"), lower_is_better("macro_f1")
        (True, False)
    """
    try:
        return find_metric(name).lower_is_better
    except KeyError:
        return False


def is_count(name: str) -> bool:
    """Return whether a metric is a number of examples; False for a name that no entry declares."""
    return name in label_count_names()


def macro_average(name: str) -> str | None:
    """Return the macro average of a metric of single labels; None if it has none."""
    metric = find_metric(name)
    return metric.average_name("macro") if "macro" in metric.averages else None


def label_key(metric: str, label: str) -> str:
    """Return the name of one label's metric in TFMA's output."""
    return f"{metric}/{label}"
