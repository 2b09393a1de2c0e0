"""From counts and sums over examples to metrics; scikit-learn's definitions, `zero_division=0`.

Everything here has any leading axes: none for the metrics themselves, one of 20 for the jackknife's replicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.evaluation.metrics.totals import Totals

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LabelScores:
    """Each label's metrics, in the order of the labels, [..., n_labels].

    Attributes:
        precision: 0 where nothing was given. NaN, as the others, where the model gave a score that is not a number.
        recall: 0 where nothing was to be given.
        f1: 0 where nothing was given nor to be given.
        auc: area under the ROC curve; NaN where positives or negatives are missing.
        pr_auc: average precision; NaN where positives are missing.
        calibration_error: expected calibration error, in ten even bins of probability; NaN without examples.
        support: int, examples that have the label.
        true_positives, false_positives, false_negatives, true_negatives: int, examples.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    auc: Floats
    pr_auc: Floats
    calibration_error: Floats
    support: Counts
    true_positives: Counts
    false_positives: Counts
    false_negatives: Counts
    true_negatives: Counts


@dataclass(frozen=True)
class Averages:
    """Averages over labels, [...]; each may be NaN.

    Attributes:
        macro_precision, macro_recall, macro_f1: means over all labels, an empty label counting as 0.
        macro_auc, macro_pr_auc: means over the labels for which the area is defined.
        macro_calibration_error: mean over all labels.
        micro_precision, micro_recall, micro_f1: of the pooled counts.
        weighted_precision, weighted_recall, weighted_f1: means weighted by the labels' supports.
        samples_precision, samples_recall, samples_f1: means over the examples.
        hamming_loss: share of the pairs of example and label that are decided wrongly.
        subset_accuracy: share of the examples all of whose labels are decided rightly.
        label_ranking_average_precision: of the probabilities, mean over the examples.
    """

    macro_precision: Floats
    macro_recall: Floats
    macro_f1: Floats
    macro_auc: Floats
    macro_pr_auc: Floats
    macro_calibration_error: Floats
    micro_precision: Floats
    micro_recall: Floats
    micro_f1: Floats
    weighted_precision: Floats
    weighted_recall: Floats
    weighted_f1: Floats
    samples_precision: Floats
    samples_recall: Floats
    samples_f1: Floats
    hamming_loss: Floats
    subset_accuracy: Floats
    label_ranking_average_precision: Floats


def label_scores(
    totals: Totals, areas: tuple[Floats, Floats], broken: npt.NDArray[np.bool_], *, calibration: bool = True
) -> LabelScores:
    """Every label's metrics.

    Args:
        totals: over the examples.
        areas: ROC AUC and PR AUC, [..., n_labels].
        broken: [n_labels], labels of which a score is not a number.
        calibration: whether `totals` has what the calibration error needs; it is NaN otherwise.
    """
    true_positives, given, support = np.moveaxis(totals.decided, -2, 0)
    examples = np.asarray(totals.examples)[..., np.newaxis]
    error = np.abs(totals.calibration).sum(axis=-1) if calibration else np.full(support.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = error / examples
    auc, pr_auc = areas
    false_positives, false_negatives = given - true_positives, support - true_positives
    return LabelScores(
        precision=_spoilt(_ratio(true_positives, given), broken),
        recall=_spoilt(_ratio(true_positives, support), broken),
        f1=_spoilt(_ratio(2 * true_positives, given + support), broken),
        auc=_spoilt(auc, broken),
        pr_auc=_spoilt(pr_auc, broken),
        calibration_error=_spoilt(error, broken),
        support=support,
        true_positives=true_positives,
        false_positives=false_positives,
        false_negatives=false_negatives,
        true_negatives=examples - true_positives - false_positives - false_negatives,
    )


def averages(
    totals: Totals,
    labels: LabelScores,
    subset: int,
    columns: Sequence[int] | None,
    broken: npt.NDArray[np.bool_],
) -> Averages:
    """Averages over some labels.

    Args:
        totals: over the examples.
        labels: what `label_scores` gave for them.
        subset: which of the subsets of `totals` it is.
        columns: its labels, at least one; None for all.
        broken: [n_labels], labels of which a score is not a number.
    """
    some = slice(None) if columns is None else list(columns)
    spoilt = np.nan if broken[some].any() else 0.0
    decided = totals.decided[..., some]
    true_positives, given, support = np.moveaxis(decided.sum(axis=-1), -1, 0)
    examples = np.asarray(totals.examples)
    by_label = {name: getattr(labels, name)[..., some] for name in _AVERAGED}
    with np.errstate(divide="ignore", invalid="ignore"):
        by_example = np.moveaxis(totals.by_example[..., subset, :] / examples[..., np.newaxis], -1, 0)
        wrong = (given + support - 2 * true_positives) / (examples * decided.shape[-1])
    weights = labels.support[..., some]
    found = {
        **{f"macro_{name}": _mean_of_defined(by_label[name]) for name in _AVERAGED},
        "micro_precision": _ratio(true_positives, given),
        "micro_recall": _ratio(true_positives, support),
        "micro_f1": _ratio(2 * true_positives, given + support),
        **{f"weighted_{name}": _ratio((by_label[name] * weights).sum(axis=-1), support) for name in _AVERAGED[:3]},
        **dict(zip((f"samples_{name}" for name in _AVERAGED[:3]), by_example, strict=False)),
        "hamming_loss": wrong,
        "subset_accuracy": by_example[3],
        "label_ranking_average_precision": by_example[4],
    }
    return Averages(**{name: value + spoilt for name, value in found.items()})


# The first three are also averaged by support and by example.
_AVERAGED = ("precision", "recall", "f1", "auc", "pr_auc", "calibration_error")


def _spoilt(values: Floats, broken: npt.NDArray[np.bool_]) -> Floats:
    """The values, NaN where a label is broken."""
    return np.where(broken, np.nan, values)


def _ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Floats:
    """The quotient, and 0 for 0 / 0."""
    some = np.asarray(denominator) > 0
    return np.asarray(np.divide(numerator, denominator, out=np.zeros(np.shape(numerator)), where=some), np.float64)


def _mean_of_defined(values: Floats) -> Floats:
    """The mean over the last axis of what is a number; NaN if nothing is."""
    defined = ~np.isnan(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(defined, values, 0).sum(axis=-1) / defined.sum(axis=-1))
