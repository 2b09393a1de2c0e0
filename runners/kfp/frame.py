"""The frame around TFX's steps: the step before them, the condition that they run under, the step after them.

    root
      Pipeline            (inside an exit handler, where a webhook is configured)
        NewData           spans, fingerprint, and whether there is anything new
        Train             only if there is
          TextExampleGen, StatisticsGen, ...
      Notify              after all of that, however it ended

The scoring pipeline has neither NewData nor the condition: its one step finds out by itself what is new.

kfp compiles it from empty steps in the place of TFX's, so that everything is spelled the way its backend reads it.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler, dsl

from components.example_gen.driver import FINGERPRINT_KEY, SPANS_KEY
from pipeline.check import project_of_queries
from pipeline.config.configuration import Configuration
from pipeline.config.retention import RetentionSettings
from pipeline.locations import Locations
from pipeline.registry import claimant
from runners.kfp.steps import NEW_DATA, NOTIFY

Spec = dict[str, Any]
_READER, _SCHEMA_IMPORT, _REPORT = "TextExampleGen", "SchemaImport", "Report"
# Keys below which a task's name means something else.
_UNRELATED = ("runtimeValue", "container", "pipelineInfo")


def _leave(task: Any, step: str) -> None:
    """Leave a task of kfp as it is."""


@dataclass(frozen=True)
class Frame:
    """What the frame is built from.

    Attributes:
        config: Configuration of the pipeline.
        locations: Where containers find what the configuration names.
        only_new: Whether a run ends that finds nothing new to train on.
        pages: Address to which a run's ID is appended to get the page of the run; may be empty.
        retention: What is kept in the registry, and of past runs.
        vertex: Where on Vertex AI the models are as well, as JSON {settings, target}; empty: nowhere.
        prepare: Called with each task and the name of its step, to give the task what kfp can express.
        provenance: What starts the runs, as JSON, unless a run's parameter `PROVENANCE` says otherwise; may be empty.
    """

    config: Configuration
    locations: Locations
    only_new: bool
    pages: str
    retention: RetentionSettings
    vertex: str = ""
    prepare: Callable[[Any, str], None] = _leave
    provenance: str = ""


def build_frame(frame: Frame, steps: Sequence[str]) -> list[Spec]:
    """Build the frame, with empty components in the place of TFX's.

    Tasks and components are named like the steps, executors as `executor_label` returns.

    Args:
        frame: What the frame is built from.
        steps: Names of TFX's steps, in the order in which they run.

    Returns:
        A PipelineSpec and, if `prepare` asks for anything of Kubernetes, a PlatformSpec.
    """
    names: dict[str, str] = {}

    def add(step: str, component: Any, **inputs: Any) -> Any:
        task = component(**inputs)
        frame.prepare(task, step)
        names.update({task.name: step, f"comp-{task.name}": step, f"exec-{task.name}": executor_label(step)})
        return task

    @dsl.pipeline(name=frame.config.name)  # type: ignore[untyped-decorator]
    def pipeline(provenance: str = frame.provenance) -> None:
        with _exit_handler(frame, add):
            if frame.config.pipeline == "score":  # whose step finds out by itself whether there is anything new
                for step in steps:
                    add(step, _empty_step(step))
                return
            new_data = add(NEW_DATA, _new_data, **_new_data_inputs(frame))
            with dsl.If(new_data.outputs["new"] == True, name="Train"):  # noqa: E712 - kfp overloads the operator
                for step in steps:
                    if step == _READER:
                        found = {SPANS_KEY: "spans", FINGERPRINT_KEY: "fingerprint", "generation": "generation"}
                        add(step, _reader, **{key: new_data.outputs[output] for key, output in found.items()})
                    elif step == _SCHEMA_IMPORT:
                        add(step, _schema_import, generation=new_data.outputs["generation"])
                    elif step == _REPORT:
                        add(step, _report, provenance=provenance)
                    else:
                        add(step, _empty_step(step))

    return [_renamed(document, names) for document in _compiled(pipeline)]


def executor_label(step: str) -> str:
    """Return TFX's label of the executor of a step."""
    return f"{step}_executor"


