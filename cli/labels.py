"""`bert-multilabel labels`: changes the label list in the schema's file, and says what the next run makes of it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tensorflow_metadata.proto.v0 import schema_pb2

from components.evaluation.gates.checks import check_labels
from components.evaluation.gates.gate import parse_gate
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from schema.label_edits import Edit, edit_schema, plan_add, plan_rename, plan_retire
from schema.label_list import LabelList, label_list, read_schema

app = typer.Typer(
    help="Changes the label list; every other label keeps its place in the model's outputs.", no_args_is_help=True
)

SchemaOption = Annotated[Path | None, typer.Option("--schema", help="The schema's file.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The pipeline's YAML file, which names the schema.")
]
Name = Annotated[str, typer.Argument(metavar="NAME")]


@dataclass(frozen=True)
class _Target:
    """What is edited, and the gates that may name its labels."""

    schema: Path
    gates: tuple[str, ...] = ()


@app.command("list")
def show(schema: SchemaOption = None, config: ConfigOption = None) -> None:
    """Print every label with its place."""
    labels = label_list(read_schema(str(_target(schema, config).schema)))
    table = Table("place", "label", "", "called before")
    table.columns[0].justify = "right"
    for place, name in enumerate(labels.names):
        before = ", ".join(old for old, new in labels.aliases.items() if new == name)
        table.add_row(str(place), Text(name), "retired" if name in labels.retired else "", Text(before))
    Console().print(table)


@app.command()
def add(name: Name, schema: SchemaOption = None, config: ConfigOption = None) -> None:
    """Add a label behind the others, or bring a retired one back to its place."""
    _edit(_target(schema, config), lambda read: plan_add(read, name), _added)


@app.command()
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD")],
    new: Annotated[str, typer.Argument(metavar="NEW")],
    schema: SchemaOption = None,
    config: ConfigOption = None,
) -> None:
    """Call a label something else; rows that still bear the old name are understood."""
    _edit(_target(schema, config), lambda read: plan_rename(read, old, new), _renamed)


@app.command()
def retire(name: Name, schema: SchemaOption = None, config: ConfigOption = None) -> None:
    """Take a label out of use; its place stays empty."""
    _edit(_target(schema, config), lambda read: plan_retire(read, name), _retired)


def _added(before: LabelList, after: LabelList, place: int) -> list[str]:
    name = after.names[place]
    if place < len(before.names):
        what = f"'{name}' is in use again, at its old place {place}."
        rows = f"rows with '{name}' count again"
    else:
        what = f"'{name}' is added at place {place}, behind the others."
        rows = f"rows may have '{name}'"
    return [what, f"{rows}; gates against a live model that lacks it are asked of the labels that both have."]


def _renamed(before: LabelList, after: LabelList, place: int) -> list[str]:
    old, new = before.names[place], after.names[place]
    clients = f"the live model's '{old}' is compared as '{new}', which is what clients will get."
    return [
        f"'{old}' is called '{new}' now, at the same place {place}.",
        f"rows with '{old}' are read as '{new}'; {clients}",
    ]


def _retired(_: LabelList, after: LabelList, place: int) -> list[str]:
    name = after.names[place]
    return [
        f"'{name}' is retired; its place {place} stays empty.",
        f"rows keep their other labels; output {place} is always 0 and no gate may name '{name}'.",
    ]


def _edit(
    target: _Target,
    plan: Callable[[schema_pb2.Schema], Edit],
    words: Callable[[LabelList, LabelList, int], list[str]],
) -> None:
    """Makes a planned change in the file, and prints what it means."""
    schema = read_schema(str(target.schema))
    edit = plan(schema)
    edited = edit_schema(target.schema.read_bytes().decode(), edit)
    _replace(target.schema, edited.text)
    after = label_list(read_schema(str(target.schema)))
    what, next_run = words(label_list(schema), after, edit.index)
    lines = [f"{target.schema}: {what}", f"Next run: trains a model with {len(after.names)} outputs; {next_run}"]
    if not edited.keeps_layout:
        lines.append("warning: the file had to be written anew; its comments and layout are gone")
    lines += [f"warning: evaluation.gates will be refused: {why}" for why in _refused_gates(target.gates, after)]
    for line in lines:
        Console().print(Text(line), soft_wrap=True)


def _refused_gates(gates: tuple[str, ...], labels: LabelList) -> list[str]:
    refused = []
    for gate in gates:
        try:
            check_labels([parse_gate(gate)], labels)
        except Refused as why:
            refused.append(str(why))
    return refused


def _target(schema: Path | None, config: Path | None) -> _Target:
    if (schema is None) == (config is None):
        raise Refused("name the schema: either --schema FILE or --config FILE")
    if schema is not None:
        return _Target(schema)
    assert config is not None
    loaded = load_configuration(config)
    return _Target(Path(loaded.schema_file), tuple(loaded.evaluation.gates))


def _replace(path: Path, text: str) -> None:
    """Writes beside and renames, where the path leads to: a link stays one, and the file keeps its permissions."""
    path = path.resolve()
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(text.encode())
        partial.chmod(path.stat().st_mode & 0o7777)
        partial.replace(path)
    except OSError as error:
        raise Refused(f"{path}: cannot be written ({error.strerror}); nothing was changed") from None
    finally:
        partial.unlink(missing_ok=True)
