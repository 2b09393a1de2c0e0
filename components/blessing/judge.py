"""Decisions on gates, and their explanation. Needs neither TensorFlow nor TFMA.

Gates that are TFMA thresholds are decided here a second time, by the same arithmetic; a test shows that both always
agree. All others, those on a slice, with `where support`, or on every label, are decided here alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from components.evaluation.gates.gate import EVERY_LABEL, Gate
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.catalogue import is_count
from components.evaluation.metrics.slicing import slice_name
from components.evaluation.metrics.values import Compared, Evaluation, Interval, Metrics

_CANDIDATE, _BASELINE = "candidate", "baseline"
_MOST_NAMED = 5


@dataclass(frozen=True)
class _Measured:
    """Metrics on the examples that a gate applies to.

    Attributes:
        candidate: Metrics of the candidate.
        baseline: Metrics of the baseline; None if there is none.
        compared: Averages over the labels that both models have, where these are not all.
        no_baseline: Why there is no baseline, if there is none.
    """

    candidate: Metrics
    baseline: Metrics | None
    compared: Compared
    no_baseline: str


def judge_gates(
    gates: Sequence[Gate],
    evaluation: Evaluation,
    *,
    min_support: int = 0,
    unverified: Collection[Gate] = (),
    no_baseline: str = "no baseline yet",
) -> list[GateResult]:
    """Decide each gate.

    Args:
        gates: The gates of the configuration.
        evaluation: The Evaluator's results.
        min_support: Gates on a slice with fewer examples are not asked.
        unverified: Gates on a slice whose value the schema does not list: they fail if it has no examples.
        no_baseline: Why there is no baseline, if there is none.

    Returns:
        The result of each gate, in the same order.
    """
    results = []
    for gate in gates:
        measured = _select_slice(evaluation, slice_name(gate.slice), no_baseline)
        if measured is None or (gate.slice and measured.candidate.examples < min_support):
            results.append(_judge_small_slice(gate, measured, min_support, gate in unverified))
        elif gate.label == EVERY_LABEL:
            results.append(_judge_every_label(gate, measured))
        else:
            results.append(_judge_one(gate, gate.label, measured))
    return results


def small_slices(evaluation: Evaluation, min_support: int) -> dict[str, int]:
    """Return the slices with fewer examples than `min_support`, and their numbers of examples."""
    examples = {name: models[_CANDIDATE].examples for name, models in evaluation.slices.items()}
    return {name: count for name, count in examples.items() if count < min_support}


def _select_slice(evaluation: Evaluation, name: str, no_baseline: str) -> _Measured | None:
    """Return the metrics on a slice, or with an empty name, on all examples; None if the slice has no examples."""
    compared = evaluation.compared.get(name, Compared())
    if not name:
        return _Measured(evaluation.candidate, evaluation.baseline, compared, no_baseline)
    models = evaluation.slices.get(name)
    return None if models is None else _Measured(models[_CANDIDATE], models.get(_BASELINE), compared, no_baseline)


def _judge_small_slice(gate: Gate, measured: _Measured | None, min_support: int, unverified: bool) -> GateResult:
    """Return the result of a gate on a slice with too few examples, or none."""
    name = slice_name(gate.slice)
    if measured is None and unverified:
        note = (
            f"no example of the test split is in {name}: is it misspelt? List the column's values in the schema, or "
            "remove the gate"
        )
        return _result(gate, None, None, note, passed=False, support=0)
    count = 0 if measured is None else measured.candidate.examples
    reason = f"{name} has {count} examples, evaluation.min_support is {min_support}"
    return _result(gate, None, None, f"{reason}: {gate.text} is not asked", asked=False, support=count)


def _judge_every_label(gate: Gate, measured: _Measured) -> GateResult:
    """Return the result for the label that fails by most or passes by least, with a note on the others."""
    results = [_judge_one(gate, label, measured) for label in measured.candidate.per_label]
    decided = [result for result in results if result.asked]
    if not decided:
        same = results[0].note if len({result.note for result in results}) == 1 else ""
        return _result(gate, None, None, same or f"it applies to no label: {gate.text} is not asked", asked=False)
    worst = min(decided, key=_margin)
    failed = [result for result in decided if not result.passed]
    unasked = [result.label or "" for result in results if not result.asked]
    rest = f"; not asked for {_list_labels(unasked)}" if unasked else ""
    if failed:
        notes = [result.note for result in sorted(failed, key=_margin)]
        more = f", and {len(notes) - _MOST_NAMED} more" if len(notes) > _MOST_NAMED else ""
        note = f"{len(failed)} of {len(decided)} labels fail: {', '.join(notes[:_MOST_NAMED])}{more}{rest}"
    else:
        note = f"{len(decided)} of {len(decided)} labels pass, the closest: {worst.note}{rest}"
    return worst.model_copy(update={"note": note})


def _list_labels(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
    return ", ".join(labels[:_MOST_NAMED]) + more


def _margin(result: GateResult) -> float:
    """Return by how much a value passes its bound, negative if it fails; an undefined value fails by most."""
    if result.value is None or result.bound is None:
        return float("-inf")
    margin = result.value - result.bound
    return -margin if result.lower_is_better else margin


def _judge_one(gate: Gate, label: str | None, measured: _Measured) -> GateResult:
    """Return the result of a gate for one label, or with None, for an average."""
    judge = _judge_against_baseline if gate.against_baseline else _judge_value
    if label is None:
        return judge(gate, None, measured, measured.candidate.examples if gate.slice else None)
    support = measured.candidate.per_label[label].support
    if gate.label == EVERY_LABEL and measured.candidate.per_label[label].unknown == measured.candidate.examples:
        note = f"nobody knows which examples have {label}: {gate.text} is not asked"
        return _result(gate, None, None, note, label=label, asked=False, support=support)
    if support < gate.min_support:
        note = f"{label} has {support} examples, fewer than {gate.min_support}: {gate.text} is not asked"
        return _result(gate, None, None, note, label=label, asked=False, support=support)
    return judge(gate, label, measured, support)


def _judge_value(gate: Gate, label: str | None, measured: _Measured, support: int | None) -> GateResult:
    value = measured.candidate.value(gate.metric, label)
    interval = measured.candidate.intervals.get(_interval_name(gate, label))
    if value is None:
        note = _explain_undefined(gate, label, _CANDIDATE)
        return _result(gate, None, gate.bound, note, label=label, passed=False, support=support)
    passed = value <= gate.bound if gate.lower_is_better else value >= gate.bound
    bound = f"{_relation(gate, passed)} the bound of {_format(gate.bound)}"
    note = f"{gate.metric_name(label)} is {_format(value)}, {bound}"
    return _result(gate, value, gate.bound, note, label=label, passed=passed, support=support, interval=interval)


def _judge_against_baseline(gate: Gate, label: str | None, measured: _Measured, support: int | None) -> GateResult:
    value, interval, change_interval = _candidate_value(gate, label, measured)
    if measured.baseline is None:
        note = f"{measured.no_baseline}: {gate.text} is not asked"
        return _result(gate, value, None, note, label=label, asked=False, support=support, interval=interval)
    if label is not None and label not in measured.baseline.per_label:
        note = f"the {gate.REFERENCE_MODEL} has no label '{label}': {gate.text} is not asked"
        return _result(gate, value, None, note, label=label, asked=False, support=support, interval=interval)
    over_shared = _is_over_shared_labels(gate, label, measured)
    baseline_value = (
        measured.compared.averages[_BASELINE][gate.metric]
        if over_shared
        else measured.baseline.value(gate.metric, label)
    )
    if value is None or baseline_value is None:
        note = _explain_undefined(gate, label, _CANDIDATE if value is None else gate.REFERENCE_MODEL)
        return _result(gate, value, None, note, label=label, passed=False, support=support)
    # TFMA compares the change; a comparison with the absolute bound could differ from that in the last bit.
    change = value - baseline_value
    passed = change <= gate.bound if gate.lower_is_better else change >= gate.bound
    bound = baseline_value + gate.bound
    over = " over the labels that both models have" if over_shared else ""
    note = (
        f"{gate.metric_name(label)}{over} is {_format(value)}, the {gate.REFERENCE_MODEL}'s is "
        f"{_format(baseline_value)}: {_relation(gate, passed)} the bound of {_format(bound)}"
    )
    return _result(
        gate, value, bound, note,
        label=label, passed=passed, support=support, interval=interval, change_interval=change_interval,
    )  # fmt: skip


def _candidate_value(
    gate: Gate, label: str | None, measured: _Measured
) -> tuple[float | None, Interval | None, Interval | None]:
    """Return the candidate's value in a comparison with the baseline, its interval, and that of the change."""
    candidate, compared = measured.candidate, measured.compared
    if _is_over_shared_labels(gate, label, measured):
        value = compared.averages[_CANDIDATE][gate.metric]
        return value, compared.intervals.get(gate.metric), compared.change_intervals.get(gate.metric)
    name = _interval_name(gate, label)
    return candidate.value(gate.metric, label), candidate.intervals.get(name), candidate.change_intervals.get(name)


