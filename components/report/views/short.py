"""The short report: what a manager reads, on two printed pages. The whole report prints it too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from components.evaluation.gates.result import GateResult
from components.report.drawing.tables import Table
from components.report.summary import Summary
from components.report.views.decision import gates_table
from components.report.views.labels import labels_table
from components.report.views.material import Material
from components.report.views.run import core_hours

_MOST_GATES, _MOST_LABELS = 12, 14
MOST_LINES = 6
"""Number of reasons, and of what needs attention, that the short report shows."""
_GATE_COLUMNS = ("gate", "status", "value", "bound")
_LABEL_COLUMNS = ("label", "F1", "", "baseline", "change", "rows", "precision", "recall")


@dataclass(frozen=True)
class ShortView:
    """Part of the short report.

    Attributes:
        tables: Tables.
        left_out: What the tables leave out, in words; empty if nothing.
        facts: (name, value) pairs.
    """

    tables: Sequence[Table] = ()
    left_out: str = ""
    facts: Sequence[tuple[str, str]] = ()


def short_gates(summary: Summary) -> ShortView | None:
    """Return the gates, those that failed first; None if no model was judged."""
    if summary.metrics is None:
        return None
    ordered = sorted(summary.gates, key=_gate_order)
    shown = ordered[:_MOST_GATES]
    more = len(ordered) - len(shown)
    note = f"{more} more gate{'s' * (more != 1)} in the whole report." if more else ""
    return ShortView([_columns(gates_table(shown), _GATE_COLUMNS)], note if shown else "No gate is configured.")


def short_labels(summary: Summary) -> ShortView | None:
    """Return the labels with the worst F1; None if no model was judged."""
    table = labels_table(summary)
    if table is None:
        return None
    brief = _columns(table, _LABEL_COLUMNS)
    rows = [[replace(cell, link="") for cell in row] for row in brief.rows[:_MOST_LABELS]]
    more = len(brief.rows) - len(rows)
    note = f"{more} more labels, with a better F1, in the whole report." if more else ""
    return ShortView([replace(brief, rows=rows, caption="The labels with the worst F1, on the test split")], note)


def short_run(material: Material) -> ShortView:
    """Return what the run read and took."""
    return ShortView(facts=list(_facts(material)))


def cut_lines(lines: Sequence[str]) -> list[str]:
    """Return the first lines, and how many more there are.

    Example:
        >>> cut_lines(["a"] * 8)[-1]
        'and 2 more, in the whole report'
    """
    more = more_lines(lines)
    return [*lines[:MOST_LINES], *([more] if more else [])]


def more_lines(lines: Sequence[str]) -> str:
    """Return how many lines the short report leaves out, in words; empty if it shows all."""
    more = len(lines) - MOST_LINES
    return f"and {more} more, in the whole report" if more > 0 else ""


def _facts(material: Material) -> Iterator[tuple[str, str]]:
    summary, model = material.summary, material.model
    if summary.rows is not None:
        yield "rows read", f"{summary.rows.read:,}"
        yield "quarantined", f"{summary.rows.quarantined:,}"
    if summary.data is not None:
        yield from ((split, f"{rows:,}") for split, rows in summary.data.splits.items())
    if model is not None:
        yield "checkpoint", model.checkpoint
    if summary.durations_s:
        yield "duration", f"{sum(summary.durations_s.values()) / 60:,.0f} min"
    hours = core_hours(summary)
    if hours is not None:
        yield "cost", f"{hours:.2f} core-hours"
    if material.provenance is not None and material.provenance.commit is not None:
        yield "git commit", material.provenance.commit[:12]


def _gate_order(gate: GateResult) -> int:
    return ("failed", "not asked", "passed").index(gate.status)


def _columns(table: Table, names: Sequence[str]) -> Table:
    """Return a table with some of its columns only."""
    kept = [column for column, head in enumerate(table.heads) if head.name in names]
    heads = [table.heads[column] for column in kept]
    rows = [[row[column] for column in kept] for row in table.rows]
    # Without a name, which another table of the page may have.
    return replace(table, heads=heads, rows=rows, name="", sortable=False)
