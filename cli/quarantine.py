"""Quarantined rows of a run, counted by reason, with examples."""

from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from components.example_gen.quarantine import QuarantinedRow, read_rows
from components.example_gen.report import IngestReport
from pipeline.run_folder import find_quarantine

_SHOWN_CHARACTERS = 160


def show_quarantine(path: Path, console: Console, *, reason: str | None, examples: int) -> None:
    """Print each reason with its count and its first rows.

    Args:
        path: The run's folder, or a working directory, which stands for its newest run that has a quarantine.
        console: Where to print.
        reason: Beginning of the reasons to print; None: all.
        examples: Number of rows to print of each reason.

    Raises:
        Refused: There is no such run, or it has read no data.
    """
    uri = find_quarantine(path)
    report = IngestReport.read(uri)
    console.print(f"{report.rows_read} rows read, {report.accepted} accepted, {report.quarantined} quarantined")
    first_rows: defaultdict[str, list[QuarantinedRow]] = defaultdict(list)
    for row in read_rows(uri) if report.quarantined else ():
        rows = first_rows[row.reason.partition(": ")[0]]
        if len(rows) < examples:
            rows.append(row)
    for name, count in report.reasons.items():
        if reason is None or name.startswith(reason):
            console.print(Text(f"{count} {name}", style="bold"))
            for row in first_rows[name]:
                _show_row(console, row)
    console.print(Text(f"All rows: {uri}/rows.parquet"), soft_wrap=True)


def _show_row(console: Console, row: QuarantinedRow) -> None:
    detail = row.reason.partition(": ")[2]
    raw = row.raw if len(row.raw) <= _SHOWN_CHARACTERS else row.raw[:_SHOWN_CHARACTERS] + "..."
    # As repr, so that a row which has several lines is shown on one.
    console.print(Text(f"  {row.file}:{row.line}  {detail}\n    {raw!r}"), soft_wrap=True, highlight=False)
