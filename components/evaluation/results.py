"""Reads the Evaluator's results. TFMA's files are read here and nowhere else."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow_model_analysis as tfma

from components.evaluation.metrics.catalogue import AVERAGES, LABEL_COUNTS, LABEL_METRICS, LABEL_RATES
from components.evaluation.metrics.multi_label_metrics import EXAMPLES, SUPPORT, compared_key, name_of_array
from components.evaluation.metrics.slicing import slice_name
from components.evaluation.metrics.values import Compared, Evaluation, Interval, LabelMetrics, Metrics
from schema.errors import Refused
from schema.features import LABELS

OVERALL = ""


@dataclass
class _Model:
    """One model's values by name in one slice, and its differences from the baseline."""

    values: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)


def read_evaluation(evaluation_uri: str, labels: Sequence[str], lacking: Sequence[str] = ()) -> Evaluation:
    """Reads what the Evaluator wrote.

    Args:
        evaluation_uri: of the ModelEvaluation artifact.
        labels: the labels that were measured, in order.
        lacking: those of them that the baseline has not.

    Raises:
        Refused: there was no example to measure.
    """
    slices: dict[str, dict[str, Metrics]] = {}
    compared: dict[str, Compared] = {}
    for record in tfma.load_metrics(evaluation_uri):
        key = tuple((each.column, _slice_value(each)) for each in record.slice_key.single_slice_keys)
        # None of a label that is not in use any more.
        if any(column == LABELS and value not in labels for column, value in key):
            continue
        models = _by_model(record)
        slices[slice_name(key)] = {
            name: _metrics(model, labels, lacking if name == tfma.BASELINE_KEY else ())
            for name, model in models.items()
        }
        if any(_compared_averages(model) for model in models.values()):
            compared[slice_name(key)] = _compared(models)
    overall = slices.pop(OVERALL, None)
    if overall is None:
        raise Refused(f"{evaluation_uri}: nothing was measured: the test split has no rows")
    return Evaluation(
        candidate=overall[tfma.CANDIDATE_KEY],
        baseline=overall.get(tfma.BASELINE_KEY),
        slices=dict(sorted(slices.items())),
        compared=compared,
    )


def _slice_value(key: Any) -> str:
    value = getattr(key, key.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _by_model(record: Any) -> dict[str, _Model]:
    models: dict[str, _Model] = {}
    for item in record.metric_keys_and_values:
        # A candidate measured alone has no name.
        model = models.setdefault(item.key.model_name or tfma.CANDIDATE_KEY, _Model())
        (model.changes if item.key.is_diff else model.values)[item.key.name] = item
    return models


def _compared_averages(model: _Model) -> list[str]:
    return [name for name in AVERAGES if compared_key(name) in model.values]


def _compared(models: Mapping[str, _Model]) -> Compared:
    candidate = models[tfma.CANDIDATE_KEY]
    names = _compared_averages(candidate)
    return Compared(
        averages={
            key: {name: _number(model.values[compared_key(name)]) for name in names} for key, model in models.items()
        },
        intervals=_defined({name: _interval(candidate.values.get(compared_key(name))) for name in names}),
        change_intervals=_defined({name: _interval(candidate.changes.get(compared_key(name))) for name in names}),
    )


def _metrics(model: _Model, labels: Sequence[str], lacking: Sequence[str]) -> Metrics:
    values = model.values
    rates = {metric: values[name_of_array(metric)].value.array_value.float64_values for metric in LABEL_RATES}
    counts = {
        metric: values[name_of_array(metric)].value.array_value.int64_values for metric in (*LABEL_COUNTS, SUPPORT)
    }
    has = [(index, label) for index, label in enumerate(labels) if label not in lacking]
    per_label = {
        label: LabelMetrics(
            **{metric: _or_none(column[index]) for metric, column in rates.items()},
            **{metric: column[index] for metric, column in counts.items()},
        )
        for index, label in has
    }
    return Metrics(
        **{name: _number(values[name]) for name in AVERAGES},
        examples=int(values[EXAMPLES].value.double_value.value),
        per_label=per_label,
        intervals=_intervals(values, has),
        change_intervals=_intervals(model.changes, has),
    )


def _intervals(items: Mapping[str, Any], labels: Sequence[tuple[int, str]]) -> dict[str, Interval]:
    """The intervals that there are, of averages and of each label, by the number's name."""
    found = {name: _interval(items.get(name)) for name in AVERAGES}
    for metric in LABEL_METRICS:
        array = items.get(name_of_array(metric))
        found |= {f"{metric}[{label}]": _interval(array, index) for index, label in labels}
    return _defined(found)


def _interval(item: Any, index: int | None = None) -> Interval | None:
    """The interval of a number, or of one place of an array."""
    if item is None or not item.HasField("confidence_interval"):
        return None
    bounds = (item.confidence_interval.lower_bound, item.confidence_interval.upper_bound)
    if index is None:
        low, high = (bound.double_value.value for bound in bounds)
    else:
        low, high = (bound.array_value.float64_values[index] for bound in bounds)
    return None if math.isnan(low) or math.isnan(high) else (low, high)


def _defined(intervals: Mapping[str, Interval | None]) -> dict[str, Interval]:
    return {name: interval for name, interval in intervals.items() if interval is not None}


def _number(item: Any) -> float | None:
    return _or_none(item.value.double_value.value)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
