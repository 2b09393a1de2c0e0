"""Tables of a run's result, fitted to the width of the console."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from components.evaluation.gates.result import GateResult
from components.report.summary import LabelSummary, MetricsSummary

_MOST_LABELS = 60
# Below this width a column of names wraps every name, so numbers give way first.
_NAMES_WIDTH = 24
_PADDING = 3


@dataclass(frozen=True)
class _Column:
    """Column of numbers: how a label's value is shown, and those of the macro and micro averages."""

    head: str
    of_label: Callable[[LabelSummary], str]
    of_macro: Callable[[MetricsSummary], str] = lambda _: ""
    of_micro: Callable[[MetricsSummary], str] = lambda _: ""

    @property
    def width(self) -> int:
        return max(len(self.head), len("0.000")) + _PADDING


# The most important first: on a narrow console the last ones are left out.
_COLUMNS = (
    _Column("F1", lambda it: _number(it.f1), lambda it: _number(it.macro_f1), lambda it: _number(it.micro_f1)),
    _Column(
        "precision",
        lambda it: _number(it.precision),
        lambda it: _number(it.macro_precision),
        lambda it: _number(it.micro_precision),
    ),
    _Column(
        "recall",
        lambda it: _number(it.recall),
        lambda it: _number(it.macro_recall),
        lambda it: _number(it.micro_recall),
    ),
    _Column("support", lambda it: f"{it.support:,}"),
    _Column("AUC", lambda it: _number(it.auc), lambda it: _number(it.macro_auc)),
    _Column("threshold", lambda it: _number(it.threshold)),
)
_UNKNOWN = _Column("unknown", lambda it: f"{it.unknown or 0:,}")
_ALWAYS = 4


def metrics_table(metrics: MetricsSummary, width: int) -> Table:
    """Return a table of the labels and their averages; with many labels, of those with the lowest F1.

    Args:
        metrics: Metrics of the candidate.
        width: Width of the console in characters. Names wrap where they are too long for it, and are never cut.
    """
    labels = list(metrics.per_label.items())
    if len(labels) > _MOST_LABELS:
        labels = sorted(labels, key=lambda item: item[1].f1 or 0.0)[:_MOST_LABELS]
        title = f"Test split: the {_MOST_LABELS} of {len(metrics.per_label):,} labels with the lowest F1"
    else:
        title = "Test split"
    columns = [*_COLUMNS]
    if any(measured.unknown for measured in metrics.per_label.values()):
        columns.insert(_ALWAYS, _UNKNOWN)
    columns = _fitting(columns, max((len(label) for label, _ in labels), default=0), width)
    table = Table("label", title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[0].overflow = "fold"
    for column in columns:
        table.add_column(column.head, justify="right", no_wrap=True)
    for label, measured in labels:
        table.add_row(label, *(column.of_label(measured) for column in columns))
    table.add_section()
    table.add_row("macro", *(column.of_macro(metrics) for column in columns))
    table.add_row("micro", *(column.of_micro(metrics) for column in columns))
    return table


def gates_table(gates: Sequence[GateResult]) -> Table:
    """Return a table of the gates, a line each; words only where a gate did not pass or was not asked."""
    table = Table("gate", title="Gates", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.columns[0].overflow = "fold"
    for head in ("value", "bound"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for gate in gates:
        table.add_row(gate.gate, _number(gate.value), _number(gate.bound), _result(gate))
    return table


def _fitting(columns: list[_Column], longest_name: int, width: int) -> list[_Column]:
    """Return the columns beside which the names have room; the most important ones in any case."""
    names = max(min(longest_name, width // 2), _NAMES_WIDTH)
    while len(columns) > _ALWAYS and sum(column.width for column in columns) + names > width:
        columns.pop()
    return columns


def _result(gate: GateResult) -> Text:
    if gate.status == "passed":
        return Text(gate.status, style="green")
    status = Text(gate.status, style="bold red" if gate.status == "failed" else "")
    details = [gate.note] if gate.note else []
    if not gate.passed and gate.interval is not None:
        details.append(f"95 % interval {_number(gate.interval[0])} to {_number(gate.interval[1])}")
    return status + Text(f": {'; '.join(details)}" if details else "")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
