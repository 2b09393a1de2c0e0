"""The commands for other machines: compile, submit, status, cancel, schedule."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.options import ConfigOption, SetOption
from components.common.outcome import EXIT_STATUS
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from runners.remote import remote
from runners.table import check_schedulable, compile_pipeline, remote_runner
from schema.errors import Refused

app = typer.Typer()

RemoteOption = Annotated[str, typer.Option("--runner", help="kubeflow or vertex.")]


@app.command("compile")
def compile_(
    config: ConfigOption,
    runner: Annotated[str, typer.Option(help="kubeflow: Kubeflow Pipelines v2; vertex: Vertex AI Pipelines.")],
    output: Annotated[Path, typer.Option(help="The file to write: *.yaml for kubeflow, *.json for vertex.")],
    set_: SetOption = None,
) -> None:
    """Write the pipeline as another machine runs it."""
    compile_pipeline(load_configuration(config, set_ or ()), runner, output)
    _print(f"Written: {output}")


@app.command()
def submit(
    config: ConfigOption,
    runner: RemoteOption,
    set_: SetOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it has ended; exit status 1 if it failed.")] = False,
) -> None:
    """Start a run on another machine."""
    from pipeline.check import check_without_data

    configuration = load_configuration(config, set_ or ())
    check_without_data(configuration)
    with remote_runner(runner) as there:
        run = remote.submit(there, configuration, _print)
        _show_run(run)
        if wait:
            run = remote.wait(there, configuration, run, _show_run)
    if wait and run.state is not remote.RunState.SUCCEEDED:
        raise typer.Exit(EXIT_STATUS["failed"])


@app.command()
def status(
    config: ConfigOption,
    runner: RemoteOption,
    run: Annotated[str | None, typer.Argument(help="As `submit` printed it; none: the newest twenty.")] = None,
    set_: SetOption = None,
) -> None:
    """Show where runs on another machine stand."""
    configuration = load_configuration(config, set_ or ())
    with remote_runner(runner) as there:
        runs = there.runs(configuration) if run is None else [there.status(configuration, run)]
    if run is not None:
        _show_run(runs[0])
        return
    table = Table()
    table.add_column("run", no_wrap=True)  # to be copied
    for column in ("state", "created (UTC)", "error"):
        table.add_column(column)
    for each in runs:
        created = f"{each.created:%Y-%m-%d %H:%M}" if each.created else ""
        table.add_row(Text(each.name), str(each.state), created, Text(each.error or ""))
    Console().print(table if runs else "no runs")


@app.command()
def cancel(
    config: ConfigOption,
    runner: RemoteOption,
    run: Annotated[str, typer.Argument(help="As `submit` printed it.")],
    set_: SetOption = None,
) -> None:
    """End a run on another machine."""
    configuration = load_configuration(config, set_ or ())
    with remote_runner(runner) as there:
        ended = there.cancel(configuration, run)
    _show_run(ended)


@app.command()
def schedule(
    config: ConfigOption,
    runner: Annotated[
        str, typer.Option(help="local: this machine, nothing is installed, only printed; or kubeflow, vertex.")
    ],
    cron: Annotated[
        str | None,
        typer.Option(help='Make it, or change it: minute hour day month weekday, such as "0 3 * * *".'),
    ] = None,
    pause: Annotated[bool, typer.Option("--pause", help="Start nothing until --resume.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after --pause.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it.")] = False,
    set_: SetOption = None,
) -> None:
    """Run the pipeline again and again. With nothing but --runner, show the schedule that is there."""
    asked = [option for option, given in (("--pause", pause), ("--resume", resume), ("--delete", delete)) if given]
    if cron is not None:
        asked.append("--cron")
    if len(asked) > 1:
        raise Refused(f"schedule: {' and '.join(asked)} do not go together; give one")
    configuration = load_configuration(config, set_ or ())
    if runner == "local":
        from runners.local.schedule import local_schedule

        if asked != ["--cron"]:
            raise Refused("schedule --runner local: nothing is installed, so there is only --cron to give")
        assert cron is not None
        sys.stdout.write(f"{local_schedule(configuration, config, set_ or (), cron).in_words()}\n")
        return
    from pipeline.check import check_without_data
    from runners.local.schedule import parse_cron

    check_schedulable(runner)
    if cron is not None:
        parse_cron(cron)
        check_without_data(configuration)
    _schedule_elsewhere(configuration, runner, asked[0] if asked else None, cron)


def _schedule_elsewhere(config: Configuration, runner: str, asked: str | None, cron: str | None) -> None:
    with remote_runner(runner) as there:
        if cron is not None:
            planned = there.set_schedule(config, cron)
        elif asked in ("--pause", "--resume"):
            planned = there.pause_schedule(config, paused=asked == "--pause")
        elif asked == "--delete":
            was_there = there.delete_schedule(config)
            _print(f"Schedule {config.name}: {'deleted' if was_there else 'there was none'}")
            return
        elif (found := there.find_schedule(config)) is not None:
            planned = found
        else:
            _print(f"Schedule {config.name}: there is none; --cron makes it")
            return
    state = "paused" if planned.paused else "on"
    comes = f", next {planned.next_run:%Y-%m-%d %H:%M %Z}" if planned.next_run and not planned.paused else ""
    _print(f"Schedule {planned.name}: {state}, {planned.cron} ({planned.time_zone}){comes}")
    if planned.page:
        _print(planned.page)


def _show_run(run: remote.RemoteRun) -> None:
    _print(f"Run {run.name}: {run.state}{f': {run.error}' if run.error else ''}")
    if run.page:
        _print(run.page)


def _print(line: str) -> None:
    Console().print(Text(line), soft_wrap=True)
