"""`bert-multilabel models`: what lies in the registry, whether it is whole, and the way back to an older version."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.common.files import display
from components.registry import Finding, ModelRecord, Version, check_registry, rollback, standing, versions
from pipeline.config.loading import load_configuration
from schema.errors import Refused

_BROKEN = 1

app = typer.Typer(help="Lists the registry's versions, checks them, and rolls back.", no_args_is_help=True)

RegistryOption = Annotated[str | None, typer.Option("--registry", help="The registry's folder.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The pipeline's YAML file, which names it.")]


@app.command("list")
def show(registry: RegistryOption = None, config: ConfigOption = None) -> None:
    """Print every version: when it was pushed, what it was made from, how good it is, and which one is served."""
    base = _base(registry, config)
    there = versions(base)
    if not there:
        raise Refused(f"{base}: no model was pushed there")
    table = Table("version", "pushed", "labels", "checkpoint", "trained on", "macro F1", "", title=Text(display(base)))
    table.columns[2].justify = table.columns[5].justify = "right"
    stand = standing(base)
    for version in there:
        state = "served" if version == there[-1] else "" if version in stand else "withdrawn"
        table.add_row(*_row(version, state))
    Console().print(table)


@app.command()
def verify(registry: RegistryOption = None, config: ConfigOption = None) -> None:
    """Compare every file with its checksum; exit status 1 if something is not as it was pushed."""
    base = _base(registry, config)
    there, found = versions(base), list(check_registry(base))
    if not there and not found:
        raise Refused(f"{base}: no model was pushed there")
    console = Console()
    for finding in found:
        _say(console, finding)
    broken = {finding.where for finding in found if finding.broken}
    sound = sum(str(version.number) not in broken for version in there)
    console.print(f"{sound} of {len(there)} versions as they were pushed", highlight=False)
    if broken:
        raise typer.Exit(_BROKEN)


@app.command("rollback")
def roll_back(
    registry: RegistryOption = None,
    config: ConfigOption = None,
    to: Annotated[
        int | None, typer.Option(help="The version; without it, the newest one before, with another model.")
    ] = None,
) -> None:
    """Make an older version the latest again, as a copy under a new number; what came after it is withdrawn."""
    base = _base(registry, config)
    version = rollback(base, to)
    record = ModelRecord.read(version.path)
    taken_back = ", ".join(str(number) for number in record.withdraws)
    line = f"version {version.number}, a copy of {record.rolled_back_to}, is served now; withdrawn: {taken_back}"
    Console().print(Text(line), soft_wrap=True)


def _base(registry: str | None, config: Path | None) -> str:
    if (registry is None) == (config is None):
        raise Refused("give either --registry FOLDER or --config FILE")
    return registry if registry is not None else load_configuration(config or Path()).registry


def _row(version: Version, state: str) -> list[Text]:
    try:
        record = ModelRecord.read(version.path)
    except Refused as refused:
        cells = ["", "", "", str(refused).removeprefix(f"{version.path}/"), "", state]
    else:
        copy = f"copy of {record.rolled_back_to}" if record.rolled_back_to else ""
        cells = [
            (record.pushed or "").replace("T", " ").removesuffix("+00:00"),
            str(sum(label is not None for label in record.outputs)),
            display(record.checkpoint) if Path(record.checkpoint).is_absolute() else record.checkpoint,
            _data(record),
            "" if record.macro_f1 is None else f"{record.macro_f1:.3f}",
            ", ".join(filter(None, [state, copy])),
        ]
    return [Text(cell) for cell in [str(version.number), *cells]]


def _data(record: ModelRecord) -> str:
    rows = f"{sum(record.trained_on.rows.values())} rows" if record.trained_on.rows else ""
    spans = [span.span for span in record.trained_on.spans]
    return ", ".join(filter(None, [rows, _spans(spans)]))


def _spans(spans: list[int]) -> str:
    if not spans:
        return ""
    return f"span {spans[0]}" if len(spans) == 1 else f"spans {spans[0]} to {spans[-1]}"


def _say(console: Console, finding: Finding) -> None:
    mark = "broken" if finding.broken else "note"
    console.print(Text(f"{mark}: {finding.where}: {finding.what}"), soft_wrap=True)
