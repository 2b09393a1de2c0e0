"""What a person sees while a run goes on, and at its end."""

import logging
import time

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from components.progress import PROGRESS
from components.report.summary import LabelSummary, Summary

_SECONDS_BETWEEN_PLAIN_LINES = 15.0


class RunDisplay(logging.Handler):
    """Shows which component runs and what it says of its progress.

    On a terminal: a line that changes in place. Elsewhere: plain lines, not more than one in fifteen seconds.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._status: Status | None = None
        self._step = ""
        self._last_line = 0.0

    def __enter__(self) -> "RunDisplay":
        PROGRESS.addHandler(self)
        PROGRESS.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        PROGRESS.removeHandler(self)
        self._stop()

    def step_started(self, name: str, position: int, total: int) -> None:
        self._step = f"[{position}/{total}] {name}"
        self._last_line = time.monotonic()
        if self._console.is_terminal:
            self._status = self._console.status(self._step)
            self._status.start()
        else:
            self._line(f"{self._step} ...")

    def step_finished(self, name: str, seconds: float, cached: bool) -> None:  # noqa: ARG002
        self._stop()
        self._line(f"{self._step}: " + ("unchanged, taken from the cache" if cached else f"{seconds:.1f} s"))

    def emit(self, record: logging.LogRecord) -> None:
        message = f"{self._step}: {record.getMessage()}"
        if self._status is not None:
            self._status.update(Text(message))
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_PLAIN_LINES:
            self._last_line = time.monotonic()
            self._line(message)

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _line(self, text: str) -> None:
        self._console.print(Text(text), highlight=False, soft_wrap=True)


def show_summary(console: Console, summary: Summary) -> None:
    """Prints the metrics, the gates, and what became of the model."""
    if summary.metrics is not None:
        console.print(_metrics_table(summary))
    if summary.gates:
        console.print(_gates_table(summary))
    elif summary.metrics is not None:
        console.print("Gates: none were asked for.")
    if summary.baseline_note:
        console.print(Text(f"Baseline: {summary.baseline_note}"), soft_wrap=True)
    console.print(Text("Blessed: " + ("yes" if summary.blessed else "no"), style="bold"))
    for reason in summary.reasons:
        console.print(Text(f"  {reason}"), soft_wrap=True)
    console.print(Text(f"Pushed: {summary.pushed or 'no'}", style="bold"), soft_wrap=True)


def _metrics_table(summary: Summary) -> Table:
    assert summary.metrics is not None
    columns = ("precision", "recall", "F1", "AUC", "threshold", "support")
    table = Table("label", *columns, title="Test split", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for label, metrics in summary.metrics.per_label.items():
        table.add_row(label, *_cells(metrics))
    table.add_section()
    overall = summary.metrics
    for name, values in (
        ("macro", (overall.macro_precision, overall.macro_recall, overall.macro_f1, overall.macro_auc)),
        ("micro", (overall.micro_precision, overall.micro_recall, overall.micro_f1, None)),
    ):
        table.add_row(name, *(_number(value) for value in values), "", "")
    return table


def _cells(metrics: LabelSummary) -> list[str]:
    numbers = (metrics.precision, metrics.recall, metrics.f1, metrics.auc, metrics.threshold)
    return [*(_number(value) for value in numbers), str(metrics.support)]


def _gates_table(summary: Summary) -> Table:
    table = Table("gate", "value", "bound", "", title="Gates", title_justify="left")
    for gate in summary.gates:
        verdict = Text("passed", style="green") if gate.passed else Text("failed", style="bold red")
        note = f" ({gate.note})" if gate.note else ""
        table.add_row(gate.gate, _number(gate.value), _number(gate.bound), verdict + Text(note))
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
