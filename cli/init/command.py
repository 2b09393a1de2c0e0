"""The command `init`: a schema and a configuration from a data file."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def init(
    data: Annotated[
        Path,
        typer.Option(
            help="Data file. Its name tells the format: .csv or .tsv (with a header), .jsonl or .tfrecord (of"
            " tf.Examples), each also .gz, or .parquet."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder to write to; it is created if it does not exist.")],
    text: Annotated[
        str | None, typer.Option(help="Column of the texts; without it, it is inferred from names and content.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Column of the labels; without it, it is inferred from names and content.")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Delimiter between the labels of a row; without it, it is inferred.")
    ] = None,
    label_names: Annotated[
        Path | None,
        typer.Option(
            help="File with one label per line, if the column holds 0-based line numbers instead of labels; in the"
            " folder of the data or below."
        ),
    ] = None,
) -> None:
    """Infer a schema and a configuration from a data file, for you to review and run."""
    from rich.text import Text

    from cli.init.columns import Hints
    from cli.init.project import write_project
    from pipeline.console import PlainConsole

    project = write_project(data, output, Hints(text, labels, delimiter, label_names))
    console = PlainConsole()
    console.print(Text(project.describe()), soft_wrap=True)
    command = f"bert-multilabel run --config {project.configuration}"
    console.print(Text(f"Next: review schema and configuration, then run {command}"), soft_wrap=True)
