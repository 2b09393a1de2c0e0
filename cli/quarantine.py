"""`bert-multilabel quarantine`: why rows were turned away, with examples."""

from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from components.example_gen.quarantine import QuarantinedRow, read_rows
from components.example_gen.report import IngestReport
from pipeline.run_folder import find_quarantine

_SHOWN_CHARACTERS = 160


def show_quarantine(run: Path, console: Console, *, reason: str | None, examples: int) -> None:
    """Prints each reason with its count and first rows.

    Args:
        run: As `find_quarantine` takes it.
        console: Where to.
        reason: Only reasons that begin like this; None: all.
        examples: Rows of each.

    Raises:
        Refused: There is no such run.
    """
    uri = find_quarantine(run)
    report = IngestReport.read(uri)
    console.print(f"{report.rows_read} rows read, {report.accepted} accepted, {report.quarantined} quarantined")
    first: defaultdict[str, list[QuarantinedRow]] = defaultdict(list)
    for row in read_rows(uri) if report.quarantined else ():
        rows = first[row.reason.partition(": ")[0]]
        if len(rows) < examples:
            rows.append(row)
    for name, count in report.reasons.items():
        if reason is None or name.startswith(reason):
            console.print(Text(f"{count} {name}", style="bold"))
            for row in first[name]:
                _show(console, row)
    console.print(Text(f"All of them: {uri}/rows.parquet"), soft_wrap=True)


def _show(console: Console, row: QuarantinedRow) -> None:
    detail = row.reason.partition(": ")[2]
    raw = row.raw if len(row.raw) <= _SHOWN_CHARACTERS else row.raw[:_SHOWN_CHARACTERS] + "..."
    # repr: a raw row may hold what a terminal obeys.
    console.print(Text(f"  {row.file}:{row.line}  {detail}\n    {raw!r}"), soft_wrap=True, highlight=False)
