"""The PipelineJob that Vertex AI Pipelines takes: TFX compiles the steps, kfp the frame around them, and what the
steps' machines get is added here.
"""

import json
from typing import Any

from google.cloud.aiplatform_v1.types import AcceleratorType
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline

from components.pusher.component import RegistryPusher
from components.vertex_push.component import VertexPush
from components.vertex_push.executor import PUSHED_MODEL_KEY
from pipeline.config.configuration import Configuration
from pipeline.config.vertex import VertexSettings, VertexStep
from pipeline.create import create_pipeline
from pipeline.locations import Locations
from runners.kfp.frame import Frame
from runners.kfp.notes import notes_environment
from runners.kfp.provenance import PROVENANCE, provenance_text
from runners.kfp.spec import Containers, Spec, build_documents
from runners.kfp.steps import RUN_VARIABLE, step_environment
from runners.vertex.limits import check_variables, gigabytes, processors
from runners.vertex.pages import CONSOLE
from runners.vertex.push import labels_of, push_destination
from schema.errors import Refused
from schema.nearest import nearest

COMMAND = ["python", "-m", "runners.vertex.run_executor"]
# Time between SIGTERM and SIGKILL, in which libraries can release what they hold.
_GRACE_S = 30
_BACKOFF = {"backoffDuration": "60s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}
_FAILURE_POLICY = {"fast": "PIPELINE_FAILURE_POLICY_FAIL_FAST", "slow": "PIPELINE_FAILURE_POLICY_FAIL_SLOW"}


def assemble_job(
    config: Configuration,
    settings: VertexSettings,
    locations: Locations,
    dag_runner: type[KubeflowV2DagRunner] | None = None,
) -> Spec:
    """Assemble the PipelineJob: the pipeline, what it runs as, and where its artifacts go.

    Raises:
        Refused: The configuration does not fit the pipeline.
    """
    job = _compile_steps(config, settings, locations, dag_runner or KubeflowV2DagRunner)

    def complete(name: str, task: Spec, container: Spec) -> None:
        step = settings.of_step(name)
        container |= container_of(step)
        container["command"] = [*_prefix(step), *container["command"]]
        notes = notes_environment(locations.registry) if config.notify is not None else {}
        container["env"] += _variables(step_environment(name, locations.registry) | notes)
        check_variables(name, container["env"])
        if step.retries:
            task["retryPolicy"] = {"maxRetryCount": step.retries} | _BACKOFF

    # The frame asks for nothing of Kubernetes, and Vertex AI would not read it.
    (spec,) = build_documents(
        job["pipelineSpec"],
        Frame(
            config,
            locations,
            settings.only_new,
            pages=f"{CONSOLE}/{settings.location}/pipelines/runs/",
            retention=config.retention,
            vertex=_destination(config, settings, locations) if settings.push is not None else "",
        ),
        Containers("vertex", settings.steps, settings.of_step, complete, always_run=(VertexPush.__name__,)),
    )
    spec["defaultPipelineRoot"] = settings.pipeline_root
    job["pipelineSpec"] = spec
    runner = f"Vertex AI, project {settings.project}, {settings.location}, image {settings.image}"
    job["runtimeConfig"] = {
        "gcsOutputDirectory": settings.pipeline_root, "failurePolicy": _FAILURE_POLICY[settings.failure_policy],
        "parameterValues": {PROVENANCE: provenance_text(runner)},
    }  # fmt: skip
    return {key: value for key, value in (job | _job_settings(settings)).items() if value}


def _destination(config: Configuration, settings: VertexSettings, locations: Locations) -> str:
    """Return where on Vertex AI the models are as well, as JSON."""
    destination = push_destination(config, settings, locations.registry)
    parts = {"settings": destination.settings, "target": destination.target}
    return json.dumps({name: part.model_dump(mode="json") for name, part in parts.items()})


def container_of(step: VertexStep) -> Spec:
    """Return the fields of a step's PipelineContainerSpec that its settings decide.

    Raises:
        Refused: Vertex AI has no such accelerator.
    """
    resources: Spec = {}
    if step.cpu is not None:
        resources["cpuLimit"] = processors(step.cpu)
    if step.memory is not None:
        resources["memoryLimit"] = gigabytes(step.memory)
    if step.accelerator is not None:
        check_accelerator(step.accelerator.type)
        resources["accelerator"] = {"type": step.accelerator.type, "count": str(step.accelerator.count)}
    return {"image": step.image, "env": _variables(step.env), "resources": resources}


def check_accelerator(name: str) -> None:
    """Check that Vertex AI has an accelerator.

    Raises:
        Refused: It has not; the message names the nearest.
    """
    known = list(AcceleratorType.__members__)[1:]  # without ACCELERATOR_TYPE_UNSPECIFIED
    if name not in known:
        raise Refused(f"runner.vertex: Vertex AI has no accelerator {name}; {nearest(name, known)}")


def _prefix(step: VertexStep) -> list[str]:
    """Return the prefix of a step's command: `env` and `timeout`."""
    # Vertex AI fills the placeholder with the run's ID.
    environment = ["env", f"{RUN_VARIABLE}={{{{$.pipeline_job_name}}}}"]
    timed = ["timeout", f"--kill-after={_GRACE_S}", str(step.timeout_s)] if step.timeout_s is not None else []
    return [*environment, *timed]


def _variables(environment: dict[str, str]) -> list[Spec]:
    return [{"name": name, "value": value} for name, value in environment.items()]


def _compile_steps(
    config: Configuration, settings: VertexSettings, locations: Locations, dag_runner: type[KubeflowV2DagRunner]
) -> Spec:
    pipeline = create_pipeline(config, locations)
    if settings.push is not None and config.pipeline == "train":
        _add_push(pipeline, config, settings, locations)
    runner = dag_runner(
        KubeflowV2DagRunnerConfig(
            display_name=config.name, default_image=settings.image, default_commands=COMMAND, use_pipeline_spec_2_1=True
        )
    )
    job: Spec = runner.run(pipeline, write_out=False)
    # TFX labels every job with the version that compiled it.
    job["labels"] = labels_of(config, settings) | job.get("labels", {})
    return job


def _add_push(pipeline: Pipeline, config: Configuration, settings: VertexSettings, locations: Locations) -> None:
    assert settings.push is not None
    endpoint = settings.push.endpoint
    if endpoint is not None and endpoint.accelerator_type is not None:
        check_accelerator(endpoint.accelerator_type)
    pusher = next(component for component in pipeline.components if isinstance(component, RegistryPusher))
    destination = push_destination(config, settings, locations.registry)
    push = VertexPush(
        pushed_model=pusher.outputs[PUSHED_MODEL_KEY],
        settings=destination.settings,
        target=destination.target,
        serving_root=destination.serving_root,
    )
    with pipeline.dsl_context_registry.temporary_mutable():
        pipeline.dsl_context_registry.put_node(push)
    pipeline.components = [*pipeline.components, push]


def _job_settings(settings: VertexSettings) -> dict[str, Any]:
    """Return the fields of the job beside the pipeline; those that are empty are left out later."""
    return {
        "serviceAccount": settings.service_account,
        "network": settings.network,
        "reservedIpRanges": settings.reserved_ip_ranges,
        "encryptionSpec": {"kmsKeyName": settings.kms_key} if settings.kms_key else None,
    }
