"""The PipelineJob that Vertex AI Pipelines takes: TFX compiles the steps, what their machines get is added here."""

from typing import Any

from google.cloud.aiplatform_v1.types import AcceleratorType
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig
from tfx.orchestration.pipeline import Pipeline

from components.pusher.component import RegistryPusher
from components.vertex_push.component import PUSHED_MODEL_KEY, VertexPush
from components.vertex_push.settings import VertexPlace
from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.config.vertex import VertexSettings, VertexStep
from pipeline.create import create_pipeline
from pipeline.locations import Locations
from runners.kfp.frame import build_frame
from runners.kfp.notes import FOLDER_VARIABLE, RUN_VARIABLE, STEP_VARIABLE
from runners.kfp.spec import check_sizes, fill
from runners.kubeflow.runner import ALWAYS_RUN, NEW_DATA, NOTIFY, check_steps
from runners.vertex.runs import CONSOLE
from schema.errors import Refused
from schema.nearest import nearest

COMMAND = ["python", "-m", "runners.vertex.run_executor"]
# Between SIGTERM and SIGKILL, for the libraries to let go.
_GRACE_S = 30
_BACKOFF = {"backoffDuration": "60s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s"}
_FAILURE_POLICY = {"fast": "PIPELINE_FAILURE_POLICY_FAIL_FAST", "slow": "PIPELINE_FAILURE_POLICY_FAIL_SLOW"}
_UNITS = {"M": 1e6, "G": 1e9, "T": 1e12, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}

Spec = dict[str, Any]


def build_job(
    config: Configuration,
    settings: VertexSettings,
    places: Locations,
    dag_runner: type[KubeflowV2DagRunner] = KubeflowV2DagRunner,
) -> Spec:
    """The PipelineJob, as JSON: with the pipeline, what it runs as, and where its artifacts go.

    Raises:
        Refused: The configuration does not fit the pipeline.
    """
    job = _compiled(config, settings, places, dag_runner)
    of_tfx: Spec = job["pipelineSpec"]
    steps: Spec = of_tfx["root"]["dag"]["tasks"]
    always = ALWAYS_RUN | {VertexPush.__name__}
    first_and_last = (NEW_DATA, NOTIFY) if config.notify is not None else (NEW_DATA,)
    named = {name: step.cache for name, step in settings.steps.items()}
    check_steps(named, [*steps, *first_and_last], "vertex", always)
    if config.training.warm_start:
        always |= {"Trainer"}
    check_sizes(steps)
    # Of Kubernetes' own the frame has nothing, and Vertex AI would not read it.
    around = KubeflowSettings(image=settings.image, only_new=settings.only_new)
    spec = build_frame(config, around, places, list(steps))[0]
    notes = f"{places.registry.rstrip('/')}/.runs" if config.notify is not None else None
    for name, task, container in fill(spec, of_tfx):
        step = settings.of_step(name)
        container |= container_of(step)
        container["command"] = [*_before(step, notes), *container["command"]]
        container["env"] = container.get("env", []) + _notes_env(name, notes)
        task["cachingOptions"] = {"enableCache": step.cache is not False and name not in always}
        if step.retries:
            task["retryPolicy"] = {"maxRetryCount": step.retries} | _BACKOFF
        if name == NOTIFY:
            pages = f"{CONSOLE}/{settings.location}/pipelines/runs/"
            task["inputs"]["parameters"]["pages"]["runtimeValue"]["constant"] = pages
    job["pipelineSpec"] = spec
    spec["defaultPipelineRoot"] = settings.pipeline_root
    job["runtimeConfig"] = {
        "gcsOutputDirectory": settings.pipeline_root, "failurePolicy": _FAILURE_POLICY[settings.failure_policy],
    }  # fmt: skip
    return {key: value for key, value in (job | _of_job(settings)).items() if value}


def container_of(step: VertexStep) -> Spec:
    """Of a step's PipelineContainerSpec what its settings say.

    Raises:
        Refused: Vertex AI knows no such accelerator.
    """
    env = [{"name": name, "value": value} for name, value in step.env.items()]
    resources: Spec = {}
    if step.cpu is not None:
        resources["cpuLimit"] = float(step.cpu[:-1]) / 1000 if step.cpu.endswith("m") else float(step.cpu)
    if step.memory is not None:
        resources["memoryLimit"] = gigabytes(step.memory)
    if step.accelerator is not None:
        check_accelerator(step.accelerator.type)
        resources["accelerator"] = {"type": step.accelerator.type, "count": str(step.accelerator.count)}
    return {"image": step.image, "env": env, "resources": resources}


