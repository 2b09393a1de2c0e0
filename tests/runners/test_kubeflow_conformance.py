"""The compiled pipeline, run as Kubeflow's backend would: each container's command, fed with what those before made."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from components.report.summary import read_summary
from components.schema_import import FILE_NAME
from tests.hook import Hook
from tests.runners.kubeflow_backend import Backend, Run
from tests.runners.test_kubeflow import compile_project
from tests.small_project import Project, make_project

# What looks further than Kubeflow's cache, and what comes after it.
_EVERY_TIME = {
    "NewData", "DataGate", "RegistryBaseline", "MultiLabelEvaluator", "Blessing", "Canary", "RegistryPusher",
    "TrainingRecord", "Report", "Notify",
}  # fmt: skip


@dataclass
class Cluster:
    """A project, compiled, on a cluster whose steps tell a webhook."""

    project: Project
    package: Path
    backend: Backend
    hook: Hook

    def run(self, *until: str) -> Run:
        return self.backend.run(self.package, *until)

    def compile(self, *changes: str) -> None:
        status, made = compile_project(self.project, *changes)
        assert status == 0
        self.package.write_bytes(made.read_bytes())

    def told(self) -> dict[str, Any]:
        """What the webhook was told since it was last asked."""
        (told,) = self.hook.told
        self.hook.told.clear()
        return told

    def registry(self) -> dict[str, str]:
        """Each file of it, by a digest of what it holds."""
        files = (path for path in sorted(self.project.registry.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.project.registry)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One whose containers have the project's folder at the same place, as a volume."""
    folder = tmp_path_factory.mktemp("conformance")
    project = make_project(folder / "project", rows=60)
    span = project.folder / "data" / "span-1"
    span.mkdir()
    project.data.rename(span / "rows.csv")
    spans = {"pattern": "span-{SPAN}/*.csv", "split": {"train": 6, "eval": 2, "test": 2}}
    settings = {"input_base": "data", "id": "id", "labels": {"kind": "delimited", "column": "labels"}}
    project.configure(
        examples=settings | {"slices": ["channel"], "split_by": "id", "inputs": [spans]},
        training={"epochs": 1, "batch_size": 16},
        evaluation={"slices": ["channel"], "gates": ["macro_f1 >= 0"]},
        notify={"url_from": "HOOK"},
        runner={"kubeflow": {
            "image": "bert-multilabel",
            "ui": "https://kubeflow.example",
            "volumes": [{"claim": "project", "mount_path": str(project.folder)}],
            "steps": {"Notify": {"secrets": [{"name": "hook", "env": {"HOOK": "url"}}]}},
        }},
    )  # fmt: skip
    with Hook() as hook:
        backend = Backend(folder / "store", {"hook": {"url": hook.url}})
        cluster = Cluster(project, folder / "pipeline.yaml", backend, hook)
        cluster.compile()
        # So that nothing but what containers are told can be what is read.
        (project.folder / "schema.pbtxt").rename(project.folder / "schema.away")
        yield cluster


def test_a_first_run_pushes(cluster: Cluster) -> None:
    run = cluster.run()
    assert not run.failed
    assert not run.cached
    assert len(run.executed) == 17
    assert (cluster.project.registry / "1" / "saved_model.pb").is_file()
    assert "labels" in (Path(run.outputs["SchemaImport"]["schema"]["uri"]) / FILE_NAME).read_text()
    summary = read_summary(run.outputs["Report"]["report"]["uri"])
    assert summary.pushed == str(cluster.project.registry / "1")
    told = cluster.told()
    assert told["outcome"] == "blessed"
    assert told["run"] == f"https://kubeflow.example/#/runs/details/{run.id}"
    assert told["summary"]["metrics"]["macro_f1"] == summary.metrics.macro_f1 if summary.metrics else False
    assert not (cluster.project.registry / ".runs" / run.id).exists()

    # A container may be run again by Kubernetes after all it did.
    before = cluster.registry()
    for step in ("RegistryPusher", "TrainingRecord", "Notify"):
        cluster.backend.run_again(cluster.package, run, step)
    assert cluster.registry() == before
    cluster.hook.told.clear()
