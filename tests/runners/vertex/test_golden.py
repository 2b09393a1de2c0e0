"""The compiled job beside jobs that others have compiled, and that Vertex AI is known to run.

TFX tests its compiler for Vertex AI against files that it ships (tfx 1.21.0, tfx/orchestration/kubeflow/v2/testdata).
kfp compiles what the frame around the steps consists of. A field of ours that neither has needs a reason.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tfx.orchestration.kubeflow.v2 as compiler_of_tfx
from kfp import compiler, dsl

from runners.kfp.run_executor import complete
from tests.runners.vertex.test_spec import VERTEX, Compiled, compile_project
from tests.support.small_project import make_project

_GOLDEN = Path(compiler_of_tfx.__file__).parent / "testdata"
_FILES = (
    "expected_full_taxi_pipeline_job.json",
    "expected_two_step_pipeline_job.json",
    "expected_two_step_pipeline_job_with_multiple_images.json",
)
# Fields whose keys are names that a pipeline chooses.
_NAMED = ("artifacts", "components", "executors", "labels", "parameters", "tasks")
# Fields of PipelineJob (google-cloud-aiplatform 1.165.1, aiplatform_v1/types/pipeline_job.py), of which a compiler
# writes none or few. `parse_job` and the stand-in for the service check them.
_OF_THE_JOB = ("serviceAccount", "network", "reservedIpRanges", "encryptionSpec", "runtimeConfig", "labels")

Shape = set[tuple[str, ...]]


def _shapes(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each value in a JSON document, names replaced by a star, with the JSON type at its end."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _shapes(each, (*path, "*" if path and path[-1] in _NAMED else key))
    elif isinstance(value, list):
        for each in value:
            yield from _shapes(each, (*path, "[]"))
    else:
        kind = "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
        yield (*path, kind)


def _known(paths: Shape) -> Shape:
    """Return the paths, those of the root also for components, and the other way round: both are a ComponentSpec."""
    at_the_root = {path[1:] for path in paths if path[0] == "root"}
    in_components = {path[2:] for path in paths if path[0] == "components"}
    either = at_the_root | in_components
    return paths | {("root", *path) for path in either} | {("components", "*", *path) for path in either}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    project = make_project(tmp_path_factory.mktemp("golden") / "project", rows=3)
    step = {"Notify": {"env": {"HOOK": "https://hooks.example/1"}}}
    project.configure(runner={"vertex": {**VERTEX, "steps": step}}, notify={"url_from": "HOOK"})
    status, file = compile_project(project)
    assert status == 0
    return Compiled(project, file, json.loads(file.read_text()))


def _of_tfx() -> Shape:
    jobs = [json.loads((_GOLDEN / name).read_text()) for name in _FILES]
    return {path for job in jobs for path in _shapes(job["pipelineSpec"])}


def _of_kfp(folder: Path) -> Shape:
    """Return the shape of a pipeline that has what the frame has: a condition, an exit handler, parameters, a page."""

    @dsl.container_component  # type: ignore[untyped-decorator]
    def first(
        text: str,
        flag: bool,
        is_new: dsl.OutputPath(bool),  # type: ignore[valid-type]
        record: dsl.Output[dsl.Artifact],
    ) -> dsl.ContainerSpec:
        arguments = [text, flag, is_new, record.path, record.uri]
        return dsl.ContainerSpec(image="none", command=["true"], args=arguments)

    @dsl.container_component  # type: ignore[untyped-decorator]
    def second(flag: bool) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="none", command=["true"], args=[flag])

    @dsl.container_component  # type: ignore[untyped-decorator]
    def last(status: dsl.PipelineTaskFinalStatus, text: str, page: dsl.Output[dsl.HTML]) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="none", command=["true"], args=[status, text, page.path])

    @dsl.pipeline(name="peer", pipeline_root="gs://bucket/root")  # type: ignore[untyped-decorator]
    def peer(text: str = "") -> None:
        with dsl.ExitHandler(last(text="a")):
            news = first(text=text, flag=True)
            news.set_cpu_limit("1").set_memory_limit("1G").set_retry(2, "60s", 2.0, "3600s")
            news.set_accelerator_type("NVIDIA_L4").set_accelerator_limit(1).set_env_variable("A", "b")
            with dsl.If(news.outputs["is_new"] == True):  # noqa: E712 - kfp's own language
                second(flag=news.outputs["is_new"]).set_caching_options(False)

    file = folder / "peer.json"
    compiler.Compiler().compile(peer, str(file))
    return set(_shapes(json.loads(file.read_text())))


def test_has_no_field_that_neither_tfx_nor_kfp_writes(compiled: Compiled, tmp_path: Path) -> None:
    known = _known(_of_tfx() | _of_kfp(tmp_path))
    assert set(_shapes(compiled.spec)) - known == set()
    beside = set(compiled.job) - {"pipelineSpec", "displayName"}
    assert beside <= set(_OF_THE_JOB)


def test_is_of_the_version_that_tfx_writes(compiled: Compiled) -> None:
    golden = json.loads((_GOLDEN / _FILES[0]).read_text())["pipelineSpec"]
    assert compiled.spec["schemaVersion"] == golden["schemaVersion"]
    taxi = golden["deploymentSpec"]["executors"]["Transform_executor"]["container"]
    ours = compiled.container("Transform")
    assert [each for each in ours["args"] if each.startswith("--")][: len(taxi["args"]) // 2] == taxi["args"][::2][:3]
    assert ours["args"][ours["args"].index("--json_serialized_invocation_args") + 1] == "{{$}}"


def test_a_step_keeps_what_vertex_ai_passes_to_it() -> None:
    """TFX's example of an ExecutorInput is in container/testdata/executor_invocation.json of the same version."""
    file = _GOLDEN.parent / "container" / "testdata" / "executor_invocation.json"
    invocation, expected = json.loads(file.read_text()), json.loads(file.read_text())
    inputs = expected["inputs"]["artifacts"]
    spec = {"artifacts": {name: {"artifactType": each["artifacts"][0]["type"]} for name, each in inputs.items()}}
    complete(invocation, spec, {"gs://": "/gcs/"})
    for part in ("inputs", "outputs"):
        for listed in expected[part]["artifacts"].values():
            for artifact in listed["artifacts"]:
                artifact["uri"] = artifact["uri"].replace("gs://", "/gcs/")
    assert invocation == expected
