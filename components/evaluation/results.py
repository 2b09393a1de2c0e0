"""Reads the Evaluator's results, and puts the gates' outcome in words.

TFMA's files are read here and nowhere else. Whether a model is blessed is the blessing artifact's to say; the words
follow the same arithmetic (`GateResult.passed` for all gates is `blessed`, as a test shows).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_model_analysis as tfma

from components.evaluation.gates import AVERAGES, LABEL_METRICS, Gate
from components.evaluation.measured import Evaluation, GateResult, LabelMetrics, Metrics
from components.evaluation.metrics import EXAMPLES, SUPPORT, compared_key, name_of_array
from schema.errors import Refused
from schema.features import LABELS

_OVERALL = ""


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
    compared: dict[str, dict[str, float | None]] = {}
    for record in tfma.load_metrics(evaluation_uri):
        if not _is_measured(record, labels):
            continue
        values = _values_by_model(record)
        slices[_slice_name(record)] = {
            model: _metrics(named, labels, lacking if model == tfma.BASELINE_KEY else ())
            for model, named in values.items()
        }
        if _slice_name(record) == _OVERALL:
            compared = {model: _compared(named) for model, named in values.items() if _compared(named)}
    overall = slices.pop(_OVERALL, None)
    if overall is None:
        raise Refused(f"{evaluation_uri}: nothing was measured: the test split has no rows")
    return Evaluation(
        candidate=overall[tfma.CANDIDATE_KEY],
        baseline=overall.get(tfma.BASELINE_KEY),
        slices=dict(sorted(slices.items())),
        compared=compared,
    )


def gate_results(gates: Sequence[Gate], evaluation: Evaluation) -> list[GateResult]:
    """The outcome of each gate, in the given order."""
    return [_against_baseline(gate, evaluation) if gate.baseline else _alone(gate, evaluation) for gate in gates]


def reasons_against(results: Sequence[GateResult]) -> list[str]:
    """Why the model is not blessed: the notes of the gates that it did not pass; empty if it passed all."""
    return [result.note for result in results if not result.passed]


def _alone(gate: Gate, evaluation: Evaluation) -> GateResult:
    value = evaluation.candidate.value(gate)
    passed = value is not None and value >= gate.bound
    note = f"{gate.name} is {_shown(value)}, {'at least' if passed else 'below'} the bound of {_shown(gate.bound)}"
    return _result(gate, value, gate.bound, passed, note if value is not None else _undefined(gate, "candidate"))


def _against_baseline(gate: Gate, evaluation: Evaluation) -> GateResult:
    value = _compared_value(gate, evaluation, tfma.CANDIDATE_KEY, evaluation.candidate)
    if evaluation.baseline is None:
        return _result(gate, value, None, True, f"no baseline yet: {gate.text} is not asked")
    if gate.label is not None and gate.label not in evaluation.baseline.per_label:
        return _result(gate, value, None, True, f"the baseline has no label '{gate.label}': {gate.text} is not asked")
    before = _compared_value(gate, evaluation, tfma.BASELINE_KEY, evaluation.baseline)
    if value is None or before is None:
        return _result(gate, value, None, False, _undefined(gate, "candidate" if value is None else "baseline"))
    # The change is what TFMA compares; the bound alone could differ from it in the last bit.
    passed = value - before >= gate.bound
    bound = before + gate.bound
    over = " over the labels that both have" if gate.label is None and evaluation.compared else ""
    note = (
        f"{gate.name}{over} is {_shown(value)} after {_shown(before)} of the baseline, "
        f"{'at least' if passed else 'below'} the bound of {_shown(bound)}"
    )
    return _result(gate, value, bound, passed, note)


def _compared_value(gate: Gate, evaluation: Evaluation, model: str, metrics: Metrics) -> float | None:
    """A model's number in a comparison: an average is over the labels that both models have."""
    compared = evaluation.compared.get(model, {})
    return compared[gate.metric] if gate.label is None and gate.metric in compared else metrics.value(gate)


def _result(gate: Gate, value: float | None, bound: float | None, passed: bool, note: str) -> GateResult:
    return GateResult(gate=gate.text, value=value, bound=bound, passed=passed, note=note)


def _undefined(gate: Gate, model: str) -> str:
    return f"{gate.name} of the {model} is undefined on the test split, and so never enough for {gate.text}"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"


def _is_measured(record: Any, labels: Sequence[str]) -> bool:
    """Whether the slice is none of a label that is not in use any more."""
    keys = record.slice_key.single_slice_keys
    return all(_slice_value(key) in labels for key in keys if key.column == LABELS)


def _slice_name(record: Any) -> str:
    return ", ".join(f"{key.column}={_slice_value(key)}" for key in record.slice_key.single_slice_keys)


def _slice_value(key: Any) -> str:
    value = getattr(key, key.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _values_by_model(record: Any) -> dict[str, dict[str, Any]]:
    values: dict[str, dict[str, Any]] = {}
    for item in record.metric_keys_and_values:
        if not item.key.is_diff:
            # A candidate measured alone has no name.
            values.setdefault(item.key.model_name or tfma.CANDIDATE_KEY, {})[item.key.name] = item.value
    return values


def _compared(named: Mapping[str, Any]) -> dict[str, float | None]:
    return {name: _defined(named[key].double_value.value) for name in AVERAGES if (key := compared_key(name)) in named}


def _metrics(named: Mapping[str, Any], labels: Sequence[str], lacking: Sequence[str]) -> Metrics:
    columns = {metric: named[name_of_array(metric)].array_value.float64_values for metric in LABEL_METRICS}
    support = named[name_of_array(SUPPORT)].array_value.int64_values
    per_label = {
        label: LabelMetrics(
            **{metric: _defined(column[index]) for metric, column in columns.items()}, support=support[index]
        )
        for index, label in enumerate(labels)
        if label not in lacking
    }
    averages = {name: _defined(named[name].double_value.value) for name in AVERAGES}
    return Metrics(**averages, examples=int(named[EXAMPLES].double_value.value), per_label=per_label)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
