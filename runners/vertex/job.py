"""From the configuration to the PipelineJob that Vertex AI takes; what can be refused without TensorFlow is, first."""

from typing import Any

from components.common.files import is_remote
from pipeline.config.configuration import Configuration
from pipeline.config.vertex import VertexSettings
from pipeline.locations import Locations, container_locations
from runners.kubeflow.runner import NOTIFY
from schema.errors import Refused

_MOUNTED = "/gcs/"  # Cloud Storage, by Cloud Storage FUSE, in every container


def build(config: Configuration) -> dict[str, Any]:
    """The PipelineJob, as JSON.

    Raises:
        Refused: The configuration asks for what a container cannot have.
    """
    settings = settings_of(config)
    places = places_in_containers(config, settings)
    from runners.vertex.spec import build_job  # TFX, which takes seconds, after all that can be refused without

    return build_job(config, settings, places)


def settings_of(config: Configuration) -> VertexSettings:
    """The configuration's part for Vertex AI.

    Raises:
        Refused: It has none.
    """
    if config.runner.vertex is None:
        raise Refused(
            "--runner vertex: the configuration has no runner.vertex; give project, location, pipeline_root and image"
        )
    return config.runner.vertex


def places_in_containers(config: Configuration, settings: VertexSettings) -> Locations:
    """Where containers find what the configuration names.

    Raises:
        Refused: They cannot; the message names the key to set.
    """
    if config.infra_validator is not None:
        raise Refused(
            "infra_validator: TFX cannot compile it for Vertex AI; set it to null, the canary tries each model"
        )
    _check_notify(config, settings)
    paths = settings.paths
    registry = paths.registry or config.registry
    if not registry.startswith("gs://"):
        raise Refused(
            f"registry {registry}: containers on Vertex AI keep models in Cloud Storage; say where in"
            " runner.vertex.paths.registry, gs://BUCKET/..."
        )
    return container_locations(
        config,
        pipeline_root=settings.pipeline_root,
        registry=registry,
        locate=lambda key, configured: _place(key, configured, getattr(paths, key)),
    )


def _check_notify(config: Configuration, settings: VertexSettings) -> None:
    """The last step can tell the webhook."""
    notify = config.notify
    if notify is None:
        return
    if notify.url is not None:
        raise Refused(
            "notify.url: everybody who may look at the pipeline would read it there; where that does no harm, give "
            "notify.url_from, and the variable by runner.vertex.steps.Notify.env"
        )
    known = settings.of_step(NOTIFY).env
    for key, variable in (("url_from", notify.url_from), ("secret_from", notify.secret_from)):
        # Not by its name: a secret that was written here by mistake would be shown.
        if variable is not None and variable not in known:
            raise Refused(
                f"notify.{key}: no container has that environment variable; give it by runner.vertex.steps.Notify.env, "
                "where everybody who may look at the pipeline can read it"
            )


def _place(key: str, configured: str, in_container: str | None) -> str:
    if in_container is not None:
        return in_container
    if is_remote(configured) or configured.startswith(_MOUNTED):
        return configured
    raise Refused(f"{key} {configured}: no container has that path; say where it is there in runner.vertex.paths.{key}")
