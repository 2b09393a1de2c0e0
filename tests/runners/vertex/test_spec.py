"""The job compiled for Vertex AI Pipelines: the service can read it, and it has what is configured."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.protobuf import json_format
from kfp import compiler, dsl
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.utils import import_utils

from components.report.summary import Provenance
from pipeline.config.loading import load_configuration
from pipeline.config.vertex import VertexSettings
from pipeline.create import create_pipeline
from runners.vertex import run_executor
from runners.vertex.run_executor import set_output_file
from runners.vertex.runs import parse_job
from runners.vertex.spec import container_of
from tests.end_to_end.command import command
from tests.support.refusals import refused, refused_without
from tests.support.small_project import Project, make_project

IMAGE = "europe-west4-docker.pkg.dev/my-project/ml/bert-multilabel:1"
PUSH = {"model": "topics", "serving": {"image": "europe-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"}}
MINIMAL: dict[str, Any] = {
    "project": "my-project", "location": "europe-west4", "pipeline_root": "gs://bucket/root", "image": IMAGE,
    "paths": {"registry": "gs://bucket/registry", "input_base": "gs://bucket/data", "checkpoint": "/opt/bert"},
}  # fmt: skip
VERTEX: dict[str, Any] = {
    **MINIMAL,
    "service_account": "trainer@my-project.iam.gserviceaccount.com",
    "network": "projects/12345/global/networks/default",
    "reserved_ip_ranges": ["vertex"],
    "kms_key": "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k",
    "failure_policy": "slow",
    "labels": {"team": "support"},
    "push": PUSH,
    "cpu": "3500m",
    "memory": "16Gi",
    "accelerator": {"type": "NVIDIA_TESLA_T4", "count": 2},
    "env": {"TF_CPP_MIN_LOG_LEVEL": "1"},
    "retries": 2,
    "timeout_s": 3600,
    "steps": {
        "Trainer": {"image": f"{IMAGE}-cuda", "cpu": 8, "memory": "30G", "retries": 0, "timeout_s": 86400},
        "StatisticsGen": {"cache": False},
    },
}
_DATAFLOW = {
    "project": "my-project", "region": "europe-west4", "temp_location": "gs://bucket/temp", "image": f"{IMAGE}-beam",
}  # fmt: skip


@dataclass(frozen=True)
class Compiled:
    """A compiled job: its file and content, and the project that it was compiled from."""

    project: Project
    file: Path
    job: dict[str, Any]

    @property
    def spec(self) -> dict[str, Any]:
        return dict(self.job["pipelineSpec"])

    @property
    def tasks(self) -> dict[str, Any]:
        """The tasks of every DAG that run containers."""
        dags = [self.spec["root"], *(component for component in self.spec["components"].values() if "dag" in component)]
        tasks = [item for each in dags for item in each["dag"]["tasks"].items()]
        return {name: task for name, task in tasks if "executorLabel" in self.spec["components"][_component(task)]}

    def container(self, step: str) -> dict[str, Any]:
        label = self.spec["components"][_component(self.tasks[step])]["executorLabel"]
        return dict(self.spec["deploymentSpec"]["executors"][label]["container"])


def _component(task: dict[str, Any]) -> str:
    return str(task["componentRef"]["name"])


def compile_project(project: Project, *changes: str, output: str = "job.json") -> tuple[int, Path]:
    """Compile a project for Vertex AI; return the exit status of the command and the file."""
    options = [option for change in changes for option in ("--set", change)]
    return command(*compile_arguments(project, output, *options)), project.folder / output


def compile_arguments(project: Project, output: str, *options: str) -> list[str]:
    """Return the command that compiles a project for Vertex AI, and its arguments."""
    config, file = str(project.configuration), str(project.folder / output)
    return ["compile", "--runner", "vertex", "--config", config, "--output", file, *options]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("vertex") / "project", rows=20)
    project.configure(runner={"vertex": VERTEX}, beam={"runner": "dataflow", "dataflow": _DATAFLOW})
    project.data.unlink()  # containers reach data that this machine need not reach
    return project


@pytest.fixture(scope="module")
def compiled(project: Project) -> Compiled:
    status, file = compile_project(project)
    assert status == 0
    return Compiled(project, file, json.loads(file.read_text()))


def test_vertex_ai_and_kubeflow_know_every_field(compiled: Compiled) -> None:
    message = parse_job(compiled.job)
    assert message.service_account == "trainer@my-project.iam.gserviceaccount.com"
    assert message.network == "projects/12345/global/networks/default"
    assert list(message.reserved_ip_ranges) == ["vertex"]
    assert message.encryption_spec.kms_key_name.endswith("/cryptoKeys/k")
    assert message.runtime_config.gcs_output_directory == "gs://bucket/root"
    assert message.runtime_config.failure_policy.name == "PIPELINE_FAILURE_POLICY_FAIL_SLOW"
    provenance = Provenance.model_validate_json(message.runtime_config.parameter_values["provenance"])
    assert provenance.runner == f"Vertex AI, project my-project, europe-west4, image {IMAGE}"
    assert provenance.cores is None
    assert message.labels["team"] == "support"
    assert message.labels["bert-multilabel"] == "small"
    assert message.display_name == "small"
    spec = json_format.ParseDict(compiled.spec, pipeline_spec_pb2.PipelineSpec())
    assert spec.schema_version == "2.1.0"
    assert spec.pipeline_info.name == "small"


def test_the_google_cloud_sdk_reads_the_file(compiled: Compiled) -> None:
    job = aiplatform.PipelineJob(
        display_name="small", template_path=str(compiled.file), project="my-project", location="europe-west4",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
    )  # fmt: skip
    assert job.job_id.startswith("small-20")
    assert job.pipeline_spec["pipelineInfo"]["name"] == "small"
    assert job.runtime_config.gcs_output_directory == "gs://bucket/root"
    assert job.runtime_config.failure_policy.name == "PIPELINE_FAILURE_POLICY_FAIL_SLOW"


def test_every_step_is_a_container_and_none_has_a_hook(compiled: Compiled) -> None:
    configuration = load_configuration(compiled.project.configuration)
    steps = {component.id for component in create_pipeline(configuration).components}
    assert set(compiled.tasks) == steps | {"VertexPush", "NewData"}
    assert {kind for each in compiled.spec["deploymentSpec"]["executors"].values() for kind in each} == {"container"}
    for step in compiled.tasks:
        container = compiled.container(step)
        assert "lifecycle" not in container
        seconds = "86400" if step == "Trainer" else "3600"
        named = ["env", "KUBEFLOW_RUN_ID={{$.pipeline_job_name}}"]
        assert container["command"][:5] == [*named, "timeout", "--kill-after=30", seconds]
        assert {"name": "BERT_MULTILABEL_STEP", "value": step} in container["env"]
        if step != "NewData":
            assert container["command"][5:] == ["python", "-m", "runners.vertex.run_executor"]
            assert "{{$}}" in container["args"]


def test_nothing_is_read_or_trained_without_a_new_span(compiled: Compiled) -> None:
    root = compiled.spec["root"]["dag"]["tasks"]
    (train,) = set(root) - {"NewData"}
    assert "NewData" in root[train]["dependentTasks"]
    assert "== true" in root[train]["triggerPolicy"]["condition"]
    for step, parameter in (
        ("TextExampleGen", "spans"), ("TextExampleGen", "input_fingerprint"), ("TextExampleGen", "generation"),
        ("SchemaImport", "generation"), ("Report", "provenance"),
    ):  # fmt: skip
        given = compiled.tasks[step]["inputs"]["parameters"][parameter]
        assert set(given) == {"componentInputParameter"}, parameter
    parameters = root["NewData"]["inputs"]["parameters"]
    assert parameters["registry"]["runtimeValue"]["constant"] == "gs://bucket/registry"
    assert parameters["only_new"]["runtimeValue"]["constant"] is True


def test_the_last_step_notifies_however_the_others_ended(project: Project) -> None:
    change = "notify={url_from: HOOK}"
    given = (
        f"runner.vertex={json.dumps({**MINIMAL, 'steps': {'Notify': {'env': {'HOOK': 'https://hooks.example/1'}}}})}"
    )
    status, file = compile_project(project, change, given, output="notify.json")
    assert status == 0
    compiled = Compiled(project, file, json.loads(file.read_text()))
    last = compiled.tasks["Notify"]
    assert last["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    pages = "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/"
    assert last["inputs"]["parameters"]["pages"]["runtimeValue"]["constant"] == pages
    assert {"name": "HOOK", "value": "https://hooks.example/1"} in compiled.container("Notify")["env"]
    for step in compiled.tasks:
        assert compiled.container(step)["command"][:2] == ["env", "KUBEFLOW_RUN_ID={{$.pipeline_job_name}}"]
        folder = {"name": "BERT_MULTILABEL_NOTES", "value": "gs://bucket/registry/.runs"}
        assert folder in compiled.container(step)["env"]
    parse_job(compiled.job)


def test_machines_are_what_is_configured(compiled: Compiled) -> None:
    gate, trainer = compiled.container("DataGate"), compiled.container("Trainer")
    assert (gate["image"], trainer["image"]) == (IMAGE, f"{IMAGE}-cuda")
    variables = {each["name"]: each["value"] for each in gate["env"]}
    assert variables == {"TF_CPP_MIN_LOG_LEVEL": "1", "BERT_MULTILABEL_STEP": "DataGate"}
    assert trainer["resources"]["accelerator"] == {"type": "NVIDIA_TESLA_T4", "count": "2"}
    with_gpu = {step for step in compiled.tasks if "accelerator" in compiled.container(step)["resources"]}
    assert with_gpu == {"Trainer"}
    retry = compiled.tasks["DataGate"]["retryPolicy"]
    assert (retry["maxRetryCount"], retry["backoffDuration"]) == (2, "60s")
    assert "retryPolicy" not in compiled.tasks["Trainer"]


@pytest.mark.parametrize(("cpu", "memory"), [("3500m", "16Gi"), ("8", "30G"), ("0.5", "512Mi")])
def test_writes_resources_as_kfp_does(cpu: str, memory: str, tmp_path: Path) -> None:
    @dsl.container_component  # type: ignore[untyped-decorator]
    def step() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="none", command=["true"])

    @dsl.pipeline(name="peer")  # type: ignore[untyped-decorator]
    def peer() -> None:
        step().set_cpu_limit(cpu).set_memory_limit(memory).set_accelerator_type("NVIDIA_L4").set_accelerator_limit(1)

    compiler.Compiler().compile(peer, str(tmp_path / "peer.json"))
    spec = json.loads((tmp_path / "peer.json").read_text())
    written = spec["deploymentSpec"]["executors"]["exec-step"]["container"]["resources"]
    settings = VertexSettings(**{**MINIMAL, "cpu": cpu, "memory": memory, "accelerator": {"type": "NVIDIA_L4"}})
    ours = container_of(settings.of_step("Trainer"))["resources"]
    assert ours["cpuLimit"] == written["cpuLimit"]
    assert ours["memoryLimit"] == pytest.approx(written["memoryLimit"])
    assert ours["accelerator"].items() <= written["accelerator"].items()


def test_a_step_that_looks_at_more_than_its_inputs_always_runs(compiled: Compiled) -> None:
    cached = {step for step, task in compiled.tasks.items() if task["cachingOptions"]["enableCache"]}
    always = {"NewData", "DataGate", "RegistryBaseline", "RegistryPusher", "TrainingRecord", "VertexPush"}
    assert set(compiled.tasks) - cached == always | {"StatisticsGen"}


def test_parameters_name_nothing_of_this_machine(compiled: Compiled) -> None:
    for step, task in compiled.tasks.items():
        if step != "Report":  # shows the configuration as it was written
            assert str(compiled.project.folder) not in str(task.get("inputs", {}).get("parameters", {})), step
    assert _parameter(compiled, "RegistryBaseline", "registry") == "gs://bucket/registry"
    assert '"input_base":"gs://bucket/data"' in _parameter(compiled, "TextExampleGen", "settings")
    assert '"checkpoint": "/opt/bert"' in _parameter(compiled, "Trainer", "custom_config")


def test_models_are_pushed_to_vertex_ai_after_the_registry(compiled: Compiled) -> None:
    push = compiled.tasks["VertexPush"]
    assert push["inputs"]["artifacts"]["pushed_model"]["taskOutputArtifact"]["producerTask"] == "RegistryPusher"
    target = json.loads(_parameter(compiled, "VertexPush", "target"))
    assert (target["project"], target["location"]) == ("my-project", "europe-west4")
    assert target["kms_key"] == VERTEX["kms_key"]


def test_beam_jobs_go_to_dataflow(compiled: Compiled) -> None:
    on_beam = []
    for step in set(compiled.tasks) - {"NewData"}:
        arguments = compiled.container(step)["args"]
        executor = import_utils.import_class_by_path(arguments[arguments.index("--executor_class_path") + 1])
        if issubclass(executor, BaseBeamExecutor):
            on_beam.append(step)
            assert {"--runner=DataflowRunner", f"--sdk_container_image={IMAGE}-beam"} <= set(arguments), step
    assert {"TextExampleGen", "StatisticsGen", "Transform", "MultiLabelEvaluator"} <= set(on_beam)


def test_the_output_file_is_where_the_step_can_write() -> None:
    address, mount = ({"outputs": {"outputFile": f"{root}bucket/root/1/output.json"}} for root in ("gs://", "/gcs/"))
    for executor_input in (address, mount):
        assert json.loads(set_output_file(json.dumps(executor_input), mounted=True)) == mount
        assert json.loads(set_output_file(json.dumps(executor_input), mounted=False)) == address


@pytest.mark.parametrize("mounted", [True, False])
def test_a_restarted_step_finds_its_outputs_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mounted: bool
) -> None:
    mount = f"{tmp_path}/gcs/"
    monkeypatch.setattr(run_executor, "_MOUNT", mount)
    folder = Path(mount, "bucket/1/examples")
    folder.mkdir(parents=True)
    (folder / "data_tfrecord-00000-of-00002.gz").touch()
    (folder.parent / "other").touch()
    uri = "gs://bucket/1/examples" if mounted else str(folder)
    outputs = {"examples": {"artifacts": [{"uri": uri}]}, "model": {"artifacts": [{"uri": f"{folder}-none"}]}}
    run_executor.empty_outputs(json.dumps({"outputs": {"artifacts": outputs}}), mounted=mounted)
    assert [path.name for path in folder.parent.iterdir()] == ["other"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("runner.vertex.location=europe-wst4", "Vertex AI has no such region; did you mean 'europe-west4'?"),
        ("runner.vertex=null", "no runner.vertex; give project, location, pipeline_root and image"),
        ("runner.vertex.steps.Trainer.cpus=1", "unknown key 'runner.vertex.steps.Trainer.cpus'; did you mean 'cpu'?"),
        ("runner.vertex.pipeline_root=s3://bucket/root", "key 'runner.vertex.pipeline_root'"),
        ("runner.vertex.location=europe", "key 'runner.vertex.location'"),
        ("runner.vertex.time_zone=Europe/Berln", "Europe/Berln: no such time zone"),
        ("runner.vertex.api_endpoint=http://api.example", "every request carries a token"),
        ("runner.vertex.labels={Team: a}", "key 'runner.vertex.labels.Team"),
        ("runner.vertex.paths.registry=null", "give an address gs://BUCKET/... in runner.vertex.paths.registry"),
        ("runner.vertex.paths.input_base=null", "give the one that they have in runner.vertex.paths.input_base"),
        ("runner.vertex.paths.checkpoint=null", "give the one that they have in runner.vertex.paths.checkpoint"),
        ("training.checkpoint_every=5", "give the one that they have in runner.vertex.paths.work_dir"),
        ("infra_validator={platform: kubernetes}", "TFX cannot compile it for Vertex AI"),
        (
            "notify={url: https://hooks.example/secret}",
            "notify.url: everybody who can see the pipeline could read the address",
        ),
        ("notify={url_from: HOOK}", "notify.url_from: no container has that environment variable; give it by runner.v"),
    ],
)
def test_refuses_what_does_not_fit_in_one_line(
    project: Project, change: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *compile_arguments(project, "refused.json", "--set", change))
    assert not (project.folder / "refused.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("runner.vertex.steps.Traner={cpu: 1}", "runner.vertex.steps.Traner: there is no such step; did you mean 'Tr"),
        (
            "runner.vertex.steps.VertexPush={cache: true}",
            "runner.vertex.steps.VertexPush.cache: the step looks at what",
        ),
        ("runner.vertex.accelerator.type=NVIDIA_T4", "no accelerator NVIDIA_T4; did you mean 'NVIDIA_"),
        (
            "runner.vertex.push.endpoint={name: e, accelerator_type: NVIDIA_T4}",
            "no accelerator NVIDIA_T4; did you mean",
        ),
    ],
)
def test_refuses_in_one_line_what_only_the_compiled_pipeline_shows(
    project: Project, change: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refused(capsys, *compile_arguments(project, "refused.json", "--set", change))
    assert not (project.folder / "refused.json").exists()


def test_refuses_a_file_of_another_format_before_tensorflow_is_imported(project: Project) -> None:
    modules = ("tensorflow", "tfx", "kfp", "keras", "google.cloud.aiplatform_v1")
    line = refused_without(modules, *compile_arguments(project, "job.yaml"))
    assert "Vertex AI reads JSON; let the name end in .json" in line


def _parameter(compiled: Compiled, step: str, name: str) -> str:
    return str(compiled.tasks[step]["inputs"]["parameters"][name]["runtimeValue"]["constant"])


def test_the_scoring_pipeline_has_one_step_on_dataflow(project: Project) -> None:
    scoring = '{"input_base": "gs://bucket/new", "inputs": [{"pattern": "*.csv"}], "output": "gs://bucket/scored"}'
    status, file = compile_project(project, "pipeline=score", f"scoring={scoring}", output="scoring.json")
    assert status == 0
    found = Compiled(project, file, json.loads(file.read_text()))
    parse_job(found.job)
    assert found.job["displayName"] == "small-score"
    assert set(found.tasks) == {"TextScorer"}
    assert not found.tasks["TextScorer"]["cachingOptions"]["enableCache"]
    assert "--runner=DataflowRunner" in json.dumps(found.container("TextScorer")["args"])
    parameters = found.tasks["TextScorer"]["inputs"]["parameters"]
    assert parameters["registry"]["runtimeValue"]["constant"] == "gs://bucket/registry"
