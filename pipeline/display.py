"""Progress and result of a run, as a person sees them on the console."""

import logging
import time
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from components.common.progress import PROGRESS
from components.evaluation.gates.result import GateResult
from components.example_gen.report import Duplicates
from components.report.attention import headline
from components.report.summary import DataSummary, LabelSummary, Rows, Summary

_MOST_CONTRADICTIONS = 5
_PLAIN_LINE_INTERVAL_S = 15.0


class RunDisplay(logging.Handler):
    """Display of the component that runs and its progress. An `Observer`, and the handler of progress messages.

    On a terminal it is a line that changes in place; elsewhere it is plain lines, with progress at most every 15 s.
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
            self._status = self._console.status(Text(self._step))
            self._status.start()
        else:
            self._print(f"{self._step} ...")

    def step_finished(
        self,
        name: str,  # noqa: ARG002 - the line began with it
        seconds: float,
        cached: bool,
        outputs: Mapping[str, str],  # noqa: ARG002
    ) -> None:
        self._stop()
        self._print(f"{self._step}: " + ("unchanged, taken from the cache" if cached else f"{seconds:.1f} s"))

    def emit(self, record: logging.LogRecord) -> None:
        message = f"{self._step}: {record.getMessage()}"
        if self._status is not None:
            self._status.update(Text(message))
        elif time.monotonic() - self._last_line >= _PLAIN_LINE_INTERVAL_S:
            self._last_line = time.monotonic()
            self._print(message)

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _print(self, text: str) -> None:
        self._console.print(Text(text), highlight=False, soft_wrap=True)


def show_data(console: Console, rows: Rows, data: DataSummary) -> None:
    """Print what was read, and what was found in it: spans, copies of texts, retired labels, drift, warnings."""
    for line in _data_lines(rows, data):
        console.print(Text(line), soft_wrap=True)


def _data_lines(rows: Rows, data: DataSummary) -> Iterator[str]:
    by_split = ", ".join(f"{count} {split}" for split, count in data.splits.items())
    yield f"Rows: {rows.read} read, {rows.accepted} accepted ({by_split}), {rows.quarantined} quarantined"
    if data.spans:
        yield "Spans: " + ", ".join(f"{span.span} ({span.rows} rows)" for span in data.spans)
    if data.duplicates.texts:
        yield from _duplicates_lines(data.duplicates)
    if data.retired_labels:
        counts = ", ".join(f"{label} ({count} rows)" for label, count in data.retired_labels.items())
        yield f"Retired labels, left out: {counts}"
    if data.compared_with:
        yield f"Drift from {data.compared_with}:"
        for drift in data.drift:
            yield f"  {drift.feature}: {drift.measure} {drift.value:.4f} (bound {drift.bound:g})"
    for warning in data.warnings:
        yield f"Warning: {warning}"


def _duplicates_lines(duplicates: Duplicates) -> Iterator[str]:
    yield (
        f"Texts with copies: {duplicates.texts} ({duplicates.rows} rows); {duplicates.contradictory} of them with"
        " different labels"
    )
    for contradiction in duplicates.contradictions[:_MOST_CONTRADICTIONS]:
        pairs = zip(contradiction.rows, contradiction.labels, strict=True)
        yield "  " + " and ".join(f"{row} [{', '.join(labels)}]" for row, labels in pairs)


def show_summary(console: Console, summary: Summary) -> None:
    """Print the data, the metrics, the gates, and whether the model was blessed and pushed."""
    if summary.rows is not None and summary.data is not None:
        show_data(console, summary.rows, summary.data)
    if summary.metrics is not None:
        console.print(_metrics_table(summary))
    if summary.gates:
        console.print(_gates_table(summary))
    if summary.gates_note:
        console.print(Text(f"Gates: {summary.gates_note}"), soft_wrap=True)
    if summary.small_slices:
        slices = ", ".join(f"{name} ({count})" for name, count in summary.small_slices.items())
        console.print(
            Text(f"Slices with fewer than {summary.min_support} examples, to which no gate applies: {slices}"),
            soft_wrap=True,
        )
    if summary.baseline_note:
        console.print(Text(f"Baseline: {summary.baseline_note}"), soft_wrap=True)
    console.print(Text("Blessed: " + ("yes" if summary.blessed else "no"), style="bold"))
    for reason in summary.reasons:
        console.print(Text(f"  {reason}"), soft_wrap=True)
    if summary.attention:
        count = headline(len(summary.attention_labels), len(summary.attention))
        console.print(Text(f"{count}:", style="bold yellow"))
        for line in summary.attention:
            console.print(Text(f"  {line}"), soft_wrap=True)
    console.print(Text(f"Pushed: {summary.pushed or 'no'}", style="bold"), soft_wrap=True)


def _metrics_table(summary: Summary) -> Table:
    overall = summary.metrics
    assert overall is not None
    columns = ("precision", "recall", "F1", "AUC", "threshold", "support")
    table = Table("label", *columns, title="Test split", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for label, metrics in overall.per_label.items():
        table.add_row(label, *_label_cells(metrics))
    table.add_section()
    for name, values in (
        ("macro", (overall.macro_precision, overall.macro_recall, overall.macro_f1, overall.macro_auc)),
        ("micro", (overall.micro_precision, overall.micro_recall, overall.micro_f1, None)),
    ):
        table.add_row(name, *(_number(value) for value in values), "", "")
    return table


def _label_cells(metrics: LabelSummary) -> list[str]:
    numbers = (metrics.precision, metrics.recall, metrics.f1, metrics.auc, metrics.threshold)
    return [*(_number(value) for value in numbers), str(metrics.support)]


def _gates_table(summary: Summary) -> Table:
    table = Table("gate", "value", "95 %", "bound", "", title="Gates", title_justify="left")
    for gate in summary.gates:
        note = f" ({gate.note})" if gate.note else ""
        table.add_row(gate.gate, _number(gate.value), _interval(gate), _number(gate.bound), _result(gate) + Text(note))
    return table


def _result(gate: GateResult) -> Text:
    if not gate.passed:
        return Text("failed", style="bold red")
    return Text("passed", style="green") if gate.asked else Text("not asked")


def _interval(gate: GateResult) -> str:
    return "-" if gate.interval is None else " to ".join(map(_number, gate.interval))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
