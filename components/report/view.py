"""What a report says of a run, in words and tables: the verdict, the gates, the metrics, the slices, the run itself."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from components.evaluation.measured import GateResult, Metrics
from components.report.charts import bullet
from components.report.material import Material
from components.report.summary import MetricsSummary, Summary
from components.report.tables import Cell, Head, Table, any_number, change, count, in_words, number, text

# With fewer examples a label's numbers say little.
FEW = 30
_MOST_SLICES = 200
_CANDIDATE, _BASELINE = "candidate", "baseline"
# Of a label, shown first and in this order; whatever else is measured follows.
_FIRST = ("support", "precision", "recall", "f1")
_LAST = ("auc", "pr_auc", "threshold")
_KINDS = ("macro", "micro", "weighted", "samples")


@dataclass(frozen=True)
class Verdict:
    """What was decided, and why.

    Attributes:
        word: good, bad or stopped.
        headline: In a few words.
        why: Sentences.
        reasons: What stood against it, one by one.
    """

    word: str
    headline: str
    why: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class Figure:
    """A number of the first screen."""

    name: str
    value: str
    note: str
    look: str = ""


def verdict(summary: Summary) -> Verdict:
    """The decision on the first screen."""
    if summary.metrics is None:
        return Verdict("stopped", "Stopped before a model was judged", "Nothing was pushed.", summary.reasons)
    if not summary.blessed:
        failed = sum(not gate.passed for gate in summary.gates)
        gates = f"{failed} of {_plural(len(summary.gates), 'gate')} did not hold. " if failed else ""
        live = "The model that is live stays live." if summary.baseline else "Nothing was pushed."
        return Verdict("bad", "Not blessed", gates + live, summary.reasons)
    asked = _what_was_asked(summary.gates)
    if summary.pushed is None:
        return Verdict("bad", "Blessed, but not pushed", asked, summary.reasons)
    version = summary.pushed.rstrip("/").rsplit("/", 1)[-1]
    return Verdict("good", "Blessed and pushed", f"{asked} It is version {version} of the registry.", summary.reasons)


def figures(summary: Summary) -> list[Figure]:
    """The numbers of the first screen."""
    metrics = summary.metrics
    if metrics is None:
        return []
    found = []
    for name in ("macro_f1", "micro_f1", "macro_auc"):
        now = getattr(metrics, name)
        before = None if summary.baseline is None else getattr(summary.baseline, name)
        moved = change(now, before)
        note = f"{moved.shown} vs baseline" if moved.key is not None else ""
        found.append(Figure(in_words(name), str(number(now).shown), note, moved.look))
    found.append(Figure("test rows", f"{metrics.examples:,}", f"{len(metrics.per_label)} labels"))
    return found


def gates_table(gates: Sequence[GateResult]) -> Table:
    """Each gate with its value and bound, in the order of the configuration."""
    heads = [Head("gate", False), Head("outcome", False), Head("value"), Head("bound"), Head("", False)]
    more = _more_of(gates, ("gate", "value", "bound", "passed", "note"))
    heads += [*(Head(in_words(name)) for name in more), Head("in words", False)]
    rows = []
    for gate in gates:
        bar = Cell(bullet(gate.value, gate.bound, passed=gate.passed), gate.value)
        named = [text(gate.gate), _outcome(gate), number(gate.value), number(gate.bound), bar]
        rows.append([*named, *(_any(getattr(gate, name)) for name in more), text(gate.note, "soft")])
    return Table("What was asked of the model", heads, rows, "gates", sortable=False)


def averages_table(summary: Summary) -> Table:
    """Averages over the labels, and what is measured of whole examples, beside the baseline's."""
    assert summary.metrics is not None
    values = _numbers(summary.metrics)
    before = {} if summary.baseline is None else _numbers(summary.baseline)
    ordered = sorted(values, key=_kind)
    bounds: dict[str, Any] = getattr(summary.metrics, "intervals", {})
    heads = [Head("metric", False), Head(_CANDIDATE), *([Head("95 % interval")] if bounds else [])]
    heads += [Head(_BASELINE), Head("change")] if before else []
    rows = []
    for name in ordered:
        row = [text(in_words(name)), _any(values[name]), *([_any(bounds.get(name))] if bounds else [])]
        if before:
            row += [_any(before.get(name)), _changed(name, values[name], before.get(name))]
        rows.append(row)
    return Table("All labels together, on the test split", heads, rows, "averages")


