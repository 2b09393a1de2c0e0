"""Section of the report on slices of the test split."""

import re
from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass

from components.evaluation.metrics.slicing import split_slice_name
from components.evaluation.metrics.values import Metrics
from components.report.drawing.tables import Cell, Head, Table, change, count, number, text
from components.report.summary import Summary
from components.report.views.labels import FEW
from schema.features import LABELS

_MOST_SLICES = 200
_CANDIDATE, _BASELINE = "candidate", "baseline"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True)
class SlicesView:
    """Content of the section.

    Attributes:
        tables: One table for each sliced feature, or combination of features.
        left_out: Number of slices that are not shown.
        min_support: Number of examples below which no gate is asked of a slice.
        note: What the summary leaves out; empty if nothing.
    """

    tables: list[Table]
    left_out: int
    min_support: int
    note: str


def slices_view(summary: Summary) -> SlicesView | None:
    """Return the content of the section; None if there are no slices."""
    by_feature: dict[str, list[str]] = defaultdict(list)
    for name in summary.slices:
        by_feature[" × ".join(column for column, _ in split_slice_name(name))].append(name)
    left, tables = _MOST_SLICES, []
    for feature, names in by_feature.items():
        shown, left = names[:left], max(0, left - len(names))
        if shown:
            slices = {name: summary.slices[name] for name in shown}
            build = _labels_table if LABELS in feature.split(" × ") else _features_table
            tables.append(build(feature, slices, summary.small_slices))
    if not tables:
        return None
    return SlicesView(tables, max(0, len(summary.slices) - _MOST_SLICES), summary.min_support, summary.slices_note)


def _features_table(feature: str, slices: dict[str, dict[str, Metrics]], small: Container[str]) -> Table:
    has_baseline = any(_BASELINE in models for models in slices.values())
    heads = [Head(feature, False), Head("micro F1"), *([Head("change")] if has_baseline else [])]
    heads += [Head("macro F1"), Head("rows")]
    rows = []
    for name, models in slices.items():
        metrics, baseline = models[_CANDIDATE], models.get(_BASELINE)
        row = [_name(name, metrics, small), number(metrics.micro_f1)]
        if has_baseline:
            row.append(change(metrics.micro_f1, None if baseline is None else baseline.micro_f1))
        rows.append([*row, number(metrics.macro_f1), count(metrics.examples)])
    return Table(f"By {feature}", heads, _sort(rows))


def _labels_table(feature: str, slices: dict[str, dict[str, Metrics]], small: Container[str]) -> Table:
    """Return the slices of rows that have a certain label.

    Every row of such a slice has the label, and most other labels cannot occur: its recall says something, while an
    average over labels does not.
    """
    has_baseline = any(_BASELINE in models for models in slices.values())
    heads = [Head(feature, False), Head("recall"), *([Head("change")] if has_baseline else []), Head("rows")]
    rows = []
    for name, models in slices.items():
        metrics, baseline = models[_CANDIDATE], models.get(_BASELINE)
        label = next(value for column, value in split_slice_name(name) if column == LABELS)
        recall = _recall(metrics, label)
        row = [_name(name, metrics, small), number(recall)]
        row += [change(recall, None if baseline is None else _recall(baseline, label))] if has_baseline else []
        rows.append([*row, count(metrics.examples)])
    return Table(f"By {feature}: how often the label is found", heads, rows)


def _recall(metrics: Metrics, label: str) -> float | None:
    measured = metrics.per_label.get(label)
    return None if measured is None else measured.recall


def _name(name: str, metrics: Metrics, small: Container[str]) -> Cell:
    values = ", ".join(value for _, value in split_slice_name(name))
    return text(values, "never" if name in small else "few" if metrics.examples < FEW else "")


def _sort(rows: list[list[Cell]]) -> list[list[Cell]]:
    """Sort rows by their first cells as numbers, if all begin with one, such as `50-99`; otherwise keep their order.

    The sort keys of the first cells become their positions, so that sorting on the page gives the same order.
    """
    starts = [_NUMBER.match(str(row[0].shown)) for row in rows]
    if not all(starts):
        return rows
    order = sorted(range(len(rows)), key=lambda index: float(starts[index][0]))  # type: ignore[index]
    return [
        [Cell(rows[index][0].shown, f"{position:06d}", rows[index][0].css_class), *rows[index][1:]]
        for position, index in enumerate(order)
    ]
