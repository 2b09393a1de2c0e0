"""Table of the runs of a working directory."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.history import PastRun


def show_history(console: Console, runs: Sequence[PastRun]) -> None:
    """Print a table of runs, in the given order."""
    has_spans = any(run.spans for run in runs)
    table = Table("when (UTC)", *(["spans"] if has_spans else []), "macro F1", "outcome", "version", "why not")
    table.columns[0].no_wrap = True
    table.columns[2 if has_spans else 1].justify = "right"
    for run in runs:
        style = {"pushed": "green", "not blessed": "red", "stopped": "red", "killed": "red"}.get(run.outcome, "")
        table.add_row(
            run.when.strftime("%Y-%m-%d %H:%M:%S"),
            *([_span_range(run.spans)] if has_spans else []),
            "-" if run.macro_f1 is None else f"{run.macro_f1:.3f}",
            Text(run.outcome, style=style),
            (run.pushed or "").rstrip("/").rsplit("/", 1)[-1],
            "; ".join(run.reasons),
        )
    console.print(table)


def _span_range(spans: Sequence[int]) -> str:
    """Return spans in short: the first, the last and their number."""
    return "" if not spans else str(spans[0]) if len(spans) == 1 else f"{spans[0]}-{spans[-1]} ({len(spans)})"
