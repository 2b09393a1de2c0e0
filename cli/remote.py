"""Commands for runs on Kubeflow Pipelines and Vertex AI: `compile`, `submit`, `status`, `cancel` and `schedule`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, PipelineOption, SetOption, overrides_of
from schema.errors import Refused

if TYPE_CHECKING:  # importing them takes longer than `--help` may
    from pipeline.config.configuration import Configuration
    from runners.remote.remote import RemoteRun, RemoteSchedule

app = typer.Typer()

RemoteOption = Annotated[str, typer.Option("--runner", help="kubeflow (Kubeflow Pipelines v2) or vertex (Vertex AI).")]
RUN_HELP = "Name of the run, as `submit` prints it"


@app.command("compile")
def compile_(
    config: ConfigOption,
    runner: RemoteOption,
    output: Annotated[Path, typer.Option(help="File to write: *.yaml for kubeflow, *.json for vertex.")],
    set_: SetOption = None,
    pipeline: PipelineOption = "train",
) -> None:
    """Write the pipeline in the form that Kubeflow Pipelines or Vertex AI runs."""
    from pipeline.config.loading import load_configuration
    from runners.table import compile_pipeline

    compile_pipeline(load_configuration(config, overrides_of(set_, pipeline)), runner, output)
    _print(f"Written: {output}")


@app.command()
def submit(
    config: ConfigOption,
    runner: RemoteOption,
    set_: SetOption = None,
    pipeline: PipelineOption = "train",
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until the run has ended; exit status 1 if it failed.")
    ] = False,
) -> None:
    """Start a run on Kubeflow Pipelines or Vertex AI."""
    from components.common.outcome import EXIT_STATUS
    from pipeline.check import check_without_data
    from pipeline.config.loading import load_configuration
    from runners.remote import remote
    from runners.table import remote_runner

    configuration = load_configuration(config, overrides_of(set_, pipeline))
    check_without_data(configuration)
    with remote_runner(runner) as service:
        run = remote.submit(service, configuration, _print)
        _print_run(run)
        if wait:
            run = remote.wait(service, configuration, run, _print_run)
    if wait and run.state is not remote.RunState.SUCCEEDED:
        raise typer.Exit(EXIT_STATUS["failed"])


@app.command()
def status(
    config: ConfigOption,
    runner: RemoteOption,
    run: Annotated[str | None, typer.Argument(help=f"{RUN_HELP}; without it, the newest twenty runs.")] = None,
    set_: SetOption = None,
    pipeline: PipelineOption = "train",
) -> None:
    """Show the state of runs on Kubeflow Pipelines or Vertex AI."""
    from rich.table import Table

    from pipeline.config.loading import load_configuration
    from pipeline.console import PlainConsole
    from runners.table import remote_runner

    configuration = load_configuration(config, overrides_of(set_, pipeline))
    with remote_runner(runner) as service:
        runs = service.runs(configuration) if run is None else [service.status(configuration, run)]
    if run is not None:
        _print_run(runs[0])
        return
    table = Table()
    table.add_column("run", no_wrap=True)  # so that it can be copied
    for column in ("state", "created (UTC)", "error"):
        table.add_column(column)
    for each in runs:
        created = f"{each.created:%Y-%m-%d %H:%M}" if each.created else ""
        table.add_row(each.name, str(each.state), created, each.error or "")
    PlainConsole().print(table if runs else "no runs")


@app.command()
def cancel(
    config: ConfigOption,
    runner: RemoteOption,
    run: Annotated[str, typer.Argument(help=f"{RUN_HELP}.")],
    set_: SetOption = None,
    pipeline: PipelineOption = "train",
) -> None:
    """Cancel a run on Kubeflow Pipelines or Vertex AI."""
    from pipeline.config.loading import load_configuration
    from runners.table import remote_runner

    configuration = load_configuration(config, overrides_of(set_, pipeline))
    with remote_runner(runner) as service:
        cancelled = service.cancel(configuration, run)
    _print_run(cancelled)


@app.command()
def schedule(
    config: ConfigOption,
    runner: Annotated[
        str,
        typer.Option(
            help="kubeflow, vertex, or local: prints files for systemd and cron on this machine, and installs nothing."
        ),
    ],
    cron: Annotated[
        str | None,
        typer.Option(help='Create or change the schedule: minute hour day month weekday, such as "0 3 * * *".'),
    ] = None,
    pause: Annotated[bool, typer.Option("--pause", help="Start no runs until --resume.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Start runs again after --pause.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the schedule.")] = False,
    set_: SetOption = None,
    pipeline: PipelineOption = "train",
) -> None:
    """Run the pipeline on a schedule. With only --runner, show the existing schedule."""
    from pipeline.config.loading import load_configuration

    actions = [option for option, given in (("--pause", pause), ("--resume", resume), ("--delete", delete)) if given]
    if cron is not None:
        actions.append("--cron")
    if len(actions) > 1:
        raise Refused(f"schedule: {' and '.join(actions)} cannot be combined; give one")
    is_watch = pipeline == "watch"
    configuration = load_configuration(config, overrides_of(set_, "train" if is_watch else pipeline))
    if is_watch and runner != "local":
        raise Refused("schedule --pipeline watch: the request log is on this machine; give --runner local")
    if runner == "local":
        if cron is None:
            raise Refused("schedule --runner local: give --cron; nothing is installed, so no other option applies")
        sys.stdout.write(f"{_local_words(configuration, config, set_, pipeline, cron)}\n")
        return
    _schedule_remotely(configuration, runner, actions[0] if actions else None, cron)


def _local_words(configuration: "Configuration", config: Path, set_: list[str] | None, pipeline: str, cron: str) -> str:
    from runners.local.schedule import local_schedule

    is_watch = pipeline == "watch"
    overrides = overrides_of(set_, "train" if is_watch else pipeline)
    return local_schedule(configuration, config, overrides, cron, watch=is_watch).in_words()


def _schedule_remotely(config: "Configuration", runner: str, action: str | None, cron: str | None) -> None:
    from pipeline.check import check_without_data
    from pipeline.cron import parse_cron
    from runners.table import check_schedulable, remote_runner

    check_schedulable(runner)
    if cron is not None:
        parse_cron(cron)
        check_without_data(config)
    with remote_runner(runner) as service:
        if action == "--delete":
            existed = service.delete_schedule(config)
            _print(f"Schedule {config.name}: {'deleted' if existed else 'there was none'}")
        elif cron is not None:
            _print_schedule(service.set_schedule(config, cron))
        elif action in ("--pause", "--resume"):
            _print_schedule(service.pause_schedule(config, paused=action == "--pause"))
        elif (existing := service.find_schedule(config)) is not None:
            _print_schedule(existing)
        else:
            _print(f"Schedule {config.name}: there is none; --cron makes it")


def _print_schedule(schedule: "RemoteSchedule") -> None:
    state = "paused" if schedule.paused else "on"
    next_run = f", next {schedule.next_run:%Y-%m-%d %H:%M %Z}" if schedule.next_run and not schedule.paused else ""
    _print(f"Schedule {schedule.name}: {state}, {schedule.cron} ({schedule.time_zone}){next_run}")
    if schedule.page:
        _print(schedule.page)


def _print_run(run: "RemoteRun") -> None:
    _print(f"Run {run.name}: {run.state}{f': {run.error}' if run.error else ''}")
    if run.page:
        _print(run.page)


def _print(line: str) -> None:
    from rich.text import Text

    from pipeline.console import PlainConsole

    PlainConsole().print(Text(line), soft_wrap=True)
