"""What a report says of a run, in tables: the metrics, the labels, the slices, the run itself."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import Any

from components.evaluation.metrics.values import Metrics
from components.report.drawing.tables import Cell, Head, Table, any_number, change, count, in_words, number, text
from components.report.summary import MetricsSummary, Summary
from components.report.views.material import Material

# With fewer examples a label's numbers say little.
FEW = 30
_MOST_SLICES = 200
_CANDIDATE, _BASELINE = "candidate", "baseline"
# Of a label, shown first and in this order; whatever else is measured follows.
_FIRST = ("support", "precision", "recall", "f1")
_LAST = ("auc", "pr_auc", "threshold")
_KINDS = ("macro", "micro", "weighted", "samples")


def averages_table(summary: Summary) -> Table:
    """Averages over the labels, and what is measured of whole examples, beside the baseline's."""
    assert summary.metrics is not None
    values = _numbers(summary.metrics)
    before = {} if summary.baseline is None else _numbers(summary.baseline)
    ordered = sorted({**values, **before}, key=_kind)
    bounds, changes = summary.metrics.intervals, summary.metrics.change_intervals
    heads = [Head("metric", False), Head(_CANDIDATE), *([Head("95 % interval")] if bounds else [])]
    heads += [Head(_BASELINE), Head("change"), *([Head("change, 95 %")] if changes else [])] if before else []
    rows = []
    for name in ordered:
        row = [text(in_words(name)), _any(values.get(name)), *([_any(bounds.get(name))] if bounds else [])]
        if before:
            row += [_any(before.get(name)), _changed(name, values.get(name), before.get(name))]
            row += [_any(changes.get(name))] if changes else []
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
    gated = list(dict.fromkeys(name.partition("[")[0] for name in summary.metrics.intervals if "[" in name))
    heads += [Head(f"{in_words(name)}, 95 %") for name in gated]
    heads += [Head(in_words(name)) for name in (*_LAST, *others)]
    rows = []
    for label, measured in per_label.items():
        row = [text(label, "few" if measured.support < FEW else "")]
        row += [_any(getattr(measured, name)) for name in _FIRST]
        if before:
            f1 = before[label].f1 if label in before else None
            row += [number(f1), change(measured.f1, f1)]
        row += [_any(summary.metrics.intervals.get(f"{name}[{label}]")) for name in gated]
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
            tables.append(_slices_table(feature, {name: summary.slices[name] for name in shown}, summary.small_slices))
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


def _slices_table(feature: str, slices: dict[str, dict[str, Metrics]], too_few: Container[str]) -> Table:
    has_baseline = any(_BASELINE in models for models in slices.values())
    heads = [Head(feature, False), Head("examples"), Head("micro F1"), Head("macro F1")]
    heads += [Head("micro F1 of baseline"), Head("change")] if has_baseline else []
    rows = []
    for name, models in slices.items():
        metrics, before = models[_CANDIDATE], models.get(_BASELINE)
        values = ", ".join(part.partition("=")[2] for part in name.split(", "))
        look = "never" if name in too_few else "few" if metrics.examples < FEW else ""
        row = [text(values, look), count(metrics.examples)]
        row += [number(metrics.micro_f1), number(metrics.macro_f1)]
        if has_baseline:
            micro = None if before is None else before.micro_f1
            row += [number(micro), change(metrics.micro_f1, micro)]
        rows.append(row)
    return Table(f"By {feature}", heads, rows)


def _kind(metric: str) -> int:
    kind = metric.partition("_")[0]
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _numbers(metrics: MetricsSummary) -> dict[str, Any]:
    """What is measured of all labels together; not what an older run did not measure."""
    left_out = {"per_label", "examples"}
    values = {name: getattr(metrics, name) for name in type(metrics).model_fields if name not in left_out}
    return {name: value for name, value in values.items() if value is not None and any_number(value) is not None}


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
