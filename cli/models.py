"""Commands about the registry: `models list`, `models verify`, `models sign`, `models rollback` and `models adopt`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ConfigOption as RequiredConfigOption
from cli.options import SetOption
from schema.errors import Refused

if TYPE_CHECKING:  # importing it takes longer than `--help` may
    from runners.registry import PipelineRegistry

_BROKEN = 1

app = typer.Typer(
    help="List the versions in the registry, verify them, roll back, or take the registry over.", no_args_is_help=True
)

RegistryOption = Annotated[str | None, typer.Option("--registry", help="Folder or gs:// address of the registry.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Configuration of the pipeline, which names the registry.")
]


RunnerOption = Annotated[
    str,
    typer.Option("--runner", help="With --config: whose registry, that of local, kubeflow or vertex."),
]


@app.command("list")
def show(
    registry: RegistryOption = None,
    config: ConfigOption = None,
    runner: RunnerOption = "local",
    all_: Annotated[bool, typer.Option("--all", help="Also list the versions that were removed.")] = False,
) -> None:
    """List the versions: when each was pushed, what it was trained on, how good it is, and which one is served.

    With runner.vertex.push in the configuration, also which version each is in Vertex AI, and its traffic there.
    """
    from cli.versions import show_versions
    from pipeline.console import PlainConsole

    show_versions(PlainConsole(), _registry(registry, config, runner), removed=all_)


@app.command()
def verify(
    registry: RegistryOption = None,
    config: ConfigOption = None,
    runner: RunnerOption = "local",
    public_key: Annotated[
        Path | None, typer.Option(help="Also require each version's signature by this key (PEM); see `models sign`.")
    ] = None,
) -> None:
    """Compare every file with its checksum; exit status 1 if a version is not as it was pushed."""
    from cli.versions import verify_versions
    from pipeline.console import PlainConsole

    if not verify_versions(PlainConsole(), _registry(registry, config, runner).base, public_key):
        raise typer.Exit(_BROKEN)


@app.command()
def sign(
    private_key: Annotated[Path, typer.Option(help="Key of an elliptic curve, PEM, without a password.")],
    registry: RegistryOption = None,
    config: ConfigOption = None,
    runner: RunnerOption = "local",
) -> None:
    """Sign the versions that have no signature, with sigstore's model-signing (the extra `signing`)."""
    from components.registry import sign_versions
    from pipeline.console import PlainConsole

    base = _registry(registry, config, runner).base
    names = ", ".join(version.path.removeprefix(f"{base.rstrip('/')}/") for version in sign_versions(base, private_key))
    PlainConsole().print(f"Signed: {names or 'nothing, every version has a signature'}", soft_wrap=True)


@app.command("rollback")
def roll_back(
    registry: RegistryOption = None,
    config: ConfigOption = None,
    runner: RunnerOption = "local",
    to: Annotated[
        int | None,
        typer.Option(help="Version to return to; without it, the newest one that has another model than the latest."),
    ] = None,
) -> None:
    """Make an older version the latest again, as a copy under a new number, and withdraw what was pushed after it.

    With runner.vertex.push in the configuration, first make it the default version in Vertex AI, and give it the
    endpoint's traffic.
    """
    from cli.versions import roll_back_to
    from pipeline.console import PlainConsole

    roll_back_to(PlainConsole(), _registry(registry, config, runner), to)


@app.command()
def adopt(config: RequiredConfigOption, set_: SetOption = None, runner: RunnerOption = "local") -> None:
    """Make a pipeline the owner of its registry, whichever pipeline it belongs to: only the owner pushes to it."""
    from pipeline.config.loading import load_configuration
    from pipeline.console import PlainConsole
    from pipeline.registry import adopt_registry
    from runners.registry import registry_of

    configuration = load_configuration(config, set_ or ())
    PlainConsole().print(adopt_registry(configuration, registry_of(configuration, runner).base), soft_wrap=True)


def _registry(registry: str | None, config: Path | None, runner: str) -> "PipelineRegistry":
    if (registry is None) == (config is None):
        raise Refused("give either --registry FOLDER or --config FILE")
    from runners.registry import PipelineRegistry, registry_of

    if registry is not None:
        return PipelineRegistry(registry)
    from pipeline.config.loading import load_configuration

    assert config is not None
    return registry_of(load_configuration(config), runner)