def _new_data_inputs(frame: Frame) -> dict[str, Any]:
    examples = frame.config.examples.model_copy(update={"input_base": frame.locations.input_base})
    return {
        "settings": examples.model_dump_json(),
        "project": project_of_queries(frame.config),
        "registry": frame.locations.registry,
        "claimant": claimant(frame.config).model_dump_json(),
        "only_new": frame.only_new,
        "retention": frame.retention.model_dump_json() if frame.config.notify is None else "",
        "vertex": frame.vertex,
    }


def _exit_handler(frame: Frame, add: Callable[..., Any]) -> Any:
    """Return the context that the other steps are built in."""
    notify = frame.config.notify
    if notify is None:
        return nullcontext()
    last = add(
        NOTIFY,
        _notify,
        pipeline=frame.config.name,
        settings=notify.model_dump_json(),
        pages=frame.pages,
        registry=frame.locations.registry,
        # The registry is the trained pipeline's: scoring and watching leave it alone.
        retention=frame.retention.model_dump_json() if frame.config.pipeline == "train" else "",
        vertex=frame.vertex,
    )
    return dsl.ExitHandler(last, name="Pipeline")


def _compiled(pipeline: Any) -> list[Spec]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pipeline.yaml")
        compiler.Compiler().compile(pipeline, str(file))
        return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


@dsl.container_component  # type: ignore[untyped-decorator]
def _new_data(
    settings: str,
    project: str,
    registry: str,
    claimant: str,
    only_new: bool,
    retention: str,
    vertex: str,
    new: dsl.OutputPath(bool),  # type: ignore[valid-type]
    spans: dsl.OutputPath(str),  # type: ignore[valid-type]
    fingerprint: dsl.OutputPath(str),  # type: ignore[valid-type]
    generation: dsl.OutputPath(str),  # type: ignore[valid-type]
    record: dsl.Output[dsl.Artifact],
) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(
        image="none",
        command=["python", "-m", "runners.kfp.new_data"],
        args=[
            "--settings", settings, "--project", project, "--registry", registry, "--claimant", claimant,
            "--only_new", only_new, "--retention", retention, "--vertex", vertex, "--new", new, "--spans", spans,
            "--fingerprint", fingerprint, "--generation", generation, "--record", record.path,
            "--address", record.uri,
        ],
    )  # fmt: skip


@dsl.container_component  # type: ignore[untyped-decorator]
def _notify(
    pipeline: str, settings: str, pages: str, registry: str, retention: str, vertex: str, page: dsl.Output[dsl.HTML]
) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(
        image="none",
        command=["python", "-m", "runners.kfp.notify"],
        args=[
            "--pipeline", pipeline, "--settings", settings, "--pages", pages, "--registry", registry,
            "--retention", retention, "--vertex", vertex, "--output", page.path,
        ],
    )  # fmt: skip


@dsl.container_component  # type: ignore[untyped-decorator]
def _reader(
    spans: str,  # noqa: ARG001 - TFX's executor reads it, and the next one
    input_fingerprint: str,  # noqa: ARG001
    generation: str,  # noqa: ARG001 - part of the cache's key
) -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="none", command=["true"])


# Besides the one above, this is the only step without input artifacts.
@dsl.container_component  # type: ignore[untyped-decorator]
def _schema_import(generation: str) -> dsl.ContainerSpec:  # noqa: ARG001 - part of the cache's key
    return dsl.ContainerSpec(image="none", command=["true"])


@dsl.container_component  # type: ignore[untyped-decorator]
def _report(provenance: str) -> dsl.ContainerSpec:  # noqa: ARG001 - TFX's executor reads it
    return dsl.ContainerSpec(image="none", command=["true"])


def _empty_step(name: str) -> Any:
    def step() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="none", command=["true"])

    step.__name__ = name  # kfp names the component after it
    return dsl.container_component(step)


def _renamed(tree: Any, names: Mapping[str, str]) -> Any:
    """Return a copy of a document in which tasks, components and executors have other names."""
    if isinstance(tree, dict):
        return {
            names.get(key, key): value if key in _UNRELATED else _renamed(value, names) for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [_renamed(value, names) for value in tree]
    return names.get(tree, tree) if isinstance(tree, str) else tree
