"""The specification that Kubeflow Pipelines takes."""

from typing import Any

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.create import create_pipeline
from pipeline.locations import Locations
from runners.kfp.frame import Frame
from runners.kfp.notes import notes_environment
from runners.kfp.spec import Containers, Spec, build_documents
from runners.kubeflow.pods import give_notes, prepare_pod

# TFX's entry point, after what open-source Kubeflow leaves to it.
COMMAND = ["python", "-m", "runners.kfp.run_executor"]


def build_specification(config: Configuration, settings: KubeflowSettings, locations: Locations) -> list[Spec]:
    """Build the documents of the YAML file: a PipelineSpec and a PlatformSpec.

    Raises:
        Refused: The configuration does not fit the pipeline.
    """

    def prepare(task: Any, step: str) -> None:
        prepare_pod(task, settings, settings.of_step(step))
        if config.notify is not None:
            give_notes(task, notes_environment(step, locations.registry))

    def complete(name: str, task: Spec, container: Spec) -> None:  # noqa: ARG001 - as `Containers` calls it
        container["image"] = settings.of_step(name).image

    address = settings.ui or settings.endpoint
    spec, *platform = build_documents(
        _compile_steps(config, settings, locations),
        Frame(
            config,
            locations,
            only_new=settings.only_new,
            pages=f"{address.rstrip('/')}/#/runs/details/" if address else "",
            prepare=prepare,
        ),
        Containers("kubeflow", settings.steps, settings.of_step, complete),
    )
    if settings.pipeline_root is not None:
        # TFX writes the root into Vertex AI's PipelineJob only.
        spec["defaultPipelineRoot"] = settings.pipeline_root
    return [spec, *platform]


def _compile_steps(config: Configuration, settings: KubeflowSettings, locations: Locations) -> Spec:
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(default_image=settings.image, default_commands=COMMAND, use_pipeline_spec_2_1=True)
    )
    spec: Spec = runner.run(create_pipeline(config, locations), write_out=False)["pipelineSpec"]
    return spec
