"""The specification compiled for Kubeflow Pipelines: what it asks for exists there, and it has what is configured."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format, text_format
from kfp import components
from kfp.pipeline_spec import pipeline_spec_pb2
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.components.base.base_driver import BaseDriver
from tfx.orchestration.kubeflow.v2.container.kubeflow_v2_entrypoint_utils import parse_raw_artifact_dict
from tfx.utils import import_utils

from pipeline.config.loading import load_configuration
from pipeline.create import create_pipeline
from runners.kfp.protection import protect_parameters
from runners.kfp.spec import check_sizes
from schema.errors import Refused
from tests.end_to_end.command import command
from tests.runners.kubeflow.backend import expand_variables
from tests.support.refusals import refused, refused_without
from tests.support.small_project import Project, make_project

KUBEFLOW: dict[str, Any] = {
    "image": "registry.example/bert-multilabel:1",
    "pipeline_root": "s3://bucket/root",
    "paths": {"registry": "/mnt/models/registry", "input_base": "gs://bucket/data", "checkpoint": "/opt/bert"},
    "cpu": 2,
    "memory": "4Gi",
    "accelerator": {"count": 1},
    "retries": 2,
    "timeout_s": 3600,
    "node_selector": {"pool": "general"},
    "env": {"S3_REGION": "eu"},
    "secrets": [
        {"name": "store", "env": {"AWS_ACCESS_KEY_ID": "key"}},
        {"name": "google", "mount_path": "/etc/google"},
    ],
    "volumes": [{"claim": "models", "mount_path": "/mnt/models"}],
    "image_pull_secrets": ["pull"],
    "steps": {
        "Trainer": {
            "image": "registry.example/bert-multilabel:1-cuda",
            "cpu": "7500m",
            "retries": 0,
            "node_selector": {"gpu": "yes"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        },
        "StatisticsGen": {"cache": False, "timeout_s": 60},
        "Notify": {"secrets": [{"name": "hook", "env": {"HOOK": "url"}}]},
    },
}


@dataclass(frozen=True)
class Compiled:
    """A compiled pipeline and the project that it was compiled from."""

    project: Project
    package: Path
    spec: dict[str, Any]
    kubernetes: dict[str, Any]

    @property
    def dags(self) -> list[dict[str, Any]]:
        inner = [component["dag"] for component in self.spec["components"].values() if "dag" in component]
        return [self.spec["root"]["dag"], *inner]

    @property
    def tasks(self) -> dict[str, Any]:
        """The tasks of every DAG that run containers."""
        tasks = {name: task for dag in self.dags for name, task in dag["tasks"].items()}
        return {name: task for name, task in tasks.items() if name in self.spec["components"]}

    def container(self, step: str) -> dict[str, Any]:
        label = self.spec["components"][step]["executorLabel"]
        return dict(self.spec["deploymentSpec"]["executors"][label]["container"])

    def on_kubernetes(self, step: str) -> dict[str, Any]:
        return dict(self.kubernetes[self.spec["components"][step]["executorLabel"]])


def compile_project(project: Project, *changes: str) -> tuple[int, Path]:
    """Compile a project for Kubeflow; return the exit status of the command and the file."""
    options = [option for change in changes for option in ("--set", change)]
    return command(*compile_arguments(project, *options)), _package(project)


def compile_arguments(project: Project, *options: str) -> list[str]:
    """Return the command that compiles a project for Kubeflow, and its arguments."""
    config, output = str(project.configuration), str(_package(project))
    return ["compile", "--runner", "kubeflow", "--config", config, "--output", output, *options]


def _package(project: Project) -> Path:
    return project.folder / "pipeline-of-kubeflow.yaml"


def compile_kubeflow(project: Project, *changes: str) -> Compiled:
    """Compile a project for Kubeflow and read what was compiled."""
    status, package = compile_project(project, *changes)
    assert status == 0
    spec, platform = yaml.safe_load_all(package.read_text())
    return Compiled(project, package, spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("kubeflow") / "project", rows=20)
    project.configure(runner={"kubeflow": KUBEFLOW}, notify={"url_from": "HOOK"})
    project.data.unlink()  # containers reach data that this machine need not reach
    return project


@pytest.fixture(scope="module")
def compiled(project: Project) -> Compiled:
    return compile_kubeflow(project)


def test_the_kfp_sdk_loads_the_file(compiled: Compiled) -> None:
    loaded = components.load_component_from_file(str(compiled.package))
    assert loaded.name == "small"
    assert loaded.pipeline_spec.root.dag.tasks
    assert "kubernetes" in loaded.platform_spec.platforms
    assert compiled.spec["defaultPipelineRoot"] == "s3://bucket/root"


def test_every_step_is_a_container_and_none_has_a_hook(compiled: Compiled) -> None:
    configuration = load_configuration(compiled.project.configuration)
    steps = {component.id for component in create_pipeline(configuration).components}
    assert set(compiled.tasks) == {"NewData", *steps, "Notify"}
    for step in steps:
        (kind,) = compiled.spec["deploymentSpec"]["executors"][compiled.spec["components"][step]["executorLabel"]]
        assert kind == "container"
        container = compiled.container(step)
        assert "lifecycle" not in container
        assert container["command"] == ["python", "-m", "runners.kfp.run_executor"]
        assert "{{$}}" in container["args"]


def test_the_classes_that_containers_import_exist(compiled: Compiled) -> None:
    for step in compiled.tasks.keys() - {"NewData", "Notify"}:
        component = compiled.spec["components"][step]
        arguments = compiled.container(step)["args"]
        import_utils.import_class_by_path(arguments[arguments.index("--executor_class_path") + 1])
        definitions = [component.get(f"{side}Definitions", {}).get("artifacts", {}) for side in ("input", "output")]
        for name, artifact in [item for defined in definitions for item in defined.items()]:
            given = {"artifacts": {name: {"artifacts": [{"name": "1", "type": artifact["artifactType"]}]}}}
            inputs = json_format.ParseDict(given, pipeline_spec_pb2.ExecutorInput.Inputs())
            (found,) = parse_raw_artifact_dict(inputs.artifacts)[name]
            assert found.TYPE_NAME in artifact["artifactType"]["instanceSchema"]


def test_a_step_that_looks_at_more_than_its_inputs_always_runs(compiled: Compiled) -> None:
    cached = {step for step, task in compiled.tasks.items() if task["cachingOptions"]["enableCache"]}
    always = {"NewData", "DataGate", "RegistryBaseline", "RegistryPusher", "TrainingRecord", "Notify"}
    assert set(compiled.tasks) - cached == always | {"StatisticsGen"}
    # Elsewhere these have drivers that run before the cache is consulted; for the reader, NewData does their work.
    nodes = create_pipeline(load_configuration(compiled.project.configuration)).components
    assert {node.id for node in nodes if node.driver_class is not BaseDriver} - always == {"TextExampleGen"}
    read = compiled.tasks["TextExampleGen"]["inputs"]["parameters"]
    given = {name: source["componentInputParameter"] for name, source in read.items() if "runtimeValue" not in source}
    assert set(given) == {"spans", "input_fingerprint", "generation"}


def test_every_step_without_input_artifacts_has_the_generation_in_its_cache_key(compiled: Compiled) -> None:
    """All others have artifacts of these among their inputs, directly or through others, and the key has their IDs."""
    for step, task in compiled.tasks.items():
        inputs = task.get("inputs", {})
        if task["cachingOptions"]["enableCache"] and not inputs.get("artifacts"):
            assert "componentInputParameter" in inputs["parameters"]["generation"], step


def test_parameters_name_nothing_of_this_machine(compiled: Compiled) -> None:
    for step, task in compiled.tasks.items():
        if step != "Report":  # shows the configuration as it was written
            assert str(compiled.project.folder) not in str(task.get("inputs", {}).get("parameters", {})), step
    assert '"input_base":"gs://bucket/data"' in _parameter(compiled, "TextExampleGen", "settings")
    assert '"checkpoint": "/opt/bert"' in _parameter(compiled, "Transform", "custom_config")
    assert '"checkpoint": "/opt/bert"' in _parameter(compiled, "Trainer", "custom_config")
    assert '"input_base":"gs://bucket/data"' in _parameter(compiled, "NewData", "settings")
    for step in ("NewData", "DataGate", "RegistryBaseline", "TrainingRecord"):
        assert _parameter(compiled, step, "registry") == "/mnt/models/registry"


def test_pods_get_what_is_configured(compiled: Compiled) -> None:
    gate, trainer = compiled.container("DataGate"), compiled.container("Trainer")
    assert gate["image"] == "registry.example/bert-multilabel:1"
    assert trainer["image"] == "registry.example/bert-multilabel:1-cuda"
    assert {"name": "S3_REGION", "value": "eu"} in gate["env"]
    assert {"name": "S3_REGION", "value": "eu"} in trainer["env"]
    assert gate["resources"]["resourceCpuLimit"] == gate["resources"]["resourceCpuRequest"] == "2"
    assert trainer["resources"]["resourceCpuLimit"] == "7500m"
    assert trainer["resources"]["resourceMemoryLimit"] == gate["resources"]["resourceMemoryRequest"] == "4Gi"
    with_gpu = {step for step in compiled.tasks if "accelerator" in compiled.container(step)["resources"]}
    assert with_gpu == {"Trainer"}
    assert trainer["resources"]["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert compiled.tasks["DataGate"]["retryPolicy"]["maxRetryCount"] == 2
    assert "retryPolicy" not in compiled.tasks["Trainer"]

    gate, trainer = compiled.on_kubernetes("DataGate"), compiled.on_kubernetes("Trainer")
    assert gate["nodeSelector"]["labels"] == {"pool": "general"}
    assert trainer["nodeSelector"]["labels"] == {"pool": "general", "gpu": "yes"}
    assert trainer["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    (variables,) = gate["secretAsEnv"]
    assert variables["secretName"] == "store"
    assert variables["keyToEnv"] == [{"secretKey": "key", "envVar": "AWS_ACCESS_KEY_ID"}]
    assert [files["mountPath"] for files in gate["secretAsVolume"]] == ["/etc/google"]
    assert [(volume["constant"], volume["mountPath"]) for volume in gate["pvcMount"]] == [("models", "/mnt/models")]
    assert [secret["secretName"] for secret in gate["imagePullSecret"]] == ["pull"]
    assert int(gate["activeDeadlineSeconds"]) == 3600
    assert int(compiled.on_kubernetes("StatisticsGen")["activeDeadlineSeconds"]) == 60


def test_a_change_of_the_environment_changes_what_the_cache_compares(compiled: Compiled) -> None:
    """That is image, command and arguments, no environment: backend/src/v2/cacheutils/cache.go, lines 193-250."""
    before = {step: compiled.container(step)["args"] for step in compiled.tasks}
    changed = compile_kubeflow(compiled.project, "runner.kubeflow.steps.Transform={env: {A: b}}")
    assert {step for step in changed.tasks if changed.container(step)["args"] != before[step]} == {"Transform"}
    changed = compile_kubeflow(compiled.project, "runner.kubeflow.env={A: b}", "runner.kubeflow.cpu=1")
    unchanged = {step for step in changed.tasks if changed.container(step)["args"] == before[step]}
    assert unchanged == {"NewData", "Notify"}  # which are never answered from the cache
    changed = compile_kubeflow(compiled.project, "runner.kubeflow.cpu=1")
    assert {step: changed.container(step)["args"] for step in changed.tasks} == before


def test_kubernetes_leaves_parameters_and_arguments_as_they_are(compiled: Compiled) -> None:
    """In the words of a container it expands variables: backend/src/v2/driver/driver.go, lines 283-304 and 413-421."""
    requests = ["costs $$5", "$(HOOK) or $(NONE)", "{{thing}} {{$}}"]
    changed = compile_kubeflow(
        compiled.project, f"canary={json.dumps({'requests': requests})}",
        "beam={pipeline_args: [--runner=DirectRunner, '--label=$$ $(HOOK)']}",
    )  # fmt: skip
    environment = {"HOOK": "secret"}
    settings = json.loads(expand_variables(_parameter(changed, "Canary", "settings"), environment))
    assert settings["requests"] == requests
    arguments = [expand_variables(word, environment) for word in changed.container("Transform")["args"]]
    assert "--label=$$ $(HOOK)" in arguments
    assert "{{$}}" in arguments


def test_argo_finds_nothing_to_replace_in_texts() -> None:
    """Argo 3.7.8 replaces `{{workflow.name}}` in the parameters of a template: util/template/template.go."""
    text = json.dumps({"requests": ["{{workflow.name}} {{{inputs.parameters.task}}}"], "empty": {"inner": {}}})
    task = {"inputs": {"parameters": {"settings": {"runtimeValue": {"constant": text}}}}}
    protect_parameters("Canary", task)
    protected = task["inputs"]["parameters"]["settings"]["runtimeValue"]["constant"]
    assert "{{" not in protected
    assert json.loads(protected) == json.loads(text)


def test_the_schema_keeps_its_dollars_and_braces() -> None:
    text = 'feature { name: "labels" domain: "$$ {{workflow.name}}" annotation { tag: "$(HOOK)" } }'
    task = {"inputs": {"parameters": {"text": {"runtimeValue": {"constant": text}}}}}
    protect_parameters("SchemaImport", task)
    protected = task["inputs"]["parameters"]["text"]["runtimeValue"]["constant"]
    assert "$" not in protected
    assert "{{" not in protected
    schema, expected = schema_pb2.Schema(), schema_pb2.Schema()
    assert text_format.Parse(protected, schema) == text_format.Parse(text, expected)


@pytest.mark.parametrize("name", ["$(HOME)", "$$", "{{workflow.name}}"])
def test_refuses_a_path_that_kubeflow_would_change(name: str) -> None:
    task = {"inputs": {"parameters": {"registry": {"runtimeValue": {"constant": f"/mnt/{name}"}}}}}
    with pytest.raises(Refused, match=re.escape(f"step DataGate: registry /mnt/{name}: Kubeflow would replace")):
        protect_parameters("DataGate", task)


def test_a_failed_training_record_costs_no_report(compiled: Compiled) -> None:
    """After a failure nothing starts (Argo's failFast), so the report must come before."""
    assert "Report" in compiled.tasks["TrainingRecord"]["dependentTasks"]
    last = [step for step in compiled.tasks if "TrainingRecord" in compiled.tasks[step].get("dependentTasks", [])]
    assert not last


def test_one_output_alone_is_downloaded_with_another(compiled: Compiled) -> None:
    """Up to 2.16.1 the launcher lists by bare prefix: backend/src/v2/objectstore/object_store.go, lines 128-155."""
    prefixes = [
        (step, output, other)
        for step in compiled.tasks
        for outputs in [compiled.spec["components"][step].get("outputDefinitions", {}).get("artifacts", {})]
        for output in outputs
        for other in outputs
        if other != output and other.startswith(output)
    ]
    assert prefixes == [("Trainer", "model", "model_run")]


def test_a_warm_start_is_looked_up_during_the_run(compiled: Compiled) -> None:
    change = {
        "training": {"epochs": 1, "warm_start": True},
        "runner": {"kubeflow": {**KUBEFLOW, "steps": {"Notify": KUBEFLOW["steps"]["Notify"]}}},
    }
    status, package = compile_project(compiled.project, *[f"{key}={value}" for key, value in change.items()])
    assert status == 0
    spec, _ = yaml.safe_load_all(package.read_text())
    task = Compiled(compiled.project, package, spec, {}).tasks["Trainer"]
    assert task["cachingOptions"] == {"enableCache": False}
    settings = task["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"]
    assert '"start": null' in settings
    assert '"registry": "/mnt/models/registry"' in settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("runner.kubeflow=null", "the configuration has no runner.kubeflow; give at least its image"),
        (
            "runner.kubeflow.steps.Trainer.cpus=1",
            "unknown key 'runner.kubeflow.steps.Trainer.cpus'; did you mean 'cpu'?",
        ),
        ("runner.kubeflow.volumes=[{claim: c, mount_path: /m, path: x}]", "did you mean 'sub_path'?"),
        ("runner.kubeflow.steps.RegistryPusher.cache=true", "steps.RegistryPusher.cache: the step looks at"),
        ("runner.kubeflow.memory=8", "key 'runner.kubeflow.memory'"),
        ("runner.kubeflow.secrets=[{name: s}]", "secret s: give env or mount_path"),
        ("runner.kubeflow.pipeline_root=/data", "/data: Kubeflow's launcher knows gs://, s3:// and minio:// only"),
        ("runner.kubeflow.paths.input_base=data", "data: a container needs an absolute path or an address"),
        ("runner.kubeflow.paths.input_base=null", "give the one that they have in runner.kubeflow.paths.input_base"),
        ("runner.kubeflow.paths.checkpoint=null", "give the one that they have in runner.kubeflow.paths.checkpoint"),
        ("runner.kubeflow.paths.registry=/registry", "/registry: is gone with the container"),
        ("training.checkpoint_every=5", "give the one that they have in runner.kubeflow.paths.work_dir"),
        ("infra_validator={platform: kubernetes}", "TFX cannot compile it for Kubeflow Pipelines"),
        ("evaluation.gates=[macro_f2 >= 1]", "macro_f2"),
        (
            "notify={url: 'https://hooks.example/SECRET'}",
            "notify.url: everybody who can see the pipeline could read the address",
        ),
        ("notify={url_from: ELSEWHERE}", "notify.url_from: no container has that environment variable"),
        ("notify={url_from: HOOK, secret_from: ELSEWHERE}", "notify.secret_from: no container has that"),
    ],
)
def test_refuses_what_does_not_fit_in_one_line(
    project: Project, change: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *compile_arguments(project, "--set", change))


