"""Commands about past runs: `history`, `report`, `quarantine` and `suspects`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import OptionalRunArgument, RunArgument, SetOption
from components.suspects.settings import FOLDS, TOP
from schema.errors import Refused

app = typer.Typer()


@app.command()
def history(
    work_dir: Annotated[
        Path | None, typer.Argument(help="The work_dir of a pipeline; or give --config, which names it.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="Configuration of the pipeline, a YAML file.")] = None,
    set_: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per run instead of a table.")] = False,
) -> None:
    """List the runs: when, on which data, how good, and whether the model was pushed, or why not."""
    from cli.history import show_history
    from pipeline.config.loading import load_configuration
    from pipeline.console import PlainConsole, print_json
    from pipeline.history import read_history

    if (work_dir is None) == (config is None):
        raise Refused("history: give either a work_dir or --config FILE")
    folder = work_dir if config is None else Path(load_configuration(config, set_ or ()).work_dir)
    assert folder is not None
    past_runs = read_history(folder)
    if as_json:
        for run in past_runs:
            print_json(run.model_dump(mode="json"))
    else:
        show_history(PlainConsole(), past_runs)


@app.command()
def report(
    run: OptionalRunArgument = None,
    texts: Annotated[
        bool | None,
        typer.Option("--texts/--no-texts", help="Show texts of examples or not; replaces report.texts of the run."),
    ] = None,
    short: Annotated[
        bool, typer.Option("--short", help="Write report-short.html instead: two pages in print, for a manager.")
    ] = False,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="RUN RUN", help="Instead of RUN: write a page that shows two runs side by side."),
    ] = None,
) -> None:
    """Write report.html and model_card.md of a run again, from the files that it left."""
    if (run is None) == (compare is None) or (short and compare is not None):
        raise Refused("report: give either a run, with --short or without, or --compare RUN RUN")
    from rich.text import Text

    from pipeline.console import PlainConsole
    from pipeline.report import rebuild_report, write_comparison, write_short_report

    if compare is not None:
        paths = [write_comparison(*compare, texts=texts)]
    else:
        assert run is not None
        paths = [write_short_report(run, texts=texts)] if short else [*rebuild_report(run, texts=texts)]
    for path in paths:
        PlainConsole().print(Text(str(path)), soft_wrap=True)


@app.command()
def quarantine(
    run: RunArgument,
    reason: Annotated[str | None, typer.Option(help="Show only the reasons that start like this.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="Rows to show of each reason.")] = 3,
) -> None:
    """List why rows were quarantined, with counts and examples."""
    from cli.quarantine import show_quarantine
    from pipeline.console import PlainConsole

    show_quarantine(run, PlainConsole(), reason=reason, examples=examples)


@app.command()
def suspects(
    run: Annotated[
        Path, typer.Option(help="Folder of a run, <work_dir>/runs/<time>; or a work_dir, for its newest run.")
    ],
    top: Annotated[int, typer.Option(min=0, help="Rows to show, and to keep for the report.")] = TOP,
    folds: Annotated[
        int, typer.Option(min=2, help="Parts of the train split; each is judged by a head trained on the others.")
    ] = FOLDS,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Table of all suspects, .csv or .parquet; suspects.csv in the run's folder by default."
        ),
    ] = None,
) -> None:
    """List labels of the train split that are likely to be wrong, the most likely first, and add them to the report."""
    from cli.suspects import show_suspects
    from pipeline.console import PlainConsole
    from pipeline.suspects import search_suspects

    console = PlainConsole()
    found = search_suspects(run, PlainConsole(stderr=True), top=top, folds=folds, output=output)
    show_suspects(console, found)
