"""Where containers on Kubeflow find what the configuration names, and what of it no container can have."""

from collections.abc import Sequence
from pathlib import Path

from components.common.files import is_remote
from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.locations import Locations, container_locations
from runners.kfp.checks import check_infra_validator, check_notify
from runners.kfp.steps import NOTIFY
from schema.errors import Refused


def kubeflow_settings(config: Configuration) -> KubeflowSettings:
    """Return `runner.kubeflow`.

    Raises:
        Refused: The configuration has none.
    """
    if config.runner.kubeflow is None:
        raise Refused("--runner kubeflow: the configuration has no runner.kubeflow; give at least its image")
    return config.runner.kubeflow


def locations_in_containers(config: Configuration, settings: KubeflowSettings) -> Locations:
    """Return where containers find what the configuration names.

    Raises:
        Refused: They cannot; the message names the key to set.
    """
    check_infra_validator(config, "Kubeflow Pipelines")
    last = settings.of_step(NOTIFY)
    variables = {*last.env, *(variable for secret in last.secrets for variable in secret.env)}
    check_notify(config, variables, "runner.kubeflow.steps.Notify.secrets: [{name: SECRET, env: {VARIABLE: KEY}}]")
    mounts = [volume.mount_path for volume in settings.volumes]
    paths = settings.paths
    registry = _in_container("registry", config.registry, paths.registry, mounts)
    if not _is_lasting(registry, mounts):
        raise Refused(
            f"runner.kubeflow.paths.registry {registry}: is gone with the container; give a gs:// address, or a path "
            "below a mount_path of runner.kubeflow.volumes"
        )
    return container_locations(
        config,
        pipeline_root=settings.pipeline_root or "",
        registry=registry,
        locate=lambda key, configured: _in_container(key, configured, getattr(paths, key), mounts),
    )


def _in_container(key: str, configured: str, override: str | None, mounts: Sequence[str]) -> str:
    if override is not None:
        return override
    if _is_lasting(configured, mounts):
        return configured
    raise Refused(
        f"{key} {configured}: containers have no such path; give the one that they have in "
        f"runner.kubeflow.paths.{key}, or mount it with runner.kubeflow.volumes"
    )


def _is_lasting(path: str, mounts: Sequence[str]) -> bool:
    """Return whether a path means the same in every container and outlives them."""
    return is_remote(path) or any(Path(path).is_relative_to(mount) for mount in mounts)