@pytest.mark.parametrize(
    ("runner", "output", "message"),
    [
        ("kubeflo", "p.yaml", "--runner kubeflo: there is no such runner to compile for; did you mean 'kubeflow'?"),
        ("kubeflow", "p.json", "the kfp SDK reads YAML"),
        ("kubeflow", "nowhere/p.yaml", "there is no folder"),
    ],
)
def test_refuses_what_it_cannot_write_before_tensorflow_is_imported(
    project: Project, runner: str, output: str, message: str
) -> None:
    arguments = ["--runner", runner, "--config", str(project.configuration), "--output", str(project.folder / output)]
    assert message in refused_without(("tensorflow", "tfx", "kfp", "keras"), "compile", *arguments)


def test_refuses_an_unknown_step_in_one_line_after_tensorflow_was_imported(project: Project) -> None:
    arguments = [
        "--runner",
        "kubeflow",
        "--config",
        str(project.configuration),
        "--output",
        str(project.folder / "p.yaml"),
    ]
    change = "runner.kubeflow.steps.Traner={cpu: 1}"
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", "compile", *arguments, "--set", change],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr == "error: runner.kubeflow.steps.Traner: there is no such step; did you mean 'Trainer'?\n"


def test_refuses_parameters_that_are_too_long_for_a_command_line() -> None:
    tasks = {"SchemaImport": {"inputs": {"parameters": {"text": {"runtimeValue": {"constant": "x" * 100_000}}}}}}
    check_sizes(tasks | {"TextExampleGen": {}})
    tasks["SchemaImport"]["inputs"]["parameters"]["text"]["runtimeValue"]["constant"] *= 2
    with pytest.raises(Refused, match="step SchemaImport: 195 KiB of parameters"):
        check_sizes(tasks)


