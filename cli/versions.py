"""Versions in a registry, as a person sees, verifies and rolls them back."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.common.files import display
from components.registry import ModelRecord, Version, check_registry, rollback, standing, versions
from schema.errors import Refused


def show_versions(console: Console, registry: str) -> None:
    """Print a table of the versions, oldest first.

    Raises:
        Refused: The registry has no version.
    """
    existing = versions(registry)
    if not existing:
        raise Refused(f"{registry}: no model was pushed there")
    columns = ("version", "pushed", "labels", "checkpoint", "trained on", "macro F1", "")
    table = Table(*columns, title=display(registry))
    table.columns[2].justify = table.columns[5].justify = "right"
    not_withdrawn = standing(registry)
    for version in existing:
        state = "served" if version == existing[-1] else "" if version in not_withdrawn else "withdrawn"
        table.add_row(str(version.number), *_cells(version, state))
    console.print(table)


def verify_versions(console: Console, registry: str) -> bool:
    """Compare every file of every version with its checksum, and print what differs.

    Returns:
        Whether every version is as it was pushed.

    Raises:
        Refused: The registry is empty.
    """
    existing, findings = versions(registry), list(check_registry(registry))
    if not existing and not findings:
        raise Refused(f"{registry}: no model was pushed there")
    for finding in findings:
        kind = "broken" if finding.broken else "note"
        console.print(Text(f"{kind}: {finding.where}: {finding.what}"), soft_wrap=True)
    broken = {finding.where for finding in findings if finding.broken}
    intact = sum(str(version.number) not in broken for version in existing)
    console.print(f"{intact} of {len(existing)} versions as they were pushed", highlight=False)
    return not broken


def roll_back_to(console: Console, registry: str, number: int | None) -> None:
    """Make an older version the latest again, and print what is served now.

    Args:
        console: Where to print.
        registry: The registry.
        number: Number of the version; None: the newest that is not withdrawn and has another model than the latest.

    Raises:
        Refused: There is no such version, or its files are not those that were pushed.
    """
    version = rollback(registry, number)
    record = ModelRecord.read(version.path)
    withdrawn = ", ".join(str(other) for other in record.withdraws)
    line = f"version {version.number}, a copy of {record.rolled_back_to}, is served now; withdrawn: {withdrawn}"
    console.print(Text(line), soft_wrap=True)


def _cells(version: Version, state: str) -> list[str]:
    """Return the cells of a version's row, after its number."""
    try:
        record = ModelRecord.read(version.path)
    except Refused as refused:
        return ["", "", "", str(refused).removeprefix(f"{version.path}/"), "", state]
    copy = f"copy of {record.rolled_back_to}" if record.rolled_back_to else ""
    return [
        (record.pushed or "").replace("T", " ").removesuffix("+00:00"),
        str(sum(label is not None for label in record.outputs)),
        display(record.checkpoint) if Path(record.checkpoint).is_absolute() else record.checkpoint,
        _training_data(record),
        "" if record.macro_f1 is None else f"{record.macro_f1:.3f}",
        ", ".join(filter(None, [state, copy])),
    ]


def _training_data(record: ModelRecord) -> str:
    rows = f"{sum(record.trained_on.rows.values())} rows" if record.trained_on.rows else ""
    return ", ".join(filter(None, [rows, _spans([span.span for span in record.trained_on.spans])]))


def _spans(spans: list[int]) -> str:
    if not spans:
        return ""
    return f"span {spans[0]}" if len(spans) == 1 else f"spans {spans[0]} to {spans[-1]}"
