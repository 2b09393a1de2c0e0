"""The specification that Kubeflow Pipelines takes."""

import re
from hashlib import sha256
from typing import Any

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings, KubeflowStep
from pipeline.create import create_pipeline
from pipeline.locations import Locations
from pipeline.retention import retention_here
from runners.kfp.frame import Frame
from runners.kfp.notes import notes_environment
from runners.kfp.run_executor import FINGERPRINT
from runners.kfp.spec import Containers, Spec, build_documents
from runners.kfp.steps import step_environment
from runners.kubeflow.pods import give_variables, prepare_pod

# TFX's entry point, after what open-source Kubeflow leaves to it.
COMMAND = ["python", "-m", "runners.kfp.run_executor"]


def build_specification(
    config: Configuration, settings: KubeflowSettings, locations: Locations, provenance: str = ""
) -> list[Spec]:
    """Build the documents of the YAML file: a PipelineSpec and a PlatformSpec.

    Args:
        config: The configuration.
        settings: Its `runner.kubeflow`.
        locations: Where containers find what the configuration names.
        provenance: What starts the runs, as JSON, unless a run says otherwise; may be empty.

    Raises:
        Refused: The configuration does not fit the pipeline.
    """

    def prepare(task: Any, step: str) -> None:
        prepare_pod(task, settings, settings.of_step(step))
        notes = notes_environment(locations.registry) if config.notify is not None else {}
        give_variables(task, step_environment(step, locations.registry) | notes)

    def complete(name: str, task: Spec, container: Spec) -> None:  # noqa: ARG001 - as `Containers` calls it
        step = settings.of_step(name)
        container["image"] = step.image
        container["args"] = [_escaped(argument) for argument in container["args"]]
        if container["command"] == COMMAND:
            container["args"] = [FINGERPRINT, _fingerprint(step), *container["args"]]

    address = settings.ui or settings.endpoint
    spec, *platform = build_documents(
        _compile_steps(config, settings, locations),
        Frame(
            config,
            locations,
            only_new=settings.only_new,
            retention=retention_here(config, locations.registry),
            pages=f"{address.rstrip('/')}/#/runs/details/" if address else "",
            prepare=prepare,
            provenance=provenance,
        ),
        Containers("kubeflow", settings.steps, settings.of_step, complete),
    )
    if settings.pipeline_root is not None:
        # For whoever reads the file. Kubeflow takes the root from the run (`runners.kubeflow.runs`).
        spec["defaultPipelineRoot"] = settings.pipeline_root
    return [spec, *platform]


def _fingerprint(step: KubeflowStep) -> str:
    """Return a digest of the settings of a step that can change its outputs.

    Kubeflow's cache compares image, command, arguments and names of claims, but no environment (kubeflow/pipelines at
    2.16.1, backend/src/v2/cacheutils/cache.go, lines 193-250): a step whose environment changed would be answered
    from it. As an argument, the digest makes such a step run again.
    """
    outputs_depend_on = step.model_dump_json(include={"env", "secrets", "volumes"})
    return sha256(outputs_depend_on.encode()).hexdigest()[:16]


def _escaped(argument: str) -> str:
    """Return an argument that Kubernetes expands to what it was: in a container's words `$$` and `$(NAME)` are special.

    Example:
        >>> _escaped("costs $5, $$ or $(HOME)"), _escaped("{{$.inputs}}")
        ('costs $5, $$$ or $$(HOME)', '{{$.inputs}}')
    """
    return re.sub(r"\$(?=[$(])", "$$", argument)


def _compile_steps(config: Configuration, settings: KubeflowSettings, locations: Locations) -> Spec:
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(default_image=settings.image, default_commands=COMMAND, use_pipeline_spec_2_1=True)
    )
    spec: Spec = runner.run(create_pipeline(config, locations), write_out=False)["pipelineSpec"]
    return spec
