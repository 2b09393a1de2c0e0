"""Section of the report on all labels together: averages over labels, and metrics of whole examples."""

from typing import Any

from components.evaluation.metrics.catalogue import lower_is_better
from components.report.drawing.tables import Cell, Head, Table, any_number, change, display_name, text
from components.report.summary import MetricsSummary, Summary

_CANDIDATE, _BASELINE = "candidate", "baseline"
_KINDS = ("macro", "micro", "weighted", "samples")


def averages_table(summary: Summary) -> Table | None:
    """Return a table of the averages beside the baseline's; None if no model was judged."""
    if summary.metrics is None:
        return None
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


def _kind(metric: str) -> int:
    kind = metric.partition("_")[0]
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)


def _numbers(metrics: MetricsSummary) -> dict[str, Any]:
    """Return the metrics of all labels together by name, without those that an older run did not compute."""
    left_out = {"per_label", "examples"}
    values = {name: value for name, value in metrics.numbers().items() if name not in left_out}
    return {name: value for name, value in values.items() if value is not None and any_number(value) is not None}


def _change(metric: str, value: Any, baseline: Any) -> Cell:
    direction = -1 if lower_is_better(metric) else 1
    both = isinstance(value, float) and isinstance(baseline, float)
    return change(value, baseline, direction) if both else Cell("–")


def _cell(value: Any) -> Cell:
    return any_number(value) or Cell("–")
