"""The first steps of the job compiled for Vertex AI, each run by its container's own command."""

import json
import subprocess
from pathlib import Path

from components.example_gen.report import IngestReport
from components.schema_import.schema_file import SCHEMA_FILE
from tests.runners.kubeflow.services import serve
from tests.runners.kubeflow.warm_backend import WarmBackend
from tests.runners.vertex.test_spec import MINIMAL, compile_project
from tests.serving.scoring.scored import push, rows_of
from tests.support.small_project import make_project, write_rows


def _specification(file: Path) -> str:
    """Return the specification of a job, with the name of a run.

    Vertex AI fills it (kfp 2.16, dsl/__init__.py, PIPELINE_JOB_NAME_PLACEHOLDER); KFP's launcher, which runs here,
    fills only what is in the ExecutorInput.
    """
    specification = json.dumps(json.loads(file.read_text())["pipelineSpec"])
    return specification.replace("{{$.pipeline_job_name}}", "small-20261128")


def test_the_first_steps_need_nothing_but_the_job(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=60)
    paths = {**MINIMAL["paths"], "input_base": str(project.data.parent)}
    project.configure(runner={"vertex": {**MINIMAL, "paths": paths, "only_new": False}})
    status, file = compile_project(project)
    assert status == 0
    project.configuration.unlink()
    package = tmp_path / "specification.json"
    # A folder stands in for the bucket of the registry, which is out of reach here.
    specification = _specification(file)
    package.write_text(specification.replace(MINIMAL["paths"]["registry"], str(tmp_path / "registry")))
    root = str(tmp_path / "root")  # in the place of the folder that Cloud Storage is mounted at: nothing is copied
    with serve() as services:
        backend = WarmBackend(tmp_path / "disks", services, pipeline_root=root, publish_logs=False)
        run = backend.run(package, "TextExampleGen", "SchemaImport")
    assert not run.failed
    assert set(run.executed) == {"NewData", "TextExampleGen", "SchemaImport"}
    report = IngestReport.read(run.outputs["TextExampleGen"]["quarantine"]["uri"])
    assert (report.rows_read, report.accepted) == (60, 60)
    assert "labels" in (Path(run.outputs["SchemaImport"]["schema"]["uri"]) / SCHEMA_FILE).read_text()


def test_the_scoring_pipeline_scores_by_its_container_s_own_command(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=3)
    write_rows(tmp_path / "new" / "2026-11-28" / "rows.csv", 12, seed=9)
    push(tmp_path / "registry", tmp_path / "exported")
    project.configure(runner={"vertex": {**MINIMAL, "only_new": False}})
    inputs = [{"pattern": "{YYYY}-{MM}-{DD}/*.csv"}]
    scoring = {"input_base": "gs://bucket/new", "inputs": inputs, "id": "id", "output": "gs://bucket/scored"}
    status, file = compile_project(project, "pipeline=score", f"scoring={json.dumps(scoring)}")
    assert status == 0
    package = tmp_path / "specification.json"
    specification = _specification(file)
    # A folder stands in for the buckets, which are out of reach here, and the step's own process for Dataflow.
    for address in (MINIMAL["paths"]["registry"], "gs://bucket/new", "gs://bucket/scored"):
        specification = specification.replace(address, str(tmp_path / address.rpartition("/")[2]))
    package.write_text(specification.replace("--runner=DataflowRunner", "--runner=FnApiRunner"))
    with serve() as services:
        root = str(tmp_path / "root")
        backend = WarmBackend(tmp_path / "disks", services, pipeline_root=root, publish_logs=False)
        run = backend.run(package, "TextScorer")
    assert not run.failed
    assert len(rows_of(tmp_path / "scored" / "2026-11-28")) == 12


def test_a_step_past_its_time_limit_is_stopped(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=20)
    project.configure(runner={"vertex": {**MINIMAL, "timeout_s": 1}})
    status, file = compile_project(project)
    assert status == 0
    executors = json.loads(file.read_text())["pipelineSpec"]["deploymentSpec"]["executors"]
    command = executors["Trainer_executor"]["container"]["command"]
    timed = command[: command.index("python")]
    assert subprocess.run([*timed, "sleep", "60"], check=False).returncode == 124  # of coreutils' timeout
    assert subprocess.run([*timed, "true"], check=False).returncode == 0
