"""The registry that a pipeline's runs push to, which depends on where they run."""

from dataclasses import dataclass

from pipeline.config.configuration import Configuration
from runners.vertex.push import PushDestination, push_destination
from schema.errors import Refused
from schema.nearest import nearest


@dataclass(frozen=True)
class PipelineRegistry:
    """Registry of a pipeline.

    Attributes:
        base: Folder or gs:// address.
        on_vertex: Where on Vertex AI its models are as well; None: nowhere, or `base` alone is known.
        note: What a person should know of another registry of the same configuration; empty: there is none.
    """

    base: str
    on_vertex: PushDestination | None = None
    note: str = ""


def registry_of(config: Configuration, runner: str = "local") -> PipelineRegistry:
    """Return the registry that runs of a runner push to.

    Args:
        config: The configuration.
        runner: local, kubeflow or vertex.

    Raises:
        Refused: There is no such runner, or the configuration has no settings for it.
    """
    known = ["local", "kubeflow", "vertex"]
    if runner not in known:
        raise Refused(f"--runner {runner}: there is no such runner; {nearest(runner, known)}")
    settings = {"kubeflow": config.runner.kubeflow, "vertex": config.runner.vertex}.get(runner)
    if runner != "local" and settings is None:
        raise Refused(f"--runner {runner}: the configuration has no runner.{runner}")
    base = (settings.paths.registry if settings else None) or config.registry
    vertex = config.runner.vertex
    if vertex is None or vertex.push is None:
        return PipelineRegistry(base)
    pushed_to = vertex.paths.registry or config.registry
    if base.rstrip("/") == pushed_to.rstrip("/"):
        return PipelineRegistry(base, push_destination(config, vertex, base))
    also = f"runs on Vertex AI push to {pushed_to} and to the model {vertex.push.model} there"
    return PipelineRegistry(base, note=f"{also}; give --runner vertex for these")
