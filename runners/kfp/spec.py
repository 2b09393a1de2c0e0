"""The specification that Kubeflow and Vertex AI take: TFX compiles the steps, kfp compiles the frame around them."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.config.configuration import Configuration
from pipeline.config.steps import StepSettings
from runners.kfp.frame import Frame, build_frame, executor_label
from runners.kfp.protection import protect_parameters
from runners.kfp.steps import ALWAYS_RUN, NEW_DATA, NOTIFY, check_steps
from schema.errors import Refused

# Linux takes 128 KiB in one argument. All parameters of a step travel in one, with the addresses of its artifacts.
_MAX_PARAMETERS = 112 * 1024

Spec = dict[str, Any]


@dataclass(frozen=True)
class Containers:
    """What the containers of the steps get from a runner.

    Attributes:
        runner: Key of `runner` in the configuration.
        steps: Settings of single steps, by name, as configured.
        of_step: Returns the settings of a step, those of every step included.
        complete: Called with the name of a step, its task and its container, to add what the service reads there.
        always_run: Names of the runner's own steps that must not be answered from a cache.
    """

    runner: str
    steps: Mapping[str, StepSettings]
    of_step: Callable[[str], StepSettings]
    complete: Callable[[str, Spec, Spec], None]
    always_run: Collection[str] = ()


def build_documents(of_tfx: Spec, frame: Frame, containers: Containers) -> list[Spec]:
    """Put TFX's steps into a frame.

    Args:
        of_tfx: PipelineSpec that TFX compiled.
        frame: What is around the steps.
        containers: What the containers get.

    Returns:
        A PipelineSpec and, if the frame asks for anything of Kubernetes, a PlatformSpec.

    Raises:
        Refused: The settings of a step do not fit the pipeline, or its parameters are too large.
    """
    tasks: Spec = of_tfx["root"]["dag"]["tasks"]
    own = (NEW_DATA, NOTIFY) if frame.config.notify is not None else (NEW_DATA,)
    known = [*tasks, *own]
    # The settings of single steps are shared with training, whose compilation checks the names of its own.
    steps = {name: step for name, step in containers.steps.items() if name in known or frame.config.pipeline == "train"}
    check_steps(containers.runner, steps, known, ALWAYS_RUN.union(containers.always_run))
    for name, task in tasks.items():
        protect_parameters(name, task)
    check_sizes(tasks)
    always_run = ALWAYS_RUN.union(containers.always_run, _reads_registry(frame.config))
    spec, *platform = build_frame(frame, list(tasks))
    for dag in _dags(spec):
        for name, task in dag["tasks"].items():
            if name in tasks:
                dag["tasks"][name] = task = _merged(tasks[name], task)
                spec["components"][name] = _merged(of_tfx["components"][name], spec["components"][name])
            label = spec["components"][task["componentRef"]["name"]].get("executorLabel")
            if label is None:
                continue
            container = spec["deploymentSpec"]["executors"][label]["container"]
            if name not in tasks:
                protect_parameters(name, task)
            else:
                container |= of_tfx["deploymentSpec"]["executors"][executor_label(name)]["container"]
            containers.complete(name, task, container)
            cache = containers.of_step(name).cache is not False and name not in always_run
            task["cachingOptions"] = {"enableCache": cache}
    return [spec, *platform]


def check_sizes(tasks: Spec) -> None:
    """Check that the parameters of each step fit into an argument of a command line.

    Args:
        tasks: TFX's tasks, by name.

    Raises:
        Refused: Those of a step do not fit.
    """
    for name, task in tasks.items():
        size = len(json.dumps(task.get("inputs", {}).get("parameters", {})).encode())
        if size > _MAX_PARAMETERS:
            raise Refused(
                f"step {name}: {size >> 10} KiB of parameters, and a container's argument takes "
                f"{_MAX_PARAMETERS >> 10}; have fewer labels, slices or behavioural tests"
            )


def _reads_registry(config: Configuration) -> set[str]:
    """Return the names of TFX's own steps that look at the registry."""
    return {"Trainer"} if config.training.warm_start else set()


def _dags(spec: Spec) -> list[Spec]:
    components = spec["components"].values()
    return [spec["root"]["dag"], *(component["dag"] for component in components if "dag" in component)]


def _merged(own: Spec, other: Spec) -> Spec:
    """Return the union of two trees; where they differ, the first counts."""
    merged = other | own
    for key in own.keys() & other.keys():
        if isinstance(own[key], dict) and isinstance(other[key], dict):
            merged[key] = _merged(own[key], other[key])
    return merged