def _parameter(compiled: Compiled, step: str, name: str) -> str:
    return str(compiled.tasks[step]["inputs"]["parameters"][name]["runtimeValue"]["constant"])


def test_the_scoring_pipeline_has_one_step_that_always_runs(project: Project, compiled: Compiled) -> None:
    scoring = '{"input_base": "/mnt/models/new", "inputs": [{"pattern": "{YYYY}-{MM}-{DD}/*"}], "output": "scored"}'
    changes = (f"scoring={scoring}", "runner.kubeflow.paths.scoring_output=/mnt/models/scored")
    options = ["--pipeline", "score", *(option for change in changes for option in ("--set", change))]
    assert command(*compile_arguments(project, *options)) == 0
    spec, platform = yaml.safe_load_all(_package(project).read_text())
    found = Compiled(
        project, _package(project), spec, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    )
    assert components.load_component_from_file(str(found.package)).name == "small-score"
    assert set(found.tasks) == {"TextScorer", "Notify"}
    assert not found.tasks["TextScorer"]["cachingOptions"]["enableCache"]
    assert found.on_kubernetes("TextScorer") == compiled.on_kubernetes("DataGate")
    parameters = found.tasks["TextScorer"]["inputs"]["parameters"]
    settings = json.loads(parameters["settings"]["runtimeValue"]["constant"])
    assert (settings["input_base"], settings["output"]) == ("/mnt/models/new", "/mnt/models/scored")
    assert parameters["registry"]["runtimeValue"]["constant"] == "/mnt/models/registry"
    test_the_classes_that_containers_import_exist(found)
