"""The command `score`: many rows at once, with the live model or any other."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import SetOption

app = typer.Typer()


@app.command()
def score(
    output: Annotated[
        str | None, typer.Option(help="Folder or gs:// address to write to; a second call does what is missing.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Directory of a model, or a registry for its live version; without it, that of --config."),
    ] = None,
    input_: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="FILE", help="File or glob pattern to score; more may follow it."),
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="More files to score.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Configuration of a pipeline: its `scoring`, or the columns of its `examples`; its `beam`."),
    ] = None,
    set_: SetOption = None,
    output_format: Annotated[
        str | None, typer.Option("--format", help="Format of the scores: parquet (the default) or jsonl.")
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(
            "--fields",
            "--columns",
            help="What is written beside the id, with commas between: labels, probabilities (both by default),"
            " decisions, text.",
        ),
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Column that identifies a row; without it, `id` or file and line.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Column of the texts; without it, `text`.")] = None,
    text_pair: Annotated[str | None, typer.Option(help="Column of the second texts, for a model of pairs.")] = None,
    beam: Annotated[
        str | None, typer.Option(help="Where Beam does the work: local (the default), multi_processing, flink, ...")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes with multi_processing, or of slots.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the record on stdout as one JSON object, and all else on stderr.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also print what the libraries log.")] = False,
) -> None:
    """Score files, or rows of BigQuery, with a model.

    Every row gets its labels and probabilities, under its own id. Rows that cannot be read are in a quarantine, with
    their file, line and reason. With --config alone, it does what `run --pipeline score` does.
    """
    from pipeline.config.score import score_configuration

    options = {
        "output": None if output is None else _absolute(output),
        "output_format": output_format,
        "fields": None if fields is None else [name.strip() for name in fields.split(",")],
        "id": id_,
        "text": text,
        "text_pair": text_pair,
    }
    inputs = [*(input_ or ()), *(more or ())]
    if config is not None and output is None and not inputs and model is None:
        _run_pipeline(config, set_, as_json=as_json, quiet=quiet, verbose=verbose)
        return
    configuration = score_configuration(config, set_ or (), options, inputs, {"runner": beam, "workers": workers})

    from pipeline.console import PlainConsole, print_json
    from pipeline.errors import StepFailed
    from pipeline.score import score as score_rows

    if configuration.beam.runner == "flink":
        from runners.beam.flink import check_cluster

        check_cluster(configuration.beam)
    console = PlainConsole(stderr=as_json, quiet=quiet)
    try:
        record = score_rows(configuration, _model(model, config), console, verbose=verbose)
    except StepFailed as failure:
        from runners.beam.flink import explained

        raise explained(configuration, failure) from failure
    if as_json:
        print_json(record.model_dump(mode="json"))


def _run_pipeline(config: Path, set_: list[str] | None, *, as_json: bool, quiet: bool, verbose: bool) -> None:
    from cli.run import run

    run(config, set_, pipeline="score", as_json=as_json, quiet=quiet, verbose=verbose)


def _model(model: str | None, config: Path | None) -> str:
    from schema.errors import Refused

    if model is not None:
        return model
    if config is None:
        raise Refused("give --model: the directory of a model, or a registry")
    from pipeline.config.loading import load_configuration

    return load_configuration(config).registry


def _absolute(path: str) -> str:
    import os

    return path if "://" in path else os.path.abspath(Path(path).expanduser())  # noqa: PTH100 - links stay as they are
