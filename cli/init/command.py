"""The command `init`: a schema and a configuration from a data file."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from cli.init.hints import Hints
    from cli.init.project import Project

app = typer.Typer()


@app.command()
def init(
    data: Annotated[
        Path,
        typer.Option(
            help="Data file. Its name tells the format: .csv or .tsv (with a header, or --columns), .jsonl or .tfrecord"
            " (of tf.Examples), each also .gz, or .parquet."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder to write to; it is created if it does not exist.")],
    text: Annotated[
        str | None, typer.Option(help="Column of the texts; without it, it is inferred from names and content.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Column of the labels, or columns with commas between; without it, inferred from names and content."
        ),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Delimiter between the labels of a row; without it, it is inferred.")
    ] = None,
    label_names: Annotated[
        Path | None,
        typer.Option(
            help="File with one label per line, if the column holds 0-based line numbers or a vector of 0 and 1 instead"
            " of labels; in the folder of the data or below."
        ),
    ] = None,
    label_kind: Annotated[
        str | None,
        typer.Option(
            help="Form of the labels: delimited, single (each value is one label), list, indicators, columns, multihot"
            " or indices; without it, it is inferred."
        ),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Names of the columns, with commas between, if the file has no header.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of the file, such as windows-1252; without it, UTF-8 or UTF-16.")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="Character between the fields of a CSV file; without it, it is inferred.")
    ] = None,
) -> None:
    """Infer a schema and a configuration from a data file, for you to review and run.

    The file is read with the configuration before anything is written. Where it can be read in several ways, init asks,
    or names the option that decides and ends with exit status 2.
    """
    from rich.text import Text

    from cli.init.hints import Hints
    from pipeline.console import PlainConsole

    console = PlainConsole()
    names = None if columns is None else tuple(name.strip() for name in columns.split(","))
    hints = Hints(text, labels, delimiter, label_names, label_kind, names, encoding, separator)
    project = _write(data, output, hints, console)
    console.print(Text(project.describe()), soft_wrap=True)
    command = f"bert-multilabel run --config {project.configuration}"
    console.print(Text(f"Next: review schema and configuration, then run {command}"), soft_wrap=True)


def _write(data: Path, output: Path, hints: "Hints", console: "Console") -> "Project":
    """Write the project; on a terminal, ask a person where the data can be read in several ways."""
    from cli.init.project import write_project
    from cli.init.reading import AmbiguousError, with_options

    while True:
        try:
            return write_project(data, output, hints)
        except AmbiguousError as error:
            answers = [choice for choice in error.choices if choice[1]]
            if not answers or not (sys.stdin.isatty() and console.is_terminal):
                raise
            hints = with_options(hints, _ask(error.question, answers, console))


def _ask(question: str, answers: Sequence[tuple[str, Mapping[str, str]]], console: "Console") -> Mapping[str, str]:
    from rich.text import Text

    console.print(Text(question))
    for number, (description, _) in enumerate(answers, start=1):
        console.print(Text(f"  {number}. {description}"))
    chosen = 0
    while not 1 <= chosen <= len(answers):
        chosen = typer.prompt("Number", type=int)
    return answers[chosen - 1][1]
