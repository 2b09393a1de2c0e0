"""Progress and result of a run, as a person sees them on the console."""

import logging
import time
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.status import Status
from rich.text import Text

from components.common.progress import PROGRESS
from components.example_gen.report import Duplicates
from components.report.attention import headline
from components.report.summary import DataSummary, PartlyKnownLabel, Rows, Summary
from pipeline.tables import gates_table, metrics_table

_MOST_CONTRADICTIONS = 5
_MOST_PARTLY_KNOWN = 20
_PLAIN_LINE_INTERVAL_S = 15.0
_LONGEST_STEPS = 3


# The lines of the console about steps and epochs, with times, for log.txt.
RUN_LOG = logging.getLogger("bert_multilabel.run")
RUN_LOG.setLevel(logging.INFO)


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
        if getattr(record, "lasting", False):
            self._print(f"{self._step}: {record.getMessage()}")
            return
        message = f"{self._step}: {record.getMessage()}"
        if self._status is not None:
            self._status.update(Text(message))
        elif time.monotonic() - self._last_line >= _PLAIN_LINE_INTERVAL_S:
            self._last_line = time.monotonic()
            self._print(message, lasting=False)

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _print(self, text: str, *, lasting: bool = True) -> None:
        self._console.print(Text(text), highlight=False, soft_wrap=True)
        if lasting:
            RUN_LOG.info(text)


class LogLines(logging.Handler):
    """Handler that prints what libraries log as lines on the console."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != RUN_LOG.name:
            self._console.print(Text(self.format(record), style="dim"), soft_wrap=True)


def show_data(console: Console, rows: Rows, data: DataSummary) -> None:
    """Print what was read, and what was found in it: spans, copies of texts, retired labels, drift, warnings."""
    for line in _data_lines(rows, data):
        console.print(Text(line), soft_wrap=True)


def _data_lines(rows: Rows, data: DataSummary) -> Iterator[str]:
    by_split = ", ".join(f"{count} {split}" for split, count in data.splits.items())
    merged = f", {rows.merged} merged with copies" if rows.merged else ""
    yield f"Rows: {rows.read} read, {rows.accepted} accepted ({by_split}){merged}, {rows.quarantined} quarantined"
    if data.spans:
        yield "Spans: " + ", ".join(f"{span.span} ({span.rows} rows)" for span in data.spans)
    if data.duplicates.texts:
        yield from _duplicates_lines(data.duplicates)
    if data.retired_labels:
        counts = ", ".join(f"{label} ({count} rows)" for label, count in data.retired_labels.items())
        yield f"Retired labels, left out: {counts}"
    if data.soft_rows:
        yield f"Soft labels: {data.soft_rows} rows have a label that some but not all annotators gave"
    if data.completed_labels:
        counts = ", ".join(f"{label} ({count} rows)" for label, count in data.completed_labels.items())
        yield f"Labels added to rows with another label that implies them: {counts}"
    if data.partly_known:
        yield from _partly_known_lines(data.partly_known)
    if data.compared_with:
        yield f"Drift from {data.compared_with}:"
        for drift in data.drift:
            yield f"  {drift.feature}: {drift.measure} {drift.value:.4f} (bound {drift.bound:g})"
    for warning in data.warnings:
        yield f"Warning: {warning}"


def _partly_known_lines(labels: Mapping[str, PartlyKnownLabel]) -> Iterator[str]:
    """Yield a line for each label that some rows leave open, the least known first."""
    yield f"Labels that are unknown in some rows: {len(labels)}"
    ranked = sorted(labels.items(), key=lambda item: -item[1].unknown)
    for label, known in ranked[:_MOST_PARTLY_KNOWN]:
        yield f"  {label}: {known.positives} rows have it, {known.negatives} do not, {known.unknown} unknown"
    if len(ranked) > _MOST_PARTLY_KNOWN:
        yield f"  and {len(ranked) - _MOST_PARTLY_KNOWN} more"


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
        console.print(metrics_table(summary.metrics, console.width))
    if summary.gates:
        console.print(gates_table(summary.gates))
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
    console.print(Text(f"Pushed: {_pushed(summary)}", style="bold"), soft_wrap=True)


def _pushed(summary: Summary) -> str:
    """Return the path of the pushed version and the names of the variants pushed beside it."""
    if summary.pushed is None:
        return "no"
    names = ", ".join(summary.variants.holding if summary.variants else ())
    return f"{summary.pushed}, with variants {names}" if names else summary.pushed


def show_account(console: Console, summary: Summary) -> None:
    """Print what a run took: its time, the steps that took most of it, and its memory."""
    longest = sorted(summary.durations_s.items(), key=lambda item: -item[1])[:_LONGEST_STEPS]
    steps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in longest if seconds >= 1)
    memory = "" if summary.peak_memory_mb is None else f"; peak memory {summary.peak_memory_mb:,} MiB"
    line = f"Took {sum(summary.durations_s.values()):.0f} s{f' ({steps})' if steps else ''}{memory}"
    console.print(Text(line), soft_wrap=True)
