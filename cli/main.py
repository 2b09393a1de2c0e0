"""The command line.

Exit status: 0 ran, blessed and pushed; 1 a step failed; 2 the configuration or the data was refused; 3 ran, not
blessed, or not pushed since it was rolled back before.
TensorFlow and TFX are imported by the commands that need them, after everything cheap has been checked.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.labels import app as labels_app
from cli.models import app as models_app
from cli.options import ConfigOption, SetOption
from cli.remote import app as remote_app
from components.common.outcome import EXIT_STATUS
from pipeline.config.loading import load_configuration
from pipeline.errors import errors_in_one_line
from runners.table import LocalRunner
from schema.errors import Refused

app = typer.Typer(
    name="bert-multilabel",
    help="Keeps a multi-label BERT text classifier in service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(labels_app, name="labels")
app.add_typer(models_app, name="models")
app.add_typer(remote_app)


@app.callback()
def _commands() -> None:
    """Keeps a multi-label BERT text classifier in service."""


@app.command()
def run(
    config: ConfigOption,
    set_: SetOption = None,
    force: Annotated[bool, typer.Option("--force", help="Run even if no span is newer than the last.")] = False,
    runner: Annotated[
        str | None, typer.Option(help="local or beam: instead of runner.orchestrator in the configuration.")
    ] = None,
) -> None:
    """Train, evaluate and, if every gate holds and the canary lives, push."""
    from pipeline.run import run_pipeline

    chosen = [] if runner is None else [f"runner.orchestrator={runner}"]
    configuration = load_configuration(config, [*(set_ or ()), *chosen])
    summary = run_pipeline(configuration, Console(), LocalRunner(configuration.runner.orchestrator), force=force)
    raise typer.Exit(EXIT_STATUS[summary.outcome])


@app.command()
def check(config: ConfigOption, set_: SetOption = None) -> None:
    """Check configuration and data, without training."""
    from pipeline.run import check_data

    configuration = load_configuration(config, set_ or ())
    check_data(configuration, Console(), LocalRunner(configuration.runner.orchestrator))


@app.command()
def quarantine(
    run: Annotated[Path, typer.Argument(help="A run's folder, <work_dir>/runs/<time>; or a work_dir: its newest run.")],
    reason: Annotated[str | None, typer.Option(help="Only this reason, or those that begin like it.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="Rows to show of each reason.")] = 3,
) -> None:
    """List why rows were quarantined, with counts and examples."""
    from cli.quarantine import show_quarantine

    show_quarantine(run, Console(), reason=reason, examples=examples)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder, <work_dir>/runs/<time>; or a work_dir: its newest run.")],
    texts: Annotated[
        bool | None, typer.Option("--texts/--no-texts", help="Show the examples' texts, whatever report.texts says.")
    ] = None,
) -> None:
    """Make report.html and model_card.md of a run again, from what it left."""
    from pipeline.report import rebuild_report

    for path in rebuild_report(run, texts=texts):
        Console().print(Text(str(path)), soft_wrap=True)


@app.command()
def history(
    work_dir: Annotated[Path | None, typer.Argument(help="A work_dir; or name the configuration that has it.")] = None,
    config: Annotated[Path | None, typer.Option(help="The pipeline's YAML file.")] = None,
    set_: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a run instead of a table.")] = False,
) -> None:
    """List the runs: when, on what data, how good, blessed and pushed, or why not."""
    from cli.history import read_history, show_history

    if (work_dir is None) == (config is None):
        raise Refused("history: give either a work_dir or --config FILE")
    folder = work_dir if config is None else Path(load_configuration(config, set_ or ()).work_dir)
    assert folder is not None
    runs = read_history(folder)
    if as_json:
        for each in runs:
            sys.stdout.write(json.dumps(each.model_dump(mode="json"), ensure_ascii=False) + "\n")
    else:
        show_history(Console(), runs)


@app.command()
def init(
    data: Annotated[
        Path,
        typer.Option(
            help="A file, its format told by its name: .csv or .tsv (with a header), .jsonl, .tfrecord (of tf.Examples)"
            " - each also .gz - or .parquet."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder for schema.pbtxt and pipeline.yaml; made if missing.")],
    text: Annotated[str | None, typer.Option(help="The text column, where it cannot be told from the data.")] = None,
    labels: Annotated[str | None, typer.Option(help="The column of the labels, likewise.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between two labels of that column, likewise.")] = None,
    label_names: Annotated[
        Path | None,
        typer.Option(
            help="Where that column holds positions: the file they point into, one label a line, the first 0; beside"
            " the data or below."
        ),
    ] = None,
) -> None:
    """Infer a schema and a configuration from data, ready to be curated."""
    from cli.init import Hints, write_project

    written = write_project(data, output, Hints(text, labels, delimiter, label_names))
    console = Console()
    console.print(Text(written.in_words()), soft_wrap=True)
    next_step = f"Next: look through both files, then bert-multilabel run --config {written.configuration}"
    console.print(Text(next_step), soft_wrap=True)


@app.command()
def predict(
    model: Annotated[str, typer.Option(help="A pushed version, or the registry: then its newest version.")],
    text: Annotated[list[str], typer.Option(help="A text; repeat the option for more.")],
    text_pair: Annotated[
        list[str] | None, typer.Option(help="The second text of each, where the model takes pairs; in their order.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a text instead of a table.")] = False,
) -> None:
    """Print each label's probability and whether it is given."""
    from cli.predict import predict_texts

    for prediction in predict_texts(model, text, text_pair or ()):
        if as_json:
            sys.stdout.write(json.dumps(prediction.as_json(), ensure_ascii=False) + "\n")
            continue
        title = "\n".join(filter(None, (prediction.text, prediction.text_pair)))
        table = Table("label", "probability", "threshold", "given", title=Text(title), title_justify="left")
        for label in prediction.labels:
            table.add_row(
                label.name, f"{label.probability:.3f}", f"{label.threshold:.3f}", "yes" if label.given else ""
            )
        Console().print(table)


def main() -> None:
    """Run the command line; an error that a user can cause ends in one line on stderr."""
    with errors_in_one_line():
        app()
