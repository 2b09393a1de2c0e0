"""Where containers on Vertex AI find what the configuration names, and what of it no container can have."""

from components.common.files import is_remote
from pipeline.config.configuration import Configuration
from pipeline.config.vertex import VertexSettings
from pipeline.locations import Locations, container_locations
from runners.kfp.checks import check_infra_validator, check_notify
from runners.kfp.steps import NOTIFY
from runners.vertex.limits import check_limits
from schema.errors import Refused

_MOUNTED = "/gcs/"  # Cloud Storage FUSE mounts Cloud Storage there in every container


def vertex_settings(config: Configuration) -> VertexSettings:
    """Return `runner.vertex`.

    Raises:
        Refused: The configuration has none.
    """
    if config.runner.vertex is None:
        raise Refused(
            "--runner vertex: the configuration has no runner.vertex; give project, location, pipeline_root and image"
        )
    return config.runner.vertex


def locations_in_containers(config: Configuration, settings: VertexSettings) -> Locations:
    """Return where containers find what the configuration names.

    Raises:
        Refused: They cannot; the message names the key to set.
    """
    check_infra_validator(config, "Vertex AI")
    check_limits(settings)
    where = "runner.vertex.steps.Notify.env, which everybody who can see the pipeline can read"
    check_notify(config, settings.of_step(NOTIFY).env, where)
    paths = settings.paths
    registry = paths.registry or config.registry
    if not registry.startswith("gs://"):
        raise Refused(
            f"registry {registry}: containers on Vertex AI keep models in Cloud Storage; give an address "
            "gs://BUCKET/... in runner.vertex.paths.registry"
        )
    return container_locations(
        config,
        pipeline_root=settings.pipeline_root,
        registry=registry,
        locate=lambda key, configured: _in_container(key, configured, getattr(paths, key)),
    )


def _in_container(key: str, configured: str, override: str | None) -> str:
    if override is not None:
        return override
    if is_remote(configured) or configured.startswith(_MOUNTED):
        return configured
    raise Refused(
        f"{key} {configured}: containers have no such path; give the one that they have in runner.vertex.paths.{key}"
    )
