"""Commands about the registry: `models list`, `models verify` and `models rollback`."""

from pathlib import Path
from typing import Annotated

import typer

from schema.errors import Refused

_BROKEN = 1

app = typer.Typer(help="List the versions in the registry, verify them, or roll back.", no_args_is_help=True)

RegistryOption = Annotated[str | None, typer.Option("--registry", help="Folder or gs:// address of the registry.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Configuration of the pipeline, which names the registry.")
]


@app.command("list")
def show(registry: RegistryOption = None, config: ConfigOption = None) -> None:
    """List the versions: when each was pushed, what it was trained on, how good it is, and which one is served."""
    from cli.versions import show_versions
    from pipeline.console import PlainConsole

    show_versions(PlainConsole(), _registry(registry, config))


@app.command()
def verify(registry: RegistryOption = None, config: ConfigOption = None) -> None:
    """Compare every file with its checksum; exit status 1 if a version is not as it was pushed."""
    from cli.versions import verify_versions
    from pipeline.console import PlainConsole

    if not verify_versions(PlainConsole(), _registry(registry, config)):
        raise typer.Exit(_BROKEN)


@app.command("rollback")
def roll_back(
    registry: RegistryOption = None,
    config: ConfigOption = None,
    to: Annotated[
        int | None,
        typer.Option(help="Version to return to; without it, the newest one that has another model than the latest."),
    ] = None,
) -> None:
    """Make an older version the latest again, as a copy under a new number, and withdraw what was pushed after it."""
    from cli.versions import roll_back_to
    from pipeline.console import PlainConsole

    roll_back_to(PlainConsole(), _registry(registry, config), to)


def _registry(registry: str | None, config: Path | None) -> str:
    if (registry is None) == (config is None):
        raise Refused("give either --registry FOLDER or --config FILE")
    if registry is not None:
        return registry
    from pipeline.config.loading import load_configuration

    assert config is not None
    return load_configuration(config).registry
