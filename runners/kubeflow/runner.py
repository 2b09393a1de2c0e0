"""Kubeflow Pipelines v2, open source: the pipeline becomes a specification, a YAML file that the cluster runs.

The specification needs nothing that Kubeflow lacks: no resolver, because an ordinary component gets the baseline from
the registry, and no driver or lifecycle hook, because executors decide there what drivers decide elsewhere.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pipeline.config.configuration import Configuration
from runners.kfp.provenance import PROVENANCE, provenance_text
from runners.kubeflow.locations import kubeflow_settings, locations_in_containers
from runners.remote.output import write_output
from runners.remote.remote import RemoteRun, RemoteSchedule

if TYPE_CHECKING:
    from runners.kubeflow.runs import Pipeline


def compile(config: Configuration, output: Path) -> None:  # noqa: A001 - the name that every remote runner gives it
    """Write the specification.

    Args:
        config: The configuration, with its part `runner.kubeflow`.
        output: A file named *.yaml or *.yml; replaced if it exists.

    Raises:
        Refused: The configuration asks for what a container cannot have, or the file cannot be written.
    """
    write_output(
        output,
        (".yaml", ".yml"),
        "the kfp SDK reads YAML",
        lambda: _specification(config, _provenance(config)).decode(),
    )


def submit(config: Configuration) -> RemoteRun:
    """Upload the pipeline, if it has changed, and start a run."""
    with _pipeline(config) as (pipeline, specification):
        return pipeline.run(pipeline.upload(specification()), _parameters(config))


def runs(config: Configuration) -> Sequence[RemoteRun]:
    """Return the pipeline's runs, those of its recurring run included: the newest first, at most twenty."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.runs()


def status(config: Configuration, run: str) -> RemoteRun:
    """Return the state of a run, given Kubeflow's ID of it."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.find_run(run)


def cancel(config: Configuration, run: str) -> RemoteRun:
    """Terminate a run; one that has ended stays as it is."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.end_run(run)


def set_schedule(config: Configuration, cron: str) -> RemoteSchedule:
    """Create the recurring run, or change the existing one to what the configuration says now."""
    with _pipeline(config) as (pipeline, specification):
        return pipeline.schedule(pipeline.upload(specification()), cron, _parameters(config))


def find_schedule(config: Configuration) -> RemoteSchedule | None:
    """Return the recurring run, if there is one."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.find_schedule()


def pause_schedule(config: Configuration, paused: bool) -> RemoteSchedule:
    """Pause the recurring run, or resume it."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.pause_schedule(paused=paused)


def delete_schedule(config: Configuration) -> bool:
    """Delete the recurring run, not the runs that it started; return whether there was one."""
    with _pipeline(config) as (pipeline, _):
        return pipeline.delete_schedule()


@contextmanager
def _pipeline(config: Configuration) -> Iterator[tuple["Pipeline", Callable[[], bytes]]]:
    """Connect to the API server; yield the pipeline there, and a function that compiles it, which takes seconds."""
    from runners.kubeflow.api import connected
    from runners.kubeflow.runs import Pipeline

    settings = kubeflow_settings(config)
    with connected(settings) as client:
        yield Pipeline(client, config, settings), partial(_specification, config)


def _parameters(config: Configuration) -> dict[str, str]:
    """Return the parameters of a run that starts now. They are not in the specification, which would change with them.

    A pipeline's version is named after its specification, and so an unchanged pipeline stays one version.
    """
    return {PROVENANCE: _provenance(config)}


def _provenance(config: Configuration) -> str:
    settings = kubeflow_settings(config)
    where = f" at {settings.endpoint}" if settings.endpoint else ""
    return provenance_text(f"Kubeflow Pipelines{where}, image {settings.image}")


def _specification(config: Configuration, provenance: str = "") -> bytes:
    settings = kubeflow_settings(config)
    locations = locations_in_containers(config, settings)
    from runners.kubeflow.spec import build_specification  # imports TFX, which takes seconds

    documents = build_specification(config, settings, locations, provenance)
    return yaml.safe_dump_all(documents, sort_keys=True, width=120).encode()
