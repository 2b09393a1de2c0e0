"""Whether each gate lets the model through, and why, in words. Needs neither TensorFlow nor TFMA.

Gates that are TFMA thresholds are decided here once more, by the same arithmetic (a test shows that both always agree);
the others, those of a slice, with `where support`, or of every label, are decided here alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from components.evaluation.gates.gate import EVERY_LABEL, Gate
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.slicing import slice_name
from components.evaluation.metrics.values import Compared, Evaluation, Interval, Metrics

_CANDIDATE, _BASELINE = "candidate", "baseline"
_MOST_NAMED = 5


@dataclass(frozen=True)
class _Examples:
    """What was measured on the examples that a gate is about; why there is no baseline, if there is none."""

    candidate: Metrics
    baseline: Metrics | None
    compared: Compared
    no_baseline: str


def gate_results(
    gates: Sequence[Gate],
    evaluation: Evaluation,
    *,
    min_support: int = 0,
    unverified: Collection[str] = (),
    no_baseline: str = "no baseline yet",
) -> list[GateResult]:
    """The outcome of each gate, in the given order.

    Args:
        gates: as configured.
        evaluation: what the Evaluator measured.
        min_support: of a slice with fewer examples nothing is asked.
        unverified: gates on a slice of which only the data tells whether it exists: without examples, they fail.
        no_baseline: why there is none, where there is none.
    """
    found = []
    for gate in gates:
        examples = _examples(evaluation, slice_name(gate.slice), no_baseline)
        if examples is None or (gate.slice and examples.candidate.examples < min_support):
            found.append(_of_few(gate, examples, min_support, gate.text in unverified))
        elif gate.label == EVERY_LABEL:
            found.append(_of_every_label(gate, examples))
        else:
            found.append(_of_one(gate, gate.label, examples))
    return found


def small_slices(evaluation: Evaluation, min_support: int) -> dict[str, int]:
    """The slices of which no gate is asked -> their examples."""
    examples = {name: models[_CANDIDATE].examples for name, models in evaluation.slices.items()}
    return {name: count for name, count in examples.items() if count < min_support}


def _examples(evaluation: Evaluation, name: str, no_baseline: str) -> _Examples | None:
    compared = evaluation.compared.get(name, Compared())
    if not name:
        return _Examples(evaluation.candidate, evaluation.baseline, compared, no_baseline)
    models = evaluation.slices.get(name)
    return None if models is None else _Examples(models[_CANDIDATE], models.get(_BASELINE), compared, no_baseline)


def _of_few(gate: Gate, examples: _Examples | None, min_support: int, unverified: bool) -> GateResult:
    """The outcome of a gate on a slice with too few examples, or none."""
    name = slice_name(gate.slice)
    if examples is None and unverified:
        why = (
            f"no example of the test split is in {name}: is it misspelt? List the column's values in the schema, or "
            "take the gate out"
        )
        return _outcome(gate, None, None, why, passed=False, support=0)
    count = 0 if examples is None else examples.candidate.examples
    few = f"{name} has {count} examples, evaluation.min_support is {min_support}"
    return _outcome(gate, None, None, f"{few}: {gate.text} is not asked", asked=False, support=count)


def _of_every_label(gate: Gate, examples: _Examples) -> GateResult:
    """One outcome of a gate on every label: that of the label nearest to failing, with the names of others."""
    outcomes = [_of_one(gate, label, examples) for label in examples.candidate.per_label]
    asked = [outcome for outcome in outcomes if outcome.asked]
    if not asked:
        first = outcomes[0].note if len({outcome.note for outcome in outcomes}) == 1 else ""
        note = first or f"of no label can it be asked: {gate.text} is not asked"
        return _outcome(gate, None, None, note, asked=False)
    worst = min(asked, key=_margin)
    failed = [outcome for outcome in asked if not outcome.passed]
    left_out = [outcome.label or "" for outcome in outcomes if not outcome.asked]
    rest = f"; not asked of {_named(left_out)}" if left_out else ""
    if failed:
        notes = [outcome.note for outcome in sorted(failed, key=_margin)]
        more = f", and {len(notes) - _MOST_NAMED} more" if len(notes) > _MOST_NAMED else ""
        note = f"{len(failed)} of {len(asked)} labels: {', '.join(notes[:_MOST_NAMED])}{more}{rest}"
    else:
        note = f"{len(asked)} of {len(asked)} labels keep it, the nearest: {worst.note}{rest}"
    return worst.model_copy(update={"note": note})


def _named(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _MOST_NAMED} more" if len(labels) > _MOST_NAMED else ""
    return ", ".join(labels[:_MOST_NAMED]) + more


def _margin(outcome: GateResult) -> float:
    """How far inside its bound a number is; what is undefined is outside of all bounds."""
    if outcome.value is None or outcome.bound is None:
        return float("-inf")
    inside = outcome.value - outcome.bound
    return -inside if outcome.lower_is_better else inside


def _of_one(gate: Gate, label: str | None, examples: _Examples) -> GateResult:
    """The outcome of a gate on an average, or of one label."""
    if label is not None:
        support = examples.candidate.per_label[label].support
        if support < gate.least_support:
            few = f"{label} has {support} examples, fewer than {gate.least_support}"
            return _outcome(
                gate, None, None, f"{few}: {gate.text} is not asked", label=label, asked=False, support=support
            )
        return (_against_baseline if gate.baseline else _alone)(gate, label, examples, support)
    support_of_slice = examples.candidate.examples if gate.slice else None
    return (_against_baseline if gate.baseline else _alone)(gate, None, examples, support_of_slice)


def _alone(gate: Gate, label: str | None, examples: _Examples, support: int | None) -> GateResult:
    value = examples.candidate.value(gate.metric, label)
    interval = examples.candidate.intervals.get(_interval_name(gate, label))
    if value is None:
        note = _undefined(gate, label, _CANDIDATE)
        return _outcome(gate, None, gate.bound, note, label=label, passed=False, support=support)
    passed = value <= gate.bound if gate.lower_is_better else value >= gate.bound
    note = f"{gate.name_of(label)} is {_shown(value)}, {_relation(gate, passed)} the bound of {_shown(gate.bound)}"
    return _outcome(gate, value, gate.bound, note, label=label, passed=passed, support=support, interval=interval)


def _against_baseline(gate: Gate, label: str | None, examples: _Examples, support: int | None) -> GateResult:
    value, interval, change_interval = _of_candidate(gate, label, examples)
    if examples.baseline is None:
        note = f"{examples.no_baseline}: {gate.text} is not asked"
        return _outcome(gate, value, None, note, label=label, asked=False, support=support, interval=interval)
    if label is not None and label not in examples.baseline.per_label:
        note = f"the baseline has no label '{label}': {gate.text} is not asked"
        return _outcome(gate, value, None, note, label=label, asked=False, support=support, interval=interval)
    shared = _is_compared(gate, label, examples)
    before = (
        examples.compared.averages[_BASELINE][gate.metric] if shared else examples.baseline.value(gate.metric, label)
    )
    if value is None or before is None:
        note = _undefined(gate, label, _CANDIDATE if value is None else _BASELINE)
        return _outcome(gate, value, None, note, label=label, passed=False, support=support)
    # The change is what TFMA compares; the bound alone could differ from it in the last bit.
    change = value - before
    passed = change <= gate.bound if gate.lower_is_better else change >= gate.bound
    bound = before + gate.bound
    over = " over the labels that both have" if shared else ""
    note = (
        f"{gate.name_of(label)}{over} is {_shown(value)} after {_shown(before)} of the baseline, "
        f"{_relation(gate, passed)} the bound of {_shown(bound)}"
    )
    return _outcome(
        gate, value, bound, note,
        label=label, passed=passed, support=support, interval=interval, change_interval=change_interval,
    )  # fmt: skip


def _of_candidate(
    gate: Gate, label: str | None, examples: _Examples
) -> tuple[float | None, Interval | None, Interval | None]:
    """The candidate's number in a comparison, its interval and that of the change."""
    candidate, compared = examples.candidate, examples.compared
    if _is_compared(gate, label, examples):
        value = compared.averages[_CANDIDATE][gate.metric]
        return value, compared.intervals.get(gate.metric), compared.change_intervals.get(gate.metric)
    name = _interval_name(gate, label)
    return candidate.value(gate.metric, label), candidate.intervals.get(name), candidate.change_intervals.get(name)


def _is_compared(gate: Gate, label: str | None, examples: _Examples) -> bool:
    """Whether it is about an average that is over the labels that both models have, and not over all."""
    return label is None and gate.metric in examples.compared.averages.get(_BASELINE, {})


def _interval_name(gate: Gate, label: str | None) -> str:
    return gate.metric if label is None else f"{gate.metric}[{label}]"


def _relation(gate: Gate, passed: bool) -> str:
    if gate.lower_is_better:
        return "at most" if passed else "above"
    return "at least" if passed else "below"


def _undefined(gate: Gate, label: str | None, model: str) -> str:
    return f"{gate.name_of(label)} of the {model} is undefined on the test split, and so never enough for {gate.text}"


def _shown(value: float) -> str:
    return f"{value:.6g}"


def _outcome(
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
        label=label,
        slice=slice_name(gate.slice) or None,
        support=support,
        interval=interval,
        change_interval=change_interval,
    )
