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
from components.evaluation.metrics import EXAMPLES, SUPPORT, name_of_array
from schema.errors import Refused

_OVERALL = ""


def read_evaluation(evaluation_uri: str, labels: Sequence[str]) -> Evaluation:
    """Reads what the Evaluator wrote.

    Args:
        evaluation_uri: of the ModelEvaluation artifact.
        labels: the labels that were measured, in order.

    Raises:
        Refused: there was no example to measure.
    """
    slices: dict[str, dict[str, Metrics]] = {}
    for record in tfma.load_metrics(evaluation_uri):
        slices[_slice_name(record)] = _metrics_by_model(record, labels)
    overall = slices.pop(_OVERALL, None)
    if overall is None:
        raise Refused(f"{evaluation_uri}: nothing was measured: the test split has no rows")
    return Evaluation(
        candidate=overall[tfma.CANDIDATE_KEY],
        baseline=overall.get(tfma.BASELINE_KEY),
        slices=dict(sorted(slices.items())),
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
    value = evaluation.candidate.value(gate)
    if evaluation.baseline is None:
        return _result(gate, value, None, True, f"no baseline yet: {gate.text} is not asked")
    before = evaluation.baseline.value(gate)
    if value is None or before is None:
        return _result(gate, value, None, False, _undefined(gate, "candidate" if value is None else "baseline"))
    # The change is what TFMA compares; the bound alone could differ from it in the last bit.
    passed = value - before >= gate.bound
    bound = before + gate.bound
    note = (
        f"{gate.name} is {_shown(value)} after {_shown(before)} of the baseline, "
        f"{'at least' if passed else 'below'} the bound of {_shown(bound)}"
    )
    return _result(gate, value, bound, passed, note)


def _result(gate: Gate, value: float | None, bound: float | None, passed: bool, note: str) -> GateResult:
    return GateResult(gate=gate.text, value=value, bound=bound, passed=passed, note=note)


def _undefined(gate: Gate, model: str) -> str:
    return f"{gate.name} of the {model} is undefined on the test split, and so never enough for {gate.text}"


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"


def _slice_name(record: Any) -> str:
    return ", ".join(f"{key.column}={_slice_value(key)}" for key in record.slice_key.single_slice_keys)


def _slice_value(key: Any) -> str:
    value = getattr(key, key.WhichOneof("kind"))
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _metrics_by_model(record: Any, labels: Sequence[str]) -> dict[str, Metrics]:
    values: dict[str, dict[str, Any]] = {}
    for item in record.metric_keys_and_values:
        if not item.key.is_diff:
            # A candidate measured alone has no name.
            values.setdefault(item.key.model_name or tfma.CANDIDATE_KEY, {})[item.key.name] = item.value
    return {model: _metrics(named, labels) for model, named in values.items()}


def _metrics(named: Mapping[str, Any], labels: Sequence[str]) -> Metrics:
    columns = {metric: named[name_of_array(metric)].array_value.float64_values for metric in LABEL_METRICS}
    support = named[name_of_array(SUPPORT)].array_value.int64_values
    per_label = {
        label: LabelMetrics(
            **{metric: _defined(column[index]) for metric, column in columns.items()}, support=support[index]
        )
        for index, label in enumerate(labels)
    }
    averages = {name: _defined(named[name].double_value.value) for name in AVERAGES}
    return Metrics(**averages, examples=int(named[EXAMPLES].double_value.value), per_label=per_label)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
