"""Tests of the locations that are refused before anything is opened."""

from pathlib import Path

import pytest

from pipeline.check import check_configuration
from pipeline.config.loading import load_configuration
from pipeline.locations import local_locations
from schema.errors import Refused
from tests.end_to_end.command import command
from tests.support.small_project import Project, make_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path / "project", rows=20)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("registry=s3://bucket/models", "registry s3://bucket/models: TensorFlow cannot open s3://"),
        ("registry=hdfs://host/models", "registry hdfs://host/models: TensorFlow cannot open hdfs://"),
        ("examples.input_base=minio://bucket/data", "input_base minio://bucket/data: TensorFlow cannot open minio://"),
        ("work_dir=gs://bucket/work", "work_dir gs://bucket/work: must be on a local disk"),
        ("schema_file=gs://bucket/schema.pbtxt", "schema_file gs://bucket/schema.pbtxt: must be on a local disk"),
        ("behaviour=s3://bucket/tests.yaml", "behaviour s3://bucket/tests.yaml: must be on a local disk"),
        ("checkpoint=gs://bucket/bert", "checkpoint gs://bucket/bert: must be on a disk"),
    ],
)
def test_refuses_a_location_that_cannot_be_opened(project: Project, override: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        check_configuration(load_configuration(project.configuration, [override]))
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert [path.name for path in Path.cwd().iterdir()] == ["project"], "a folder named by a scheme"


def test_accepts_what_tensorflow_can_open(project: Project) -> None:
    overrides = ["registry=gs://bucket/models", "examples.input_base=gs://bucket/data", "checkpoint=hf://org/name"]
    config = load_configuration(project.configuration, overrides)
    assert local_locations(config).registry == "gs://bucket/models"


def test_refuses_the_same_locations_for_containers(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project.configure(
        runner={"kubeflow": {"image": "i", "paths": {
            "registry": "s3://bucket/models", "input_base": "gs://bucket/data", "checkpoint": "/opt/bert",
        }}}
    )  # fmt: skip
    output = project.folder / "compiled.yaml"
    arguments = ("compile", "--runner", "kubeflow", "--config", str(project.configuration), "--output", str(output))
    assert command(*arguments) == 2
    assert capfd.readouterr().err.startswith("error: registry s3://bucket/models: TensorFlow cannot open s3://")
    assert not output.exists()
