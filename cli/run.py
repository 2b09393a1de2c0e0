"""Commands that run the pipeline on this machine: `run` and `check`.

They load the configuration before they import what runs it, so that a wrong key is refused at once.
"""

from typing import Annotated

import typer

from cli.options import ConfigOption, PipelineOption, SetOption, overrides_of
from schema.errors import Refused

app = typer.Typer()


@app.command()
def run(
    config: ConfigOption,
    set_: SetOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train even if no span is newer than the last one trained on.")
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take the registry over if it belongs to another pipeline.")
    ] = False,
    pipeline: PipelineOption = "train",
    runner: Annotated[
        str | None, typer.Option(help="local or beam; replaces runner.orchestrator of the configuration.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary on stdout as one JSON object, and all else on stderr.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also print what the libraries log.")] = False,
) -> None:
    """Train and evaluate a model, and push it if it passes every gate and the canary; or score what is new."""
    from pipeline.config.loading import load_configuration

    orchestrator = [] if runner is None else [f"runner.orchestrator={runner}"]
    configuration = load_configuration(config, [*overrides_of(set_, pipeline), *orchestrator])

    from components.common.outcome import EXIT_STATUS
    from pipeline.console import PlainConsole, print_json
    from pipeline.run import run_pipeline
    from pipeline.run_scoring import run_scoring
    from runners.table import LocalRunner

    console = PlainConsole(stderr=as_json, quiet=quiet)
    local = LocalRunner(configuration.runner.orchestrator)
    if configuration.pipeline == "score":
        if adopt:
            raise Refused("--adopt: scoring pushes nothing to the registry; run the pipeline that trains with it")
        summary = run_scoring(configuration, console, local, force=force, verbose=verbose)
    else:
        summary = run_pipeline(configuration, console, local, force=force, adopt=adopt, verbose=verbose)
    if as_json:
        print_json(summary.model_dump(mode="json"))
    raise typer.Exit(EXIT_STATUS[summary.outcome])


@app.command()
def check(config: ConfigOption, set_: SetOption = None) -> None:
    """Check configuration and data, without training."""
    from pipeline.config.loading import load_configuration

    configuration = load_configuration(config, set_ or ())

    from pipeline.console import PlainConsole
    from pipeline.run import check_data
    from runners.table import LocalRunner

    check_data(configuration, PlainConsole(), LocalRunner(configuration.runner.orchestrator))
