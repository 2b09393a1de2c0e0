"""Metrics of the catalogue from sums over examples; scikit-learn's definitions, with `zero_division=0`.

Arrays may have leading axes: none for the metrics themselves, one of 20 for their jackknife replicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics import catalogue
from components.evaluation.metrics.catalogue import Average, Metric
from components.evaluation.metrics.evidence import Evidence, Floats
from components.evaluation.metrics.totals import Totals, sample_metrics

SUPPORT = "support"
UNKNOWN = "unknown"  # number of examples of which nobody knows whether they have a label

Flags = npt.NDArray[np.bool_]
# Name of a metric -> its values.
Scores = dict[str, npt.NDArray[Any]]


def label_scores(totals: Totals, areas: tuple[Floats, Floats], broken: Flags, *, calibration: bool = True) -> Scores:
    """Compute the metrics of each label.

    Args:
        totals: Sums over the examples.
        areas: ROC AUC and PR AUC, each [..., n_labels].
        broken: [n_labels], the labels for which the model gave a score that is not a number.
        calibration: Whether `totals` has the sums for calibration errors; if not, those are NaN.

    Returns:
        Metric -> its values, [..., n_labels]: int for counts, among them `support` and `unknown`; float for all others,
        NaN where undefined, for broken labels and for labels that are unknown in all examples.
    """
    true_positives, predicted, support, known = np.moveaxis(totals.decided, -2, 0)
    examples = np.asarray(totals.examples)[..., np.newaxis]
    evidence = Evidence.from_sums(
        true_positives,
        predicted,
        support,
        total=known,
        roc_auc=areas[0],
        pr_auc=areas[1],
        calibration=totals.calibration if calibration else np.full((*support.shape, 1), np.nan),
    )
    scores = {SUPPORT: support, UNKNOWN: examples - known}
    undefined = broken | ((known == 0) & (examples > 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        for metric in catalogue.METRICS:
            if metric.per_label:
                values = metric.formula(evidence)
                scores[metric.name] = values if metric.is_count else np.where(undefined, np.nan, values)
    return scores


def average_scores(totals: Totals, labels: Scores, subset: int, columns: Sequence[int] | None, broken: Flags) -> Scores:
    """Compute the averages over some labels.

    Args:
        totals: Sums over the examples.
        labels: Metrics of each label, from `label_scores`.
        subset: Index, among the subsets of labels of `totals`, of the labels to average over.
        columns: The labels of that subset, at least one; None for all.
        broken: [n_labels], the labels for which the model gave a score that is not a number.

    Returns:
        Average -> its values, float [...]; NaN where undefined, and all NaN if one of the labels is broken.
    """
    index = slice(None) if columns is None else list(columns)
    decided = totals.decided[..., index]
    true_positives, predicted, support, known = np.moveaxis(decided.sum(axis=-1), -1, 0)
    labelled = np.asarray(totals.labelled)[..., subset]
    scores: Scores = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        material = _Material(
            labels={name: values[..., index] for name, values in labels.items()},
            pooled=Evidence.from_sums(true_positives, predicted, support, total=known),
            samples=totals.by_example[..., subset, :] / labelled[..., np.newaxis],
        )
        for metric in catalogue.METRICS:
            for average in metric.averages:
                scores[metric.average_name(average)] = _average(metric, average, material)
    spoilt = np.nan if broken[index].any() else 0.0
    return {name: np.asarray(values + spoilt) for name, values in scores.items()}


@dataclass(frozen=True)
class _Material:
    """What averages over some labels are computed from.

    Attributes:
        labels: Metrics of each of the labels, [..., n_labels].
        pooled: Evidence about all of the labels together.
        samples: [..., n_metrics], means over the examples of each of `sample_metrics()`.
    """

    labels: Scores
    pooled: Evidence
    samples: Floats


def _average(metric: Metric, average: Average, material: _Material) -> Any:
    match average:
        case "macro":
            return _mean_of_defined(material.labels[metric.name])
        case "micro":
            return metric.formula(material.pooled)
        case "weighted":
            support = material.labels[SUPPORT]
            weighted = np.where(support > 0, material.labels[metric.name], 0.0) * support
            return catalogue.ratio(weighted.sum(axis=-1), material.pooled.support)
        case "samples":
            return material.samples[..., sample_metrics().index(metric)]


def _mean_of_defined(values: Floats) -> Floats:
    """Return the mean over the last axis of the values that are numbers; NaN if none is."""
    defined = ~np.isnan(values)
    return np.asarray(np.where(defined, values, 0).sum(axis=-1) / defined.sum(axis=-1))
