"""The command `clean`: removes what past runs left and nobody needs, within the bounds of the configuration."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption, SetOption

if TYPE_CHECKING:  # importing it takes longer than `--help` may
    from collections.abc import Iterable

    from pipeline.config.configuration import Configuration
    from runners.registry import PipelineRegistry

app = typer.Typer()


@app.command()
def clean(
    config: ConfigOption,
    set_: SetOption = None,
    keep_runs: Annotated[
        int | None,
        typer.Option(help="Newest runs whose artifacts, logs and reports stay; replaces retention.keep_runs."),
    ] = None,
    keep_models: Annotated[
        int | None, typer.Option(help="Newest versions of the registry that stay; replaces retention.keep_models.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="Remove only what is older, such as 30d; replaces retention.older_than.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be removed, and remove nothing.")] = False,
    runner: Annotated[
        str,
        typer.Option("--runner", help="local; or kubeflow or vertex, for the registry and artifacts of their runs."),
    ] = "local",
) -> None:
    """Remove artifacts, models, logs and leftovers of past runs that nobody needs; each run does it at its end, too.

    The model in service, the one that a rollback returns to, and what a kept run uses always stay.
    """
    from pipeline.config.loading import load_configuration

    options = {"keep_runs": keep_runs, "keep_models": keep_models, "older_than": older_than}
    overrides = [f"retention.{key}={value}" for key, value in options.items() if value is not None]
    configuration = load_configuration(config, [*(set_ or ()), *overrides])

    from components.registry import Claimant, check_owner
    from pipeline.console import PlainConsole
    from pipeline.retention import clean_up, plan_clean_up
    from pipeline.work_dir import WorkDir
    from runners.registry import registry_of

    registry = registry_of(configuration, runner)
    base = registry.base
    check_owner(base, Claimant(pipeline=configuration.name))
    in_use = _find_numbers_in_use(registry)
    if runner != "local":
        _clean_remotely(configuration, base, in_use, dry_run=dry_run)
        return
    work_dir = WorkDir(configuration.work_dir)
    if dry_run:
        plan = plan_clean_up(configuration.retention, work_dir, base, in_use)
        _show(plan.listed(), [plan.in_words()], dry_run=True)
        return
    if not work_dir.exists():
        plan = clean_up(configuration.retention, None, base, in_use)
    else:
        console = PlainConsole(stderr=True)
        with work_dir.locked(configuration.name, configuration.concurrency, console.print):
            plan = clean_up(configuration.retention, work_dir, base, in_use)
    _show((), [plan.in_words()], dry_run=False)


def _clean_remotely(config: "Configuration", base: str, in_use: set[int], *, dry_run: bool) -> None:
    from pipeline.remote_retention import clean_up_remote_runs, plan_remote_clean_up
    from pipeline.retention import clean_up, plan_clean_up

    if dry_run:
        plan, runs = plan_clean_up(config.retention, None, base, in_use), plan_remote_clean_up(config.retention, base)
        _show([*plan.listed(), *runs.listed()], [plan.in_words(), runs.in_words()], dry_run=True)
        return
    removed = [clean_up(config.retention, None, base, in_use).in_words()]
    _show((), [*removed, clean_up_remote_runs(config.retention, base).in_words()], dry_run=False)


def _find_numbers_in_use(registry: "PipelineRegistry") -> set[int]:
    """Return the numbers of the versions that Vertex AI serves; empty if none is there."""
    if registry.on_vertex is None:
        return set()
    from components.vertex_push.versions import numbers_in_use

    return numbers_in_use(registry.on_vertex.settings, registry.on_vertex.target)


def _show(lines: "Iterable[str]", parts: "Iterable[str]", *, dry_run: bool) -> None:
    from rich.text import Text

    from pipeline.console import PlainConsole

    console = PlainConsole()
    for line in lines:
        console.print(Text(line), soft_wrap=True)
    words = "; ".join(filter(None, parts)) or "nothing"
    console.print(Text(f"{'Would remove' if dry_run else 'Removed'}: {words}"), soft_wrap=True)