def _is_over_shared_labels(gate: Gate, label: str | None, measured: _Measured) -> bool:
    """Return whether the models are compared by an average over the labels that both have, not over all labels."""
    return label is None and gate.metric in measured.compared.averages.get(_BASELINE, {})


def _interval_name(gate: Gate, label: str | None) -> str:
    return gate.metric if label is None else f"{gate.metric}[{label}]"


def _relation(gate: Gate, passed: bool) -> str:
    if gate.lower_is_better:
        return "at most" if passed else "above"
    return "at least" if passed else "below"


def _explain_undefined(gate: Gate, label: str | None, model: str) -> str:
    return f"{gate.metric_name(label)} of the {model} is undefined on the test split, so {gate.text} fails"


def _format(value: float) -> str:
    return f"{value:.6g}"


def _result(
    gate: Gate,
    value: float | None,
    bound: float | None,
    note: str,
    *,
    label: str | None = None,
    passed: bool = True,
    asked: bool = True,
    support: int | None = None,
    interval: Interval | None = None,
    change_interval: Interval | None = None,
) -> GateResult:
    return GateResult(
        gate=gate.text,
        value=value,
        bound=bound,
        passed=passed,
        note=note,
        asked=asked,
        lower_is_better=gate.lower_is_better,
        is_count=is_count(gate.metric),
        label=label,
        slice=slice_name(gate.slice) or None,
        support=support,
        interval=interval,
        change_interval=change_interval,
    )