def _before(step: VertexStep, notes: str | None) -> list[str]:
    """Of a step's command what stands before its Python."""
    # Vertex AI fills the placeholder with the run's ID.
    told = ["env", f"{RUN_VARIABLE}={{{{$.pipeline_job_name}}}}"] if notes is not None else []
    timed = ["timeout", f"--kill-after={_GRACE_S}", str(step.timeout_s)] if step.timeout_s is not None else []
    return [*told, *timed]


def _notes_env(name: str, notes: str | None) -> list[Spec]:
    """What a step needs to leave notes for the last one; where nobody wants to know, nothing."""
    values = {} if notes is None else {FOLDER_VARIABLE: notes, STEP_VARIABLE: name}
    return [{"name": variable, "value": value} for variable, value in values.items()]


def gigabytes(memory: str) -> float:
    """An amount as Kubernetes writes it, in units of 1e9 bytes: what PipelineContainerSpec.ResourceSpec asks for."""
    unit = memory.lstrip("0123456789")
    return float(memory.removesuffix(unit)) * _UNITS[unit] / 1e9


def check_accelerator(name: str) -> None:
    """Vertex AI has it.

    Raises:
        Refused: It has not, naming the nearest.
    """
    known = list(AcceleratorType.__members__)[1:]  # without ACCELERATOR_TYPE_UNSPECIFIED
    if name not in known:
        raise Refused(f"runner.vertex: Vertex AI has no accelerator {name}; {nearest(name, known)}")


def place_of(settings: VertexSettings, name: str) -> VertexPlace:
    """Where what the pipeline pushes goes in Vertex AI."""
    return VertexPlace(
        project=settings.project,
        location=settings.location,
        api_endpoint=settings.api_endpoint,
        kms_key=settings.kms_key,
        labels=labels_of(settings, name),
    )


def labels_of(settings: VertexSettings, name: str) -> dict[str, str]:
    """Of all that is made in Vertex AI for a pipeline."""
    return settings.labels | {"bert-multilabel": name}


def _compiled(
    config: Configuration, settings: VertexSettings, places: Locations, dag_runner: type[KubeflowV2DagRunner]
) -> Spec:
    pipeline = create_pipeline(config, places)
    if settings.push is not None:
        _add_push(pipeline, config, settings, places)
    runner = dag_runner(
        KubeflowV2DagRunnerConfig(
            display_name=config.name, default_image=settings.image, default_commands=COMMAND, use_pipeline_spec_2_1=True
        )
    )
    job: Spec = runner.run(pipeline, write_out=False)
    # The labels that TFX gives every job say which TFX compiled it.
    job["labels"] = labels_of(settings, config.name) | job.get("labels", {})
    return job


def _add_push(pipeline: Pipeline, config: Configuration, settings: VertexSettings, places: Locations) -> None:
    assert settings.push is not None
    endpoint = settings.push.endpoint
    if endpoint is not None and endpoint.accelerator_type is not None:
        check_accelerator(endpoint.accelerator_type)
    pusher = next(component for component in pipeline.components if isinstance(component, RegistryPusher))
    push = VertexPush(
        pushed_model=pusher.outputs[PUSHED_MODEL_KEY],
        settings=settings.push,
        place=place_of(settings, config.name),
        serving_root=f"{places.registry.rstrip('/')}/.vertex",
    )
    with pipeline.dsl_context_registry.temporary_mutable():
        pipeline.dsl_context_registry.put_node(push)
    pipeline.components = [*pipeline.components, push]


def _of_job(settings: VertexSettings) -> Spec:
    """What Vertex AI asks of the job besides the pipeline; what is empty is left out."""
    return {
        "serviceAccount": settings.service_account,
        "network": settings.network,
        "reservedIpRanges": settings.reserved_ip_ranges,
        "encryptionSpec": {"kmsKeyName": settings.kms_key} if settings.kms_key else None,
    }
