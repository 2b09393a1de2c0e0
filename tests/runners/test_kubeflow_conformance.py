"""The compiled pipeline, run as Kubeflow's backend would: each container's command, fed with what those before made."""

from pathlib import Path

import pytest

from components.example_gen.report import read_report
from components.schema_import import FILE_NAME
from tests.runners.kubeflow_backend import Backend, ContainerFailedError
from tests.runners.test_kubeflow import compile_project
from tests.small_project import Project, make_project, write_rows


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One whose folder containers have at the same place, as a volume."""
    project = make_project(tmp_path / "project", rows=60)
    volume = {"claim": "project", "mount_path": str(project.folder)}
    project.configure(runner={"kubeflow": {"image": "bert-multilabel", "volumes": [volume]}})
    return project


def test_the_first_steps_run_from_what_the_specification_says_alone(project: Project, tmp_path: Path) -> None:
    status, package = compile_project(project)
    assert status == 0
    # Moved, so that nothing but the containers' own places can be what is read.
    backend = Backend(package.rename(tmp_path / "pipeline.yaml"), tmp_path / "store")
    project.configuration.unlink()
    (project.folder / "schema.pbtxt").unlink()
    backend.run("StatisticsGen", "SchemaImport")
    assert set(backend.outputs) == {"TextExampleGen", "StatisticsGen", "SchemaImport"}
    report = read_report(backend.outputs["TextExampleGen"]["quarantine"]["uri"])
    assert (report.read, report.accepted) == (60, 60)
    statistics = backend.outputs["StatisticsGen"]["statistics"]
    assert (Path(statistics["uri"]) / "Split-train" / "FeatureStats.pb").is_file()
    assert "labels" in (Path(backend.outputs["SchemaImport"]["schema"]["uri"]) / FILE_NAME).read_text()


def test_a_step_that_refuses_its_data_ends_in_a_line(project: Project, tmp_path: Path) -> None:
    status, package = compile_project(project)
    assert status == 0
    write_rows(project.data, 0, seed=0)
    with pytest.raises(ContainerFailedError) as failed:
        Backend(package, tmp_path / "store").run("TextExampleGen")
    assert failed.value.status == 2
    assert failed.value.log.strip().splitlines()[-1].startswith("error: ")
