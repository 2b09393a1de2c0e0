"""Tables of the report: averages, labels, slices, durations and versions."""

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import Any

from components.evaluation.metrics.catalogue import lower_is_better
from components.evaluation.metrics.values import Metrics
from components.report.drawing.tables import Cell, Head, Table, any_number, change, count, display_name, number, text
from components.report.summary import MetricsSummary, Summary
from components.report.views.material import Material

# Below this number of examples, a label's metrics are too uncertain to rely on.
FEW = 30
_MOST_SLICES = 200
_CANDIDATE, _BASELINE = "candidate", "baseline"
# A label's metrics that are shown first and last, in this order; any others are between them and the end.
_FIRST = ("support", "precision", "recall", "f1")
_LAST = ("auc", "pr_auc", "threshold")
_KINDS = ("macro", "micro", "weighted", "samples")


def averages_table(summary: Summary) -> Table:
    """Return a table of the averages over labels and the metrics of whole examples, beside the baseline's."""
    assert summary.metrics is not None
    values = _numbers(summary.metrics)
    baseline = {} if summary.baseline is None else _numbers(summary.baseline)
    ordered = sorted({**values, **baseline}, key=_kind)
    intervals, change_intervals = summary.metrics.intervals, summary.metrics.change_intervals
    heads = [Head("metric", False), Head(_CANDIDATE), *([Head("95 % interval")] if intervals else [])]
    if baseline:
        heads += [Head(_BASELINE), Head("change"), *([Head("change, 95 %")] if change_intervals else [])]
    rows = []
    for name in ordered:
        row = [text(display_name(name)), _cell(values.get(name)), *([_cell(intervals.get(name))] if intervals else [])]
        if baseline:
            row += [_cell(baseline.get(name)), _change(name, values.get(name), baseline.get(name))]
            row += [_cell(change_intervals.get(name))] if change_intervals else []
        rows.append(row)
    return Table("All labels together, on the test split", heads, rows, "averages")


def labels_table(summary: Summary) -> Table:
    """Return a table of the labels, candidate against baseline."""
    assert summary.metrics is not None
    per_label = summary.metrics.per_label
    baseline = {} if summary.baseline is None else summary.baseline.per_label
    others = _other_numbers(per_label.values(), (*_FIRST, *_LAST))
    heads = [Head("label", False), *(Head(display_name(name)) for name in _FIRST)]
    heads += [Head("F1 of baseline"), Head("change")] if baseline else []
    gated = list(dict.fromkeys(name.partition("[")[0] for name in summary.metrics.intervals if "[" in name))
    heads += [Head(f"{display_name(name)}, 95 %") for name in gated]
    heads += [Head(display_name(name)) for name in (*_LAST, *others)]
    rows = []
    for label, measured in per_label.items():
        row = [text(label, "few" if measured.support < FEW else "")]
        row += [_cell(getattr(measured, name)) for name in _FIRST]
        if baseline:
            f1 = baseline[label].f1 if label in baseline else None
            row += [number(f1), change(measured.f1, f1)]
        row += [_cell(summary.metrics.intervals.get(f"{name}[{label}]")) for name in gated]
        rows.append(row + [_cell(getattr(measured, name)) for name in (*_LAST, *others)])
    return Table("Each label at its own threshold, on the test split", heads, rows, "labels")


def slices_tables(summary: Summary) -> tuple[list[Table], int]:
    """Return one table for each sliced feature, and how many slices were left out."""
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
    """Return tables of the steps' durations and of the packages' versions."""
    summary, tables = material.summary, []
    if summary.durations_s:
        durations = [[text(step), Cell(f"{seconds:,.1f}", seconds)] for step, seconds in summary.durations_s.items()]
        durations.append([text("all steps"), Cell(f"{sum(summary.durations_s.values()):,.1f}", None, "sum")])
        tables.append(Table("Duration", [Head("step", False), Head("seconds")], durations, "durations"))
    if summary.versions:
        rows = [[text(package), text(version)] for package, version in summary.versions.items()]
        tables.append(Table("Versions", [Head("package", False), Head("version")], rows, "versions"))
    return tables


def _slices_table(feature: str, slices: dict[str, dict[str, Metrics]], small: Container[str]) -> Table:
    has_baseline = any(_BASELINE in models for models in slices.values())
    heads = [Head(feature, False), Head("examples"), Head("micro F1"), Head("macro F1")]
    heads += [Head("micro F1 of baseline"), Head("change")] if has_baseline else []
    rows = []
    for name, models in slices.items():
        metrics, baseline = models[_CANDIDATE], models.get(_BASELINE)
        values = ", ".join(part.partition("=")[2] for part in name.split(", "))
        css_class = "never" if name in small else "few" if metrics.examples < FEW else ""
        row = [text(values, css_class), count(metrics.examples)]
        row += [number(metrics.micro_f1), number(metrics.macro_f1)]
        if has_baseline:
            micro = None if baseline is None else baseline.micro_f1
            row += [number(micro), change(metrics.micro_f1, micro)]
        rows.append(row)
    return Table(f"By {feature}", heads, rows)


def _kind(metric: str) -> int:
    kind = metric.partition("_")[0]
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _numbers(metrics: MetricsSummary) -> dict[str, Any]:
    """Return the metrics of all labels together by name, without those that an older run did not compute."""
    left_out = {"per_label", "examples"}
    values = {name: value for name, value in metrics.numbers().items() if name not in left_out}
    return {name: value for name, value in values.items() if value is not None and any_number(value) is not None}


def _other_numbers(models: Iterable[Any], known: Sequence[str]) -> list[str]:
    """Return the names of further fields that are numbers, so that new metrics are shown without a change here."""
    found: dict[str, None] = {}
    for model in models:
        for name, value in model.numbers().items():
            if name not in known and value is not None and any_number(value) is not None:
                found[name] = None
    return list(found)


def _change(metric: str, value: Any, baseline: Any) -> Cell:
    direction = -1 if lower_is_better(metric) else 1
    both = isinstance(value, float) and isinstance(baseline, float)
    return change(value, baseline, direction) if both else Cell("–")


def _cell(value: Any) -> Cell:
    return any_number(value) or Cell("–")
