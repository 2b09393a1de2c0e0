"""The command `watch`: whether what is answered still looks like the training data."""

from datetime import datetime
from typing import Annotated

import typer

from cli.options import ConfigOption, SetOption

app = typer.Typer()


@app.command()
def watch(
    config: ConfigOption,
    set_: SetOption = None,
    until: Annotated[
        datetime | None, typer.Option(help="End of the window, in UTC; without it, now.", formats=["%Y-%m-%dT%H:%M"])
    ] = None,
    runner: Annotated[
        str, typer.Option(help="Where a training starts that watch.when asks for: local, kubeflow or vertex.")
    ] = "local",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print watch.json on stdout as one JSON object, and all else on stderr.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also print what the libraries log.")] = False,
) -> None:
    """Compare the last window of answers with the training data of the version that gave them, and with the one before.

    Exit status 3 if something has drifted beyond its bound. With `watch.when: drift`, a training run starts if that was
    the live version; as always, it ends at once if there is nothing new to train on.
    """
    from datetime import UTC

    from pipeline.config.loading import load_configuration

    configuration = load_configuration(config, set_ or ())

    from components.common.outcome import EXIT_STATUS
    from pipeline.console import PlainConsole, print_json
    from pipeline.watch import asks_for_training
    from pipeline.watch import watch as look

    console = PlainConsole(stderr=as_json, quiet=quiet)
    end = None if until is None else until.replace(tzinfo=UTC)
    summary, result = look(configuration, console, end, verbose=verbose)
    if as_json:
        print_json(result.model_dump(mode="json"))
    if asks_for_training(configuration, result):
        console.print("Drift starts a training run")
        if runner == "local":
            from pipeline.run import run_pipeline
            from runners.table import LocalRunner

            run_pipeline(configuration, console, LocalRunner(configuration.runner.orchestrator), verbose=verbose)
        else:
            from runners.remote import remote
            from runners.table import remote_runner

            with remote_runner(runner) as service:
                console.print(f"Run {remote.submit(service, configuration, console.print).name} started")
    raise typer.Exit(EXIT_STATUS[summary.outcome])
