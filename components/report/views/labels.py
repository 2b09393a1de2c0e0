"""Section of the report with all labels in one table, and the order and anchors of labels everywhere on the page."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.report.drawing.charts import bullet
from components.report.drawing.tables import Cell, Head, Table, any_number, change, display_name, number, text
from components.report.summary import LabelSummary, MetricsSummary, Summary

# Below this number of examples, a label's metrics are too uncertain to rely on.
FEW = 30
# With more labels, only the most frequent ones get a section: the page would be too large to open on a phone.
MOST_SECTIONS = 300
# With many labels, the table itself is large; it has this many, and fewer labels get a section.
MOST_ROWS, _SECTIONS_OF_MANY = 1_000, 100
# F1 comes first, so that a phone shows it; any further metrics are between these two groups and the end.
_RATES = ("precision", "recall")
_COUNTS = {
    "true_positives": "TP",
    "false_positives": "FP",
    "false_negatives": "FN",
    "true_negatives": "TN",
}
_LAST = ("auc", "pr_auc", "threshold")
_KNOWN = ("f1", "support", *_RATES, *_COUNTS, *_LAST)


_MOST_IN_TREE = 1_000
_OF_TREE = ("f1", "support", "precision", "recall", "threshold")


@dataclass(frozen=True)
class LabelsView:
    """Content of the section.

    Attributes:
        table: Table of all labels.
        tree: Tree of the labels that imply others; None if no label does.
    """

    table: Table
    tree: Table | None


def labels_view(summary: Summary, implies: Mapping[str, Sequence[str]]) -> LabelsView | None:
    """Return the content of the section; None if no model was judged.

    Args:
        summary: Summary of the run.
        implies: Labels that a label implies directly, by that label.
    """
    table = labels_table(summary)
    if table is None or summary.metrics is None:
        return None
    return LabelsView(table, implications_table(summary.metrics, implies))


def implications_table(metrics: MetricsSummary, implies: Mapping[str, Sequence[str]]) -> Table | None:
    """Return the tree of the labels that imply others, as an indented table; None if no label does.

    Args:
        metrics: Metrics of the candidate.
        implies: Labels that a label implies directly, by that label. A label that implies two is below both.
    """
    children: dict[str, list[str]] = defaultdict(list)
    for label, implied in implies.items():
        for parent in implied:
            children[parent].append(label)
    roots = [label for label in children if not implies.get(label)]
    anchors = label_anchors(metrics)
    rows: list[list[Cell]] = []
    waiting = [(root, 0) for root in reversed(roots)]
    while waiting and len(rows) < _MOST_IN_TREE:
        label, depth = waiting.pop()
        measured = metrics.per_label.get(label)
        name = "\u2003" * (depth - 1) + "\u2514\u2002" + label if depth else label
        values = [None if measured is None else getattr(measured, each) for each in _OF_TREE]
        rows.append([text(name, "", anchors.get(label, "")), *map(_cell, values)])
        waiting += [(child, depth + 1) for child in reversed(children[label])]
    heads = [Head("label", False), *(Head(display_name(name)) for name in _OF_TREE)]
    caption = "Labels that imply others: one is never given without those above it"
    return Table(caption, heads, rows, "tree") if rows else None


def order_labels(metrics: MetricsSummary) -> list[str]:
    """Return the labels by ascending F1, those without a test example last."""
    labels = metrics.per_label
    return sorted(labels, key=lambda label: (not labels[label].support, labels[label].f1 or 0.0))


def label_anchors(metrics: MetricsSummary | None) -> dict[str, str]:
    """Return the id of the section of each label that has one: of the most frequent labels, the worst first."""
    if metrics is None:
        return {}
    by_support = sorted(metrics.per_label, key=lambda label: -metrics.per_label[label].support)
    most = MOST_SECTIONS if len(by_support) <= MOST_ROWS // 2 else _SECTIONS_OF_MANY
    shown = set(by_support[:most])
    ordered = (label for label in order_labels(metrics) if label in shown)
    return {label: f"label-{position}" for position, label in enumerate(ordered, 1)}


def labels_table(summary: Summary) -> Table | None:
    """Return a table of the labels, the worst first, candidate against baseline; None if no model was judged."""
    metrics = summary.metrics
    if metrics is None:
        return None
    baseline = {} if summary.baseline is None else summary.baseline.per_label
    gated = list(dict.fromkeys(name.partition("[")[0] for name in metrics.intervals if "[" in name))
    counts = [name for name in _COUNTS if any(getattr(each, name) is not None for each in metrics.per_label.values())]
    others = _other_numbers(metrics.per_label.values())
    heads = [Head("label", False), Head("F1"), Head("", False)]
    heads += [Head("baseline", full="F1 of the baseline"), Head("change")] if baseline else []
    heads += [Head("rows"), *(Head(display_name(name)) for name in _RATES)]
    heads += [Head(_COUNTS[name], full=name.replace("_", " ")) for name in counts]
    heads += [Head(f"{display_name(name)}, 95 %") for name in gated]
    heads += [Head(display_name(name)) for name in (*_LAST, *others)]
    anchors = label_anchors(metrics)
    names = (*_RATES, *counts), (*_LAST, *others)
    rows = []
    for label in _rows_shown(summary, metrics, anchors):
        measured = metrics.per_label[label]
        row = [_name(label, measured, anchors), number(measured.f1), *_against(label, measured, baseline)]
        row += [_cell(measured.support), *(_cell(getattr(measured, name)) for name in names[0])]
        row += [_cell(metrics.intervals.get(f"{name}[{label}]")) for name in gated]
        rows.append([*row, *(_cell(getattr(measured, name)) for name in names[1])])
    n_labels = len(metrics.per_label)
    which = f"{len(rows):,} of {n_labels:,} labels" if len(rows) < n_labels else "Each label"
    return Table(f"{which} at its own threshold, on the test split", heads, rows, "labels")


def _rows_shown(summary: Summary, metrics: MetricsSummary, anchors: Mapping[str, str]) -> list[str]:
    """Return the labels of the table: all, or the worst and those that have a gate or a section."""
    ordered = order_labels(metrics)
    gated = {gate.label for gate in summary.gates if gate.label is not None}
    shown = gated | set(anchors) | set(ordered[:MOST_ROWS])
    return [label for label in ordered if label in shown]


def _name(label: str, measured: LabelSummary, anchors: Mapping[str, str]) -> Cell:
    return text(label, "few" if measured.support < FEW else "", anchors.get(label, ""))


def _against(label: str, measured: LabelSummary, baseline: Mapping[str, LabelSummary]) -> Sequence[Cell]:
    """Return a bar of the label's F1 with a tick at the baseline's and, if there is a baseline, both in numbers."""
    f1 = baseline[label].f1 if label in baseline else None
    bar = Cell(bullet(measured.f1, f1, "candidate", "baseline"), measured.f1)
    return [bar, number(f1), change(measured.f1, f1)] if baseline else [bar]


def _other_numbers(models: Iterable[Any]) -> list[str]:
    """Return the names of further fields that are numbers, so that new metrics are shown without a change here."""
    found: dict[str, None] = {}
    for model in models:
        for name, value in model.numbers().items():
            if name not in _KNOWN and value is not None and any_number(value) is not None:
                found[name] = None
    return list(found)


def _cell(value: Any) -> Cell:
    return any_number(value) or Cell("–")
