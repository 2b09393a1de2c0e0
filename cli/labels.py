"""Commands about the label list: `labels list`, `add`, `rename`, `retire` and `imply`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="List or change the labels in the schema; every other label keeps its index in the model's outputs.",
    no_args_is_help=True,
)

SchemaOption = Annotated[Path | None, typer.Option("--schema", help="Schema, a TF-Metadata text file.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Configuration of the pipeline, which names the schema.")
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME")]


@app.command("list")
def show(schema: SchemaOption = None, config: ConfigOption = None) -> None:
    """List the labels with their indices."""
    from cli.label_list import find_target, show_labels
    from pipeline.console import PlainConsole

    show_labels(PlainConsole(), find_target(schema, config))


@app.command()
def add(name: NameArgument, schema: SchemaOption = None, config: ConfigOption = None) -> None:
    """Add a label after the others, or bring a retired label back at its index."""
    from cli.label_list import add_label, find_target
    from pipeline.console import PlainConsole

    add_label(PlainConsole(), find_target(schema, config), name)


@app.command()
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD")],
    new: Annotated[str, typer.Argument(metavar="NEW")],
    schema: SchemaOption = None,
    config: ConfigOption = None,
) -> None:
    """Rename a label; rows with the old name are still understood."""
    from cli.label_list import find_target, rename_label
    from pipeline.console import PlainConsole

    rename_label(PlainConsole(), find_target(schema, config), old, new)


@app.command()
def retire(name: NameArgument, schema: SchemaOption = None, config: ConfigOption = None) -> None:
    """Take a label out of use; its index is not used again."""
    from cli.label_list import find_target, retire_label
    from pipeline.console import PlainConsole

    retire_label(PlainConsole(), find_target(schema, config), name)


@app.command()
def imply(
    name: NameArgument,
    implied: Annotated[str, typer.Argument(metavar="IMPLIED")],
    remove: Annotated[bool, typer.Option("--remove", help="Remove the implication.")] = False,
    schema: SchemaOption = None,
    config: ConfigOption = None,
) -> None:
    """Record that every text with label NAME has label IMPLIED too, as a spaniel is a dog."""
    from cli.label_list import find_target, imply_label
    from pipeline.console import PlainConsole

    imply_label(PlainConsole(), find_target(schema, config), name, implied, remove=remove)
