"""The job compiled for Vertex AI, its steps run as the service would: each container's own command, in its time."""

import json
import os
import sys
from pathlib import Path

import pytest

from components.example_gen.report import read_report
from components.schema_import import FILE_NAME
from tests.runners.kubeflow_backend import Backend, ContainerFailedError
from tests.runners.test_vertex import PLACE, compile_project
from tests.small_project import make_project


def test_the_first_steps_run_in_their_time_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "project", rows=60)
    paths = {**PLACE["paths"], "input_base": str(project.data.parent)}
    steps = {"SchemaImport": {"timeout_s": 1}}
    project.configure(runner={"vertex": {**PLACE, "paths": paths, "timeout_s": 600, "steps": steps}})
    status, file = compile_project(project)
    assert status == 0
    package = tmp_path / "specification.json"
    package.write_text(json.dumps(json.loads(file.read_text())["pipelineSpec"]))
    # The image's python is this one.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    backend = Backend(package, tmp_path / "store")

    backend.run("TextExampleGen")
    report = read_report(backend.outputs["TextExampleGen"]["quarantine"]["uri"])
    assert (report.read, report.accepted) == (60, 60)
    with pytest.raises(ContainerFailedError) as failed:
        backend.run("SchemaImport")
    assert failed.value.status == 124  # which is how coreutils' timeout says it

    specification = json.loads(package.read_text())
    command = specification["deploymentSpec"]["executors"]["SchemaImport_executor"]["container"]["command"]
    command[command.index("1")] = "600"
    package.write_text(json.dumps(specification))
    backend = Backend(package, tmp_path / "store")
    backend.run("SchemaImport")
    assert "labels" in (Path(backend.outputs["SchemaImport"]["schema"]["uri"]) / FILE_NAME).read_text()
