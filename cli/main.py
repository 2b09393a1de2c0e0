"""The command line, `bert-multilabel`.

Its commands are declared in the other modules of this package. They import what they need when they are called, so that
`--help`, `--version` and shell completion answer at once, and TensorFlow and TFX are imported only after everything
that is cheap has been checked.

Exit status: 0 the model was blessed and pushed, or there was nothing new to train on; 1 a step failed; 2 the
configuration or the data was refused; 3 the model was not blessed, or not pushed because it was rolled back before or
another one became live meanwhile.
"""

import sys
from typing import Annotated

import typer

from cli import (
    clean,
    collect,
    config,
    deploy,
    explain,
    labels,
    models,
    predict,
    remote,
    review,
    run,
    runs,
    score,
    serve,
    watch,
)
from cli.init import command as init
from pipeline.errors import errors_in_one_line

_NAME = "bert-multilabel"

app = typer.Typer(name=_NAME, no_args_is_help=True, pretty_exceptions_enable=False)
for _module in (run, runs, clean, init, predict, explain, score, serve, collect, deploy, watch, remote):
    app.add_typer(_module.app)
for _group, _app in (
    ("models", models.app),
    ("labels", labels.app),
    ("review", review.app),
    ("config", config.app),
):
    app.add_typer(_app, name=_group)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        sys.stdout.write(f"{_NAME} {version(_NAME)}\n")
    except PackageNotFoundError:
        sys.stdout.write(f"{_NAME}, not installed: run from a folder with its code\n")
    raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train, judge, push and monitor a multi-label BERT text classifier."""


def main() -> None:
    """Run the command line; an error that a user can fix ends in one line on stderr."""
    with errors_in_one_line():
        app()
