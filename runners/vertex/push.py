"""Where a pipeline on Vertex AI pushes its models: its registry, and Vertex AI's Model Registry and an endpoint."""

from dataclasses import dataclass

from components.registry import SERVING_COPIES
from components.vertex_push.settings import VertexPushSettings, VertexTarget
from pipeline.config.configuration import Configuration
from pipeline.config.vertex import VertexSettings


@dataclass(frozen=True)
class PushDestination:
    """Model Registry and endpoint that a pipeline pushes to, besides its own registry.

    Attributes:
        settings: Name of the model, its container and its endpoint.
        target: Project and location of Vertex AI.
        registry: The pipeline's own registry.
    """

    settings: VertexPushSettings
    target: VertexTarget
    registry: str

    @property
    def serving_root(self) -> str:
        """Address of the copies that TensorFlow Serving needs."""
        return f"{self.registry.rstrip('/')}/{SERVING_COPIES}"


def push_destination(config: Configuration, settings: VertexSettings, registry: str) -> PushDestination:
    """Return the destination of `runner.vertex.push`, which must be configured."""
    assert settings.push is not None
    target = VertexTarget(
        project=settings.project,
        location=settings.location,
        api_endpoint=settings.api_endpoint,
        kms_key=settings.kms_key,
        labels=labels_of(config, settings),
    )
    return PushDestination(settings.push, target, registry)


def labels_of(config: Configuration, settings: VertexSettings) -> dict[str, str]:
    """Return the labels of all that is created in Vertex AI for a pipeline."""
    return settings.labels | {"bert-multilabel": config.name}
