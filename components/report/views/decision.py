"""First screen of the report, and the gates: what was decided, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.evaluation.gates.result import GateResult
from components.report.drawing.charts import bullet
from components.report.drawing.tables import (
    Cell,
    Head,
    Table,
    any_number,
    change,
    count,
    display_name,
    interval,
    number,
    text,
)
from components.report.summary import Summary

_HEADLINES = {
    "no_new_data": "No new data: nothing was done",
    "scored": "Scored",
    "refused": "Refused before a model was judged",
    "failed": "Failed before a model was judged",
}


@dataclass(frozen=True)
class Verdict:
    """Decision on the model.

    Attributes:
        css_class: good, bad or stopped.
        headline: The decision in a few words.
        why: Explanation in full sentences.
        reasons: Reasons against the model, or what ended the run.
    """

    css_class: str
    headline: str
    why: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class Figure:
    """Number of the first screen."""

    name: str
    value: str
    note: str
    css_class: str = ""


def verdict(summary: Summary) -> Verdict:
    """Return the decision of the first screen."""
    if summary.outcome in _HEADLINES:
        return Verdict("stopped", _HEADLINES[summary.outcome], "Nothing was pushed.", summary.reasons)
    why = [_count_gates(summary)]
    if summary.canary is not None and not summary.canary.passed:
        why.append("The canary failed.")
    if summary.pushed is not None:
        version = summary.pushed.rstrip("/").rsplit("/", 1)[-1]
        why.append(f"It is version {version} of the registry.")
        return Verdict("good", "Blessed and pushed", " ".join(why), summary.reasons)
    if summary.blessed:
        return Verdict("bad", "Blessed, but not pushed", " ".join(why), summary.reasons)
    why.append("The live model stays live." if summary.baseline else "Nothing was pushed.")
    return Verdict("bad", "Not blessed", " ".join(why), summary.reasons)


def figures(summary: Summary) -> list[Figure]:
    """Return the numbers of the first screen."""
    metrics = summary.metrics
    if metrics is None:
        return []
    found = []
    for name in ("macro_f1", "micro_f1", "macro_auc"):
        value = getattr(metrics, name)
        baseline = None if summary.baseline is None else getattr(summary.baseline, name)
        moved = change(value, baseline)
        note = f"{moved.shown} vs baseline" if moved.key is not None else ""
        found.append(Figure(display_name(name), str(number(value).shown), note, moved.css_class))
    found.append(Figure("test rows", f"{metrics.examples:,}", f"{len(metrics.per_label)} labels"))
    return found


def gates_table(gates: Sequence[GateResult], anchors: Mapping[str, str] | None = None) -> Table:
    """Return a table of the gates with value and bound, in the order of the configuration.

    Args:
        gates: The gates.
        anchors: Ids of the labels' sections on the page, which gates on a label link to; None where there is no page.
    """
    heads = [Head("gate", False), Head("status", False), Head("value"), Head("bound"), Head("", False)]
    optional = [
        (head, name)
        for head, name in (
            ("value, 95 %", "interval"), ("change vs baseline, 95 %", "change_interval"), ("rows", "support"),
        )
        if any(getattr(gate, name) is not None for gate in gates)
    ]  # fmt: skip
    heads += [*(Head(head) for head, _ in optional), Head("details", False)]
    rows = []
    for gate in gates:
        link = "" if anchors is None else _section_of(gate, anchors)
        cells = [text(gate.gate, link=link), status_cell(gate.status), *_value_and_bound(gate)]
        cells += [any_number(getattr(gate, name)) or Cell("–") for _, name in optional]
        rows.append([*cells, text(gate.note, "soft")])
    return Table("Value and bound of each gate", heads, rows, "gates", sortable=False)


def _section_of(gate: GateResult, anchors: Mapping[str, str]) -> str:
    """Return the id of the section that shows what a gate is about."""
    if gate.gate.startswith("behaviour["):
        return "behaviour"
    if gate.slice is not None:
        return "slices"
    if gate.label is not None:
        return anchors.get(gate.label, "labels")
    return "labels" if "[" in gate.gate else "metrics"


def gate_line(gate: GateResult) -> str:
    """Return a gate with its details and intervals in one line."""
    details = [gate.note] if gate.note else []
    details += [f"95 % interval {interval(gate.interval)}"] if gate.interval else []
    details += [f"of the change {interval(gate.change_interval)}"] if gate.change_interval else []
    return f"{gate.gate} ({'; '.join(details)})" if details else gate.gate


def status_cell(status: str) -> Cell:
    """Return the cell of a status, coloured if it is passed or failed."""
    return Cell(status, status, {"failed": "status down", "passed": "status up"}.get(status, "status"))


def _value_and_bound(gate: GateResult) -> list[Cell]:
    """Return value, bound and a bar of both; no bar for counts, which have no upper end."""
    if gate.is_count:
        return [*(Cell("–" if each is None else f"{each:,g}", each) for each in (gate.value, gate.bound)), Cell("")]
    css_class = {"failed": "bad", "passed": "good"}.get(gate.status, "unasked")
    return [number(gate.value), number(gate.bound), Cell(bullet(gate.value, gate.bound, css_class), gate.value)]


def _count_gates(summary: Summary) -> str:
    """Return how many gates failed, passed and were not asked, as a sentence."""
    asked = [gate for gate in summary.gates if gate.status != "not asked"]
    unasked = len(summary.gates) - len(asked)
    if not asked:
        cause = "no gate could be asked" if unasked else "no gate is configured"
        note = summary.gates_note or f"{cause}: nothing was asked of the model"
        return f"{note[0].upper()}{note[1:]}."
    failed = sum(not gate.passed for gate in asked)
    passed = len(asked) - failed
    if not failed and not unasked:
        return f"All {count(passed).shown} gates passed." if passed > 1 else "The only gate passed."
    counts = [(failed, "failed"), (passed, "passed"), (unasked, "was not asked" if unasked == 1 else "were not asked")]
    (first, status), *others = [(many, status) for many, status in counts if many]
    parts = [f"{count(first).shown} gate{'s' * (first > 1)} {status}"]
    return f"{', '.join([*parts, *(f'{count(many).shown} {status}' for many, status in others)])}."
