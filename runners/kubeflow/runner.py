"""Kubeflow Pipelines v2, open source: the pipeline becomes a specification, a YAML file that the cluster runs.

Nothing in it needs what Kubeflow has not: no resolver, since the baseline comes from the registry by an ordinary
component, and no driver or lifecycle hook, since what drivers decide elsewhere the executors decide there.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from components.common.files import is_remote, write_whole
from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.locations import Locations, container_locations
from runners.remote.remote import RemoteRun, RemoteSchedule
from schema.errors import Refused
from schema.nearest import nearest

if TYPE_CHECKING:
    from runners.kubeflow.runs import Pipeline

# Besides TFX's, the first step and the last one.
NEW_DATA, NOTIFY = "NewData", "Notify"
# Kubeflow's cache asks for inputs and parameters alone, and no driver runs there that would look further: these look at
# data files or at the registry.
ALWAYS_RUN = frozenset({NEW_DATA, "DataGate", "RegistryBaseline", "RegistryPusher", "TrainingRecord", NOTIFY})


def compile(config: Configuration, output: Path) -> None:  # noqa: A001 - as each runner names it
    """Writes the specification.

    Args:
        config: The configuration, with its part `runner.kubeflow`.
        output: A file named *.yaml or *.yml; replaced if it is there.

    Raises:
        Refused: The configuration asks for what a container cannot have, or the file cannot be written.
    """
    if output.suffix not in (".yaml", ".yml"):
        raise Refused(f"--output {output}: the kfp SDK reads YAML; let the name end in .yaml")
    if not output.parent.is_dir():
        raise Refused(f"--output {output}: there is no folder {output.parent}; make it")
    content = _specification(config)
    try:
        write_whole(str(output), content)
    except OSError as error:
        raise Refused(f"--output {output}: cannot be written: {error.strerror}") from None


def submit(config: Configuration) -> RemoteRun:
    """Uploads the pipeline, if it has changed, and starts a run."""
    with _pipeline(config) as (pipeline, specification):
        return pipeline.run(pipeline.upload(specification()))


def runs(config: Configuration) -> Sequence[RemoteRun]:
    """The pipeline's, those of the recurring run among them, the newest first, at most twenty."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.runs()


def status(config: Configuration, run: str) -> RemoteRun:
    """Where a run stands; `run` is Kubeflow's ID of it."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.find_run(run)


def cancel(config: Configuration, run: str) -> RemoteRun:
    """Ends a run; one that has ended stays as it is."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.end_run(run)


def set_schedule(config: Configuration, cron: str) -> RemoteSchedule:
    """Makes the recurring run, or has the one that is there run what the configuration says now."""
    with _pipeline(config) as (pipeline, specification):
        return pipeline.schedule(pipeline.upload(specification()), cron)


def find_schedule(config: Configuration) -> RemoteSchedule | None:
    """The recurring run, if there is one."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.find_schedule()


def pause_schedule(config: Configuration, paused: bool) -> RemoteSchedule:
    """Pauses or resumes it."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.pause_schedule(paused=paused)


def delete_schedule(config: Configuration) -> bool:
    """Deletes it, not its runs; False if there was none."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.delete_schedule()


@contextmanager
def _pipeline(config: Configuration) -> Iterator[tuple["Pipeline", Callable[[], bytes]]]:
    """The pipeline at its API server, and what compiles it: once the server has answered, since that takes seconds."""
    from runners.kubeflow.api import asked
    from runners.kubeflow.runs import Pipeline

    settings = _settings(config)
    with asked(settings) as client:
        yield Pipeline(client, config, settings), partial(_specification, config)


def _specification(config: Configuration) -> bytes:
    settings = _settings(config)
    places = places_in_containers(config, settings)
    from runners.kfp.spec import build_documents  # TFX, which takes seconds, after all that can be refused without

    documents = build_documents(config, settings, places)
    return yaml.safe_dump_all(documents, sort_keys=True, width=120).encode()


def _settings(config: Configuration) -> KubeflowSettings:
    if config.runner.kubeflow is None:
        raise Refused("--runner kubeflow: the configuration has no runner.kubeflow; give at least its image")
    return config.runner.kubeflow


def places_in_containers(config: Configuration, settings: KubeflowSettings) -> Locations:
    """Where containers find what the configuration names.

    Raises:
        Refused: They cannot; the message names the key to set.
    """
    if config.infra_validator is not None:
        raise Refused(
            "infra_validator: TFX cannot compile it for Kubeflow Pipelines; set it to null, the canary tries each model"
        )
    _check_notify(config, settings)
    mounts = [volume.mount_path for volume in settings.volumes]
    paths = settings.paths
    registry = _place("registry", config.registry, paths.registry, mounts)
    if not _stays(registry, mounts):
        raise Refused(
            f"runner.kubeflow.paths.registry {registry}: is gone with the container; give a gs:// address, or a path "
            "below a mount_path of runner.kubeflow.volumes"
        )
    return container_locations(
        config,
        pipeline_root=settings.pipeline_root or "",
        registry=registry,
        locate=lambda key, configured: _place(key, configured, getattr(paths, key), mounts),
    )


def _check_notify(config: Configuration, settings: KubeflowSettings) -> None:
    """The last step can tell the webhook."""
    notify, step = config.notify, settings.of_step(NOTIFY)
    if notify is None:
        return
    if notify.url is not None:
        raise Refused(
            "notify.url: everybody who may look at the pipeline would read it there; give notify.url_from, and the "
            "variable by runner.kubeflow.steps.Notify.secrets"
        )
    known = {*step.env, *(variable for secret in step.secrets for variable in secret.env)}
    for key, variable in (("url_from", notify.url_from), ("secret_from", notify.secret_from)):
        # Not by its name: a secret that was written here by mistake would be shown.
        if variable is not None and variable not in known:
            raise Refused(
                f"notify.{key}: no container has that environment variable; give it by "
                "runner.kubeflow.steps.Notify.secrets: [{name: SECRET, env: {VARIABLE: KEY}}]"
            )


def check_steps(
    steps: Mapping[str, bool | None],
    known: Sequence[str],
    runner: str = "kubeflow",
    always: Collection[str] = ALWAYS_RUN,
) -> None:
    """What is said of single steps is said of steps that there are.

    Args:
        steps: Of each step that the configuration names, whether it is to be cached.
        known: The pipeline's.
        runner: The part of `runner` that names them.
        always: Those that must always run.

    Raises:
        Refused: It is not, naming the nearest; or a step that must always run is to be cached.
    """
    for name, cache in steps.items():
        if name not in known:
            raise Refused(f"runner.{runner}.steps.{name}: there is no such step; {nearest(name, known)}")
        if cache and name in always:
            raise Refused(
                f"runner.{runner}.steps.{name}.cache: looks at what the service's cache knows nothing of, and so "
                "always runs; leave it out"
            )


def _place(key: str, configured: str, in_container: str | None, mounts: Sequence[str]) -> str:
    if in_container is not None:
        return in_container
    if _stays(configured, mounts):
        return configured
    raise Refused(
        f"{key} {configured}: no container has that path; say where it is there in runner.kubeflow.paths.{key}, or "
        "mount it with runner.kubeflow.volumes"
    )


def _stays(path: str, mounts: Sequence[str]) -> bool:
    """Whether a path means the same in every container, and outlives them."""
    return is_remote(path) or any(Path(path).is_relative_to(mount) for mount in mounts)
