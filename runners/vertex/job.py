"""The PipelineJob of a configuration. What can be refused without TensorFlow is refused before it is imported."""

import json
from typing import TYPE_CHECKING, Any

from pipeline.config.configuration import Configuration
from runners.vertex.locations import locations_in_containers, vertex_settings

if TYPE_CHECKING:
    from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner


def build_job(config: Configuration, dag_runner: "type[KubeflowV2DagRunner] | None" = None) -> dict[str, Any]:
    """Build the PipelineJob, as JSON.

    Args:
        config: The configuration, with its part `runner.vertex`.
        dag_runner: Class that compiles the steps; None: TFX's own.

    Raises:
        Refused: The configuration asks for what a container cannot have.
    """
    settings = vertex_settings(config)
    locations = locations_in_containers(config, settings)
    from runners.vertex.spec import assemble_job  # imports TFX, which takes seconds

    return assemble_job(config, settings, locations, dag_runner)


def job_text(job: dict[str, Any]) -> str:
    """Return a PipelineJob as the text of its file."""
    return f"{json.dumps(job, indent=1, sort_keys=True)}\n"
