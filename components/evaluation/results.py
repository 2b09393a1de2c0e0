"""Reader of the Evaluator's results. TFMA's files are read here and nowhere else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow_model_analysis as tfma

from components.evaluation.metrics.catalogue import (
    average_names,
    label_count_names,
    label_metric_names,
    label_rate_names,
)
from components.evaluation.metrics.multi_label_metrics import EXAMPLES, array_key, compared_key
from components.evaluation.metrics.proportions import proportion_interval
from components.evaluation.metrics.scores import SUPPORT, UNKNOWN
from components.evaluation.metrics.slicing import slice_name
from components.evaluation.metrics.values import Compared, Evaluation, Interval, LabelMetrics, Metrics
from schema.errors import Refused
from schema.features import LABELS

_OVERALL = ""


@dataclass
class _Model:
    """TFMA's values for one model in one slice, and their changes from the baseline, by name."""

    values: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)


def read_evaluation(evaluation_uri: str, labels: Sequence[str], missing: Sequence[str] = ()) -> Evaluation:
    """Read what the Evaluator wrote.

    Args:
        evaluation_uri: URI of the ModelEvaluation artifact.
        labels: The labels that were measured, in order.
        missing: The labels among them that the baseline lacks.

    Raises:
        Refused: The test split had no example.
    """
    slices: dict[str, dict[str, Metrics]] = {}
    compared: dict[str, Compared] = {}
    for record in tfma.load_metrics(evaluation_uri):
        key = tuple((each.column, _slice_value(each)) for each in record.slice_key.single_slice_keys)
        # Rows may still have retired labels, which get no slice.
        if any(column == LABELS and value not in labels for column, value in key):
            continue
        models = _group_by_model(record)
        slices[slice_name(key)] = {
            name: _metrics(model, labels, missing if name == tfma.BASELINE_KEY else ())
            for name, model in models.items()
        }
        if any(_compared_averages(model) for model in models.values()):
            compared[slice_name(key)] = _compared(models)
    overall = slices.pop(_OVERALL, None)
    if overall is None:
        raise Refused(f"{evaluation_uri}: nothing was measured: the test split has no rows")
    return Evaluation(
        candidate=_with_share_intervals(overall[tfma.CANDIDATE_KEY]),
        baseline=overall.get(tfma.BASELINE_KEY),
        slices=dict(sorted(slices.items())),
        compared=compared,
    )


def _slice_value(key: Any) -> str:
    value = getattr(key, key.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _group_by_model(record: Any) -> dict[str, _Model]:
    models: dict[str, _Model] = {}
    for item in record.metric_keys_and_values:
        # A candidate that is measured alone has no name.
        model = models.setdefault(item.key.model_name or tfma.CANDIDATE_KEY, _Model())
        (model.changes if item.key.is_diff else model.values)[item.key.name] = item
    return models


def _compared_averages(model: _Model) -> list[str]:
    return [name for name in average_names() if compared_key(name) in model.values]


def _compared(models: Mapping[str, _Model]) -> Compared:
    candidate = models[tfma.CANDIDATE_KEY]
    names = _compared_averages(candidate)
    return Compared(
        averages={
            key: {name: _number(model.values[compared_key(name)]) for name in names} for key, model in models.items()
        },
        intervals=_drop_none({name: _interval(candidate.values.get(compared_key(name))) for name in names}),
        change_intervals=_drop_none({name: _interval(candidate.changes.get(compared_key(name))) for name in names}),
    )


def _metrics(model: _Model, labels: Sequence[str], missing: Sequence[str]) -> Metrics:
    values = model.values
    # A metric that is newer than the evaluation has no values.
    rates = {
        metric: values[array_key(metric)].value.array_value.float64_values
        for metric in label_rate_names()
        if array_key(metric) in values
    }
    counts = {
        metric: values[array_key(metric)].value.array_value.int64_values
        for metric in (*label_count_names(), SUPPORT)
        if array_key(metric) in values
    }
    unknown = values[array_key(UNKNOWN)].value.array_value.int64_values if array_key(UNKNOWN) in values else None
    columns = [(column, label) for column, label in enumerate(labels) if label not in missing]
    per_label = {
        label: LabelMetrics(
            **{metric: _none_if_nan(array[column]) for metric, array in rates.items()},
            **{metric: array[column] for metric, array in counts.items()},
            unknown=(unknown[column] or None) if unknown else None,
        )
        for column, label in columns
    }
    return Metrics(
        **{name: _number(values[name]) for name in average_names() if name in values},
        examples=int(values[EXAMPLES].value.double_value.value),
        per_label=per_label,
        intervals=_intervals(values, columns),
        change_intervals=_intervals(model.changes, columns),
    )


def _with_share_intervals(metrics: Metrics) -> Metrics:
    """Return metrics with the intervals of each label's recall and precision, unless a gate has given it one."""
    shares: dict[str, Interval | None] = {}
    for label, each in metrics.per_label.items():
        # Evaluations of older releases have no counts; a label that the model gave no number for has no recall.
        if each.recall is not None and each.true_positives is not None and each.false_positives is not None:
            shares[f"recall[{label}]"] = proportion_interval(each.true_positives, each.support)
            n_predicted = each.true_positives + each.false_positives
            shares[f"precision[{label}]"] = proportion_interval(each.true_positives, n_predicted)
    return metrics.model_copy(update={"intervals": _drop_none(shares) | metrics.intervals})


def _intervals(items: Mapping[str, Any], columns: Sequence[tuple[int, str]]) -> dict[str, Interval]:
    """Return the intervals of averages and of labels, by the name of the value: `macro_f1`, `f1[refund]`."""
    intervals = {name: _interval(items.get(name)) for name in average_names()}
    for metric in label_metric_names():
        array = items.get(array_key(metric))
        intervals |= {f"{metric}[{label}]": _interval(array, column) for column, label in columns}
    return _drop_none(intervals)


def _interval(item: Any, column: int | None = None) -> Interval | None:
    """Return the interval of a number, or of one element of an array; None if it has none."""
    if item is None or not item.HasField("confidence_interval"):
        return None
    bounds = (item.confidence_interval.lower_bound, item.confidence_interval.upper_bound)
    if column is None:
        low, high = (bound.double_value.value for bound in bounds)
    else:
        low, high = (bound.array_value.float64_values[column] for bound in bounds)
    return None if math.isnan(low) or math.isnan(high) else (low, high)


def _drop_none(intervals: Mapping[str, Interval | None]) -> dict[str, Interval]:
    return {name: interval for name, interval in intervals.items() if interval is not None}


def _number(item: Any) -> float | None:
    return _none_if_nan(item.value.double_value.value)


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value
