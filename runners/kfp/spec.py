"""The specification that Kubeflow Pipelines takes: TFX compiles the steps, kfp what is around them."""

import json
from collections.abc import Iterator
from typing import Any

from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.create import create_pipeline
from pipeline.locations import Locations
from runners.kfp.frame import build_frame, executor_label
from runners.kubeflow.runner import ALWAYS_RUN, NEW_DATA, NOTIFY, check_steps
from schema.errors import Refused

# TFX's entry point, after what open-source Kubeflow leaves to it.
COMMAND = ["python", "-m", "runners.kfp.run_executor"]
# Linux takes 128 KiB in one argument, and a step's parameters travel in one, with its artifacts' addresses.
_MOST_PARAMETERS = 112 * 1024

Spec = dict[str, Any]


def build_documents(config: Configuration, settings: KubeflowSettings, places: Locations) -> list[Spec]:
    """The YAML's documents: a PipelineSpec, and a PlatformSpec if the pods get something of Kubernetes' own.

    Raises:
        Refused: The configuration does not fit the pipeline.
    """
    of_tfx = _compiled(config, settings, places)
    steps: Spec = of_tfx["root"]["dag"]["tasks"]
    first_and_last = (NEW_DATA, NOTIFY) if config.notify is not None else (NEW_DATA,)
    check_steps({name: step.cache for name, step in settings.steps.items()}, [*steps, *first_and_last])
    check_sizes(steps)
    spec, *platform = build_frame(config, settings, places, list(steps))
    always = ALWAYS_RUN | ({"Trainer"} if config.training.warm_start else set())
    for name, task, container in fill(spec, of_tfx):
        own = settings.of_step(name)
        container["image"] = own.image
        task["cachingOptions"] = {"enableCache": own.cache is not False and name not in always}
    if settings.pipeline_root is not None:
        # TFX puts the root into Vertex's PipelineJob alone.
        spec["defaultPipelineRoot"] = settings.pipeline_root
    return [spec, *platform]


def fill(frame: Spec, of_tfx: Spec) -> Iterator[tuple[str, Spec, Spec]]:
    """Puts TFX's steps in the place of a frame's empty ones.

    Args:
        frame: As `runners.kfp.frame` builds it; filled in place.
        of_tfx: What TFX has compiled.

    Yields:
        Of each step, the frame's own among them, name, task and container, to be completed.
    """
    steps: Spec = of_tfx["root"]["dag"]["tasks"]
    for dag in _dags(frame):
        for name, task in dag["tasks"].items():
            if name in steps:
                dag["tasks"][name] = _joined(steps[name], task)
                frame["components"][name] = _joined(of_tfx["components"][name], frame["components"][name])
            label = frame["components"][task["componentRef"]["name"]].get("executorLabel")
            if label is None:
                continue
            container = frame["deploymentSpec"]["executors"][label]["container"]
            if name in steps:
                container |= of_tfx["deploymentSpec"]["executors"][executor_label(name)]["container"]
            yield name, dag["tasks"][name], container


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


def _compiled(config: Configuration, settings: KubeflowSettings, places: Locations) -> Spec:
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(default_image=settings.image, default_commands=COMMAND, use_pipeline_spec_2_1=True)
    )
    spec: Spec = runner.run(create_pipeline(config, places), write_out=False)["pipelineSpec"]
    return spec


def _dags(spec: Spec) -> list[Spec]:
    components = spec["components"].values()
    return [spec["root"]["dag"], *(component["dag"] for component in components if "dag" in component)]


def _joined(own: Spec, other: Spec) -> Spec:
    """Both, part by part; where they differ, the first."""
    merged = other | own
    for key in own.keys() & other.keys():
        if isinstance(own[key], dict) and isinstance(other[key], dict):
            merged[key] = _joined(own[key], other[key])
    return merged