def labels_table(summary: Summary) -> Table:
    """Every label, candidate against baseline."""
    assert summary.metrics is not None
    per_label = summary.metrics.per_label
    before = {} if summary.baseline is None else summary.baseline.per_label
    others = _more_of(per_label.values(), (*_FIRST, *_LAST))
    heads = [Head("label", False), *(Head(in_words(name)) for name in _FIRST)]
    heads += [Head("F1 of baseline"), Head("change")] if before else []
    heads += [Head(in_words(name)) for name in (*_LAST, *others)]
    rows = []
    for label, measured in per_label.items():
        row = [text(label, "few" if measured.support < FEW else "")]
        row += [_any(getattr(measured, name)) for name in _FIRST]
        if before:
            f1 = before[label].f1 if label in before else None
            row += [number(f1), change(measured.f1, f1)]
        rows.append(row + [_any(getattr(measured, name)) for name in (*_LAST, *others)])
    return Table("Each label at its own threshold, on the test split", heads, rows, "labels")


def slices_tables(summary: Summary) -> tuple[list[Table], int]:
    """One table a feature, its slices in the order of their names; and how many slices were left out of them."""
    by_feature: dict[str, list[str]] = defaultdict(list)
    for name in summary.slices:
        by_feature[" × ".join(part.partition("=")[0] for part in name.split(", "))].append(name)
    left, tables = _MOST_SLICES, []
    for feature, names in by_feature.items():
        shown, left = names[:left], max(0, left - len(names))
        if shown:
            tables.append(_slices_table(feature, {name: summary.slices[name] for name in shown}))
    return tables, max(0, len(summary.slices) - _MOST_SLICES)


def run_tables(material: Material) -> list[Table]:
    """How long each step took, and what it was made with."""
    summary, tables = material.summary, []
    if summary.durations_s:
        seconds = [[text(step), Cell(f"{took:,.1f}", took)] for step, took in summary.durations_s.items()]
        seconds.append([text("all steps"), Cell(f"{sum(summary.durations_s.values()):,.1f}", None, "sum")])
        tables.append(Table("Duration", [Head("step", False), Head("seconds")], seconds, "durations"))
    if summary.versions:
        rows = [[text(package), text(version)] for package, version in summary.versions.items()]
        tables.append(Table("Versions", [Head("package", False), Head("version")], rows, "versions"))
    return tables


def _slices_table(feature: str, slices: dict[str, dict[str, Metrics]]) -> Table:
    has_baseline = any(_BASELINE in models for models in slices.values())
    heads = [Head(feature, False), Head("examples"), Head("micro F1"), Head("macro F1")]
    heads += [Head("micro F1 of baseline"), Head("change")] if has_baseline else []
    rows = []
    for name, models in slices.items():
        metrics, before = models[_CANDIDATE], models.get(_BASELINE)
        values = ", ".join(part.partition("=")[2] for part in name.split(", "))
        row = [text(values, "few" if metrics.examples < FEW else ""), count(metrics.examples)]
        row += [number(metrics.micro_f1), number(metrics.macro_f1)]
        if has_baseline:
            micro = None if before is None else before.micro_f1
            row += [number(micro), change(metrics.micro_f1, micro)]
        rows.append(row)
    return Table(f"By {feature}", heads, rows)


def _outcome(gate: GateResult) -> Cell:
    if not gate.passed:
        return Cell("failed", "failed", "look down")
    return Cell("held", "held", "look up") if _was_asked(gate) else Cell("not asked", "not asked", "look")


def _was_asked(gate: GateResult) -> bool:
    """A gate without a bound lets the model through for want of anything to compare it with."""
    return bool(getattr(gate, "asked", gate.bound is not None))


def _what_was_asked(gates: Sequence[GateResult]) -> str:
    if not gates:
        return "No gate was configured: nothing was asked of the model."
    held = "The only gate held." if len(gates) == 1 else f"All {len(gates)} gates held."
    unasked = sum(not _was_asked(gate) for gate in gates)
    return f"{held} Not asked: {unasked}, as the table says." if unasked else held


def _kind(metric: str) -> int:
    kind = metric.partition("_")[0]
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _numbers(metrics: MetricsSummary) -> dict[str, Any]:
    """What is measured of all labels together, whatever there is."""
    left_out = {"per_label", "examples"}
    values = {name: getattr(metrics, name) for name in type(metrics).model_fields if name not in left_out}
    return {name: value for name, value in values.items() if any_number(value) is not None}


def _more_of(models: Iterable[Any], known: Sequence[str]) -> list[str]:
    """Fields besides the known ones that can be shown as a number: of what others may measure."""
    found: dict[str, None] = {}
    for model in models:
        for name in type(model).model_fields:
            value = getattr(model, name)
            if name not in known and value is not None and any_number(value) is not None:
                found[name] = None
    return list(found)


def _changed(name: str, now: Any, before: Any) -> Cell:
    better = -1 if "loss" in name or "error" in name else 1
    return change(now, before, better) if isinstance(now, float) and isinstance(before, float) else Cell("–")


def _any(value: Any) -> Cell:
    return any_number(value) or Cell("–")


def _plural(number_of: int, noun: str) -> str:
    return f"{number_of} {noun}" if number_of == 1 else f"{number_of} {noun}s"
