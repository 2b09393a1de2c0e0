"""The specification that Kubeflow Pipelines takes: TFX compiles the steps, kfp what their pods get."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl, kubernetes
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipeline.config import Configuration
from pipeline.create import create_pipeline
from pipeline.places import Places
from pipeline.runner_settings import KubeflowSettings, StepSettings
from runners.kubeflow import ALWAYS_RUN, check_steps
from schema.errors import Refused

# TFX's entry point, after what open-source Kubeflow leaves to it.
COMMAND = ["python", "-m", "runners.kubeflow_v2_run_executor"]
_BACKOFF = "60s"
# Linux takes 128 KiB in one argument, and a step's parameters travel in one, with its artifacts' addresses.
_MOST_PARAMETERS = 112 * 1024

Spec = dict[str, Any]


def build_documents(config: Configuration, settings: KubeflowSettings, places: Places) -> list[Spec]:
    """The YAML's documents: a PipelineSpec, and a PlatformSpec if the pods get something of Kubernetes' own.

    Raises:
        Refused: The configuration does not fit the pipeline.
    """
    spec = _compiled(config, settings, places)
    tasks: Spec = spec["root"]["dag"]["tasks"]
    check_steps({name: step.cache for name, step in settings.steps.items()}, list(tasks))
    check_sizes(tasks)
    always = ALWAYS_RUN | ({"Trainer"} if config.training.warm_start else set())
    steps = {name: settings.of_step(name) for name in tasks}
    pods, platform = _pods(steps, settings.image_pull_secrets)
    on_kubernetes: Spec = {}
    for name, step in steps.items():
        label = spec["components"][name]["executorLabel"]
        container = spec["deploymentSpec"]["executors"][label]["container"]
        container["image"] = step.image
        container |= pods[name].container
        tasks[name]["cachingOptions"] = {"enableCache": step.cache is not False and name not in always}
        if pods[name].retry_policy:
            tasks[name]["retryPolicy"] = pods[name].retry_policy
        if name in platform:
            on_kubernetes[label] = platform[name]
    if not on_kubernetes:
        return [spec]
    return [spec, {"platforms": {"kubernetes": {"deploymentSpec": {"executors": on_kubernetes}}}}]


def check_sizes(tasks: Spec) -> None:
    """Parameters reach their steps.

    Raises:
        Refused: Those of a step are more than a container's command line takes.
    """
    for name, task in tasks.items():
        size = len(json.dumps(task.get("inputs", {}).get("parameters", {})).encode())
        if size > _MOST_PARAMETERS:
            raise Refused(
                f"step {name}: {size >> 10} KiB of parameters, and a container's argument takes "
                f"{_MOST_PARAMETERS >> 10}; have fewer labels, slices or behavioural tests"
            )


def _compiled(config: Configuration, settings: KubeflowSettings, places: Places) -> Spec:
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(default_image=settings.image, default_commands=COMMAND, use_pipeline_spec_2_1=True)
    )
    spec: Spec = runner.run(create_pipeline(config, places), write_out=False)["pipelineSpec"]
    if settings.pipeline_root is not None:
        # TFX puts the root into Vertex's PipelineJob alone.
        spec["defaultPipelineRoot"] = settings.pipeline_root
    return spec


class _Pod:
    """What kfp made of a step's settings, as the specification has it.

    Attributes:
        container: Resources and env.
        retry_policy: Of the task; empty if it has none.
    """

    def __init__(self, spec: Spec, task: str) -> None:
        self.label = spec["components"][spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]]["executorLabel"]
        container = spec["deploymentSpec"]["executors"][self.label]["container"]
        self.container = {key: container[key] for key in ("resources", "env") if key in container}
        self.retry_policy: Spec = spec["root"]["dag"]["tasks"][task].get("retryPolicy", {})


def _pods(steps: Mapping[str, StepSettings], pull_secrets: list[str]) -> tuple[dict[str, _Pod], dict[str, Spec]]:
    """Has kfp compile a pipeline of empty steps that get the same: so the fields are spelled as its backend reads them.

    Returns:
        Of each step its pod, and of each that gets something of Kubernetes' own, that.
    """
    tasks: dict[str, str] = {}

    @dsl.pipeline(name="pods")  # type: ignore[untyped-decorator]
    def pods() -> None:
        for name, step in steps.items():
            task = _empty_step(name)()
            _give_container(task, step)
            _give_kubernetes(task, step, pull_secrets)
            tasks[name] = task.name

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pods.yaml")
        compiler.Compiler().compile(pods, str(file))
        spec, *rest = yaml.safe_load_all(file.read_text(encoding="utf-8"))
    made = {name: _Pod(spec, task) for name, task in tasks.items()}
    executors = rest[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if rest else {}
    return made, {name: executors[pod.label] for name, pod in made.items() if pod.label in executors}


def _empty_step(name: str) -> Any:
    def step() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="none", command=["true"])

    step.__name__ = name  # kfp names what it makes of it so
    return dsl.container_component(step)


def _give_container(task: Any, step: StepSettings) -> None:
    """What the specification itself has fields for."""
    if step.cpu is not None:
        task.set_cpu_request(step.cpu).set_cpu_limit(step.cpu)
    if step.memory is not None:
        task.set_memory_request(step.memory).set_memory_limit(step.memory)
    if step.accelerator is not None:
        task.set_accelerator_type(step.accelerator.type).set_accelerator_limit(step.accelerator.count)
    if step.retries:
        task.set_retry(step.retries, backoff_duration=_BACKOFF)
    for variable, value in step.env.items():
        task.set_env_variable(variable, value)


def _give_kubernetes(task: Any, step: StepSettings, pull_secrets: list[str]) -> None:
    """What goes into the PlatformSpec."""
    for label, value in step.node_selector.items():
        kubernetes.add_node_selector(task, label, value)
    for toleration in step.tolerations:
        kubernetes.add_toleration(task, **toleration.model_dump())
    for secret in step.secrets:
        if secret.env:
            kubernetes.use_secret_as_env(task, secret.name, {key: variable for variable, key in secret.env.items()})
        if secret.mount_path is not None:
            kubernetes.use_secret_as_volume(task, secret.name, secret.mount_path)
    for volume in step.volumes:
        kubernetes.mount_pvc(task, volume.claim, volume.mount_path, volume.sub_path)
    if step.timeout_s is not None:
        kubernetes.set_timeout(task, step.timeout_s)
    if pull_secrets:
        kubernetes.set_image_pull_secrets(task, pull_secrets)
