"""What is around the steps on Kubeflow: whether they run at all, what comes after them whatever happens, what pods get.

    root
      Pipeline            (an exit handler's, where a webhook is configured)
        NewData           spans, fingerprint, and whether there is anything new
        Train             if there is
          TextExampleGen, StatisticsGen, ...
      Notify              after all that, however it has ended

kfp compiles it, of empty steps in the place of TFX's: so everything is spelled as its backend reads it.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl, kubernetes

from components.example_gen.driver import FINGERPRINT_KEY, SPANS_KEY
from pipeline.check import project_of_queries
from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings, StepSettings
from pipeline.config.notify import NotifySettings
from pipeline.locations import Locations
from runners.kfp.notes import FOLDER_VARIABLE, RUN_VARIABLE, STEP_VARIABLE
from runners.kubeflow.runner import NEW_DATA, NOTIFY

Spec = dict[str, Any]
_BACKOFF = "60s"
_READER = "TextExampleGen"
# Where a word that is the name of a task means something else.
_NOT_OURS = ("runtimeValue", "container", "pipelineInfo")
# Kubeflow's API server labels each pod of a run with its ID: backend/src/apiserver/template, SetPodMetadataLabels.
_RUN_LABEL = "metadata.labels['pipeline/runid']"


def build_frame(
    config: Configuration, settings: KubeflowSettings, places: Locations, steps: Sequence[str]
) -> list[Spec]:
    """The YAML's documents, with empty components in the place of the steps'.

    Tasks and components are named as the steps are; executors as `executor_label` says.

    Args:
        config: The pipeline.
        settings: Its `runner.kubeflow`.
        places: Where containers find things.
        steps: TFX's.
    """
    tasks: dict[str, str] = {}
    told_to = config.notify

    def add(name: str, component: Any, **inputs: Any) -> Any:
        task = component(**inputs)
        step = settings.of_step(name)
        _give_container(task, step)
        _give_kubernetes(task, step, settings.image_pull_secrets)
        if told_to is not None:
            task.set_env_variable(FOLDER_VARIABLE, f"{places.registry.rstrip('/')}/.runs")
            task.set_env_variable(STEP_VARIABLE, name)
            kubernetes.use_field_path_as_env(task, RUN_VARIABLE, _RUN_LABEL)
        tasks[name] = task.name
        return task

    @dsl.pipeline(name=config.name)  # type: ignore[untyped-decorator]
    def pipeline() -> None:
        with _exit_handler(add, config, settings, told_to) if told_to is not None else nullcontext():
            found = add(
                NEW_DATA,
                _new_data,
                settings=config.examples.model_copy(update={"input_base": places.input_base}).model_dump_json(),
                project=project_of_queries(config),
                registry=places.registry,
                only_new=settings.only_new,
            )
            with dsl.If(found.outputs["new"] == True, name="Train"):  # noqa: E712 - kfp's way to say it
                for name in steps:
                    if name == _READER:
                        read = {SPANS_KEY: found.outputs["spans"], FINGERPRINT_KEY: found.outputs["fingerprint"]}
                        add(name, _reader, **read)
                    else:
                        add(name, _empty_step(name))

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pipeline.yaml")
        compiler.Compiler().compile(pipeline, str(file))
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    names = {given: name for name, given in tasks.items()}
    names |= {f"comp-{given}": name for name, given in tasks.items()}
    names |= {f"exec-{given}": executor_label(name) for name, given in tasks.items()}
    return [_renamed(document, names) for document in documents]


def executor_label(step: str) -> str:
    """As TFX labels what runs a step."""
    return f"{step}_executor"


def _exit_handler(
    add: Callable[..., Any], config: Configuration, settings: KubeflowSettings, told_to: NotifySettings
) -> Any:
    address = settings.ui or settings.endpoint
    pages = f"{address.rstrip('/')}/#/runs/details/" if address else ""
    last = add(NOTIFY, _notify, pipeline=config.name, settings=told_to.model_dump_json(), pages=pages)
    return dsl.ExitHandler(last, name="Pipeline")


@dsl.container_component  # type: ignore[untyped-decorator]
def _new_data(
    settings: str,
    project: str,
    registry: str,
    only_new: bool,
    new: dsl.OutputPath(bool),  # type: ignore[valid-type]
    spans: dsl.OutputPath(str),  # type: ignore[valid-type]
    fingerprint: dsl.OutputPath(str),  # type: ignore[valid-type]
) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(
        image="none",
        command=["python", "-m", "runners.kfp.new_data"],
        args=[
            "--settings", settings, "--project", project, "--registry", registry, "--only_new", only_new,
            "--new", new, "--spans", spans, "--fingerprint", fingerprint,
        ],
    )  # fmt: skip


@dsl.container_component  # type: ignore[untyped-decorator]
def _notify(pipeline: str, settings: str, pages: str) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(
        image="none",
        command=["python", "-m", "runners.kfp.notify"],
        args=["--pipeline", pipeline, "--settings", settings, "--pages", pages],
    )


@dsl.container_component  # type: ignore[untyped-decorator]
def _reader(spans: str, input_fingerprint: str) -> dsl.ContainerSpec:  # noqa: ARG001 - TFX's executor is told of them
    return dsl.ContainerSpec(image="none", command=["true"])


def _empty_step(name: str) -> Any:
    def step() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="none", command=["true"])

    step.__name__ = name  # kfp names what it makes of it so
    return dsl.container_component(step)


def _renamed(tree: Any, names: Mapping[str, str]) -> Any:
    """A document with other names of tasks, components and executors in it."""
    if isinstance(tree, dict):
        return {
            names.get(key, key): value if key in _NOT_OURS else _renamed(value, names) for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [_renamed(value, names) for value in tree]
    return names.get(tree, tree) if isinstance(tree, str) else tree


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
