"""The compiled pipeline on the stand-in for Kubeflow's backend, each step by its container's own command."""

import csv
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.example_gen.report import IngestReport
from components.registry import ModelRecord
from components.report.summary import Provenance, Summary, summarize_rows
from components.schema_import.schema_file import SCHEMA_FILE
from components.stratification.memory import DealRecord
from components.suspects.suspects import Suspects
from pipeline.remote_runs import read_runs
from runners.kfp.protection import protect_json
from runners.kfp.provenance import PROVENANCE
from tests.end_to_end.command import command
from tests.runners.kubeflow.backend import Backend, Run
from tests.runners.kubeflow.installation import CACHED
from tests.runners.kubeflow.objects import DEFAULT_ROOT
from tests.runners.kubeflow.services import Services
from tests.runners.kubeflow.test_spec import compile_project
from tests.runners.kubeflow.warm_backend import WarmBackend
from tests.support.hook import Hook
from tests.support.small_project import LABELS, Project, make_project, write_rows

# Steps that look at more than Kubeflow's cache does, and those after them.
_EVERY_TIME = {
    "NewData", "DataGate", "RegistryBaseline", "MultiLabelEvaluator", "Blessing", "Canary", "RegistryPusher",
    "TrainingRecord", "Report", "Notify",
}  # fmt: skip


# In the order of the pipeline. Transform, Trainer and Evaluator take too long to run again.
_AGAIN = (
    "TextExampleGen", "StatisticsGen", "SchemaImport", "ExampleValidator", "DataGate", "RegistryBaseline", "Blessing",
    "Canary", "RegistryPusher", "TrainingRecord", "Report", "Notify",
)  # fmt: skip
# How the last step reaches the object store, to remove artifacts from it.
_STORE = {
    "name": "store",
    "env": {name: name for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
}
# Steps that are after the Report, or leave nothing that it gets.
_NOT_MEASURED = {"NewData", "Report", "TrainingRecord", "Notify"}
# Steps whose outputs depend on the registry, on durations or on the time.
_NOT_REPEATABLE = {"DataGate", "RegistryBaseline", "Canary", "Report", "Notify"}

_ROWS = 60
_CUT, _SHARES = 0.6, (0.5, 0.75)  # of annotators: below and above the cut


@dataclass
class Cluster:
    """A compiled project on a cluster, with a webhook."""

    project: Project
    package: Path
    backend: Backend
    hook: Hook
    last: Run = field(default_factory=lambda: Run(""))
    first: Run = field(default_factory=lambda: Run(""))

    def run(self, *until: str) -> Run:
        self.last = self.backend.run(self.package, *until)
        self.first = self.first if self.first.id else self.last
        return self.last

    def compile(self, *changes: str) -> None:
        status, package = compile_project(self.project, *changes)
        assert status == 0
        self.package.write_bytes(package.read_bytes())

    def notification(self) -> dict[str, Any]:
        """Return the one notification that the webhook has received since the last call."""
        (notification,) = self.hook.received
        self.hook.received.clear()
        return notification

    def registry(self) -> dict[str, str]:
        """Return a digest of each file of the registry, without the records of runs, to which each run adds one."""
        every = sorted(path.relative_to(self.project.registry) for path in self.project.registry.rglob("*"))
        of_models = (self.project.registry / path for path in every if path.parts[0] != ".remote_runs")
        files = (path for path in of_models if path.is_file())
        return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}

    def outputs(self, step: str) -> dict[str, str]:
        """Return a digest of each object that a step of the last run has put out, without the logs."""
        artifacts = self.last.outputs[step].values()
        (folder,) = {artifact["uri"].rpartition("/")[0] for artifact in artifacts}
        found = self.backend.services.objects.digests(folder)
        return {name: digest for name, digest in found.items() if not name.startswith("/executor-logs")}

    def page(self) -> str:
        """Return the page that the last step of the last run has left, without escapes."""
        return unescape(Path(self.download("Notify", "page")).read_text())

    def download(self, step: str, output: str) -> str:
        """Download an output of the last run; return the folder that it is in."""
        return str(self.backend.download(self.last, step, output, self.project.folder.parent / "downloads"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, services: Services) -> Iterator[Cluster]:
    """A cluster whose containers have the project's folder, as a volume, at the same path."""
    folder = tmp_path_factory.mktemp("conformance")
    project = make_project(folder / "project", rows=1)
    shutil.rmtree(project.folder / "data")
    _write_span(project, 1)
    # Labels that only some annotators gave, a file in which one label alone was asked about, a label that implies
    # another, and splits that are dealt out: what such data ask of a step travels in its settings.
    assert command("labels", "imply", "refund", "account", "--schema", str(project.folder / "schema.pbtxt")) == 0
    split = {"train": 6, "eval": 2, "test": 2}
    inputs = [
        {"pattern": "span-{SPAN}/rows.csv", "split": split},
        {"pattern": "span-{SPAN}/asked.csv", "split": split, "asked": ["praise"]},
    ]
    settings = {
        "input_base": "data",
        "id": "id",
        "labels": {"kind": "list", "column": "labels", "soft": True, "cut": _CUT},
    }
    project.configure(
        examples=settings | {"slices": ["channel"], "split_by": "stratified", "inputs": inputs},
        training={"epochs": 1, "batch_size": 16},
        suspects={"folds": 2},
        evaluation={"slices": ["channel"], "gates": ["macro_f1 >= 0"]},
        notify={"url_from": "HOOK"},
        runner={"kubeflow": {
            "image": "bert-multilabel",
            "ui": "https://kubeflow.example",
            "volumes": [{"claim": "project", "mount_path": str(project.folder)}],
            "steps": {"Notify": {"secrets": [{"name": "hook", "env": {"HOOK": "url"}}, _STORE]}},
        }},
    )  # fmt: skip
    with Hook() as hook:
        secrets = {"hook": {"url": hook.url}, "store": services.objects.environment}
        provenance = {"command": "submit", "host": "desk", "user": "ada", "commit": "a" * 40, "runner": "Kubeflow"}
        parameters = {PROVENANCE: protect_json(json.dumps(provenance))}
        backend = WarmBackend(folder / "disks", services, secrets, parameters=parameters)
        cluster = Cluster(project, folder / "pipeline.yaml", backend, hook)
        cluster.compile()
        yield cluster


def _write_span(project: Project, span: int) -> None:
    """Write the rows of a span: some annotators gave `account`, and of every tenth row only `praise` is known."""
    folder = project.folder / "data" / f"span-{span}"
    write_rows(folder / "rows.csv", _ROWS, seed=span)
    with (folder / "rows.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        shares = {label: 1 if label in row["labels"].split("|") else 0 for label in LABELS}
        row["labels"] = json.dumps(shares | ({"account": _SHARES[number % 2]} if number % 5 == 1 else {}))
    for name, chosen in (("asked", rows[::10]), ("rows", [row for row in rows if row not in rows[::10]])):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(chosen)


def test_a_first_run_pushes(cluster: Cluster) -> None:
    run = cluster.run()
    assert not run.failed
    assert not run.cached
    assert len(run.executed) == 18
    assert "labels" in Path(cluster.download("SchemaImport", "schema"), SCHEMA_FILE).read_text()
    report = cluster.download("Report", "report")
    summary = Summary.read(report)
    assert summary.pushed is not None
    assert (Path(summary.pushed) / "saved_model.pb").is_file()
    measured = set(run.executed) - _NOT_MEASURED
    assert set(summary.costs) == set(summary.durations_s) == measured
    assert all(cost.cpu_s > 0 and cost.peak_memory_mb for cost in summary.costs.values())
    assert Provenance.read(report).user == "ada"
    page = Path(report, "report.html").read_text()
    assert all(f'<bdi dir="auto">{shown}</bdi>' in page for shown in ("a" * 12, "desk", "ada", "Kubeflow"))
    assert "Configuration: what differs from the defaults" in page
    _check_unusual_labels(cluster, summary)
    notification = cluster.notification()
    assert notification["outcome"] == "blessed"
    assert notification["run"] == f"https://kubeflow.example/#/runs/details/{run.id}"
    assert notification["summary"]["pushed"] == summary.pushed
    assert not (cluster.project.registry / ".runs" / run.id).exists()


def _check_unusual_labels(cluster: Cluster, summary: Summary) -> None:
    """Check what the steps made of unknown, soft and implied labels, and of splits that are dealt out."""
    assert summary.data is not None
    with (cluster.project.folder / "data" / "span-1" / "asked.csv").open(newline="", encoding="utf-8") as file:
        asked = [json.loads(row["labels"]) for row in csv.DictReader(file)]
    assert summary.data.partly_known["refund"].unknown == sum(not labels["refund"] for labels in asked) > 0
    assert "praise" not in summary.data.partly_known
    assert summary.data.completed_labels["account"] > 0
    record = ModelRecord.read(str(summary.pushed))
    assert (record.implies, record.slices) == ({"refund": ["account"]}, ["channel"])
    deal = cluster.project.registry / ".splits" / "00000001"
    assert DealRecord.read(str(deal)).dealt > _ROWS / 2
    found = Suspects.read(cluster.download("LabelSuspects", "suspects"))
    assert (found.examples, found.folds, found.not_searched) == (summary.data.splits["train"], 2, "")
    assert "Likely errors" in Path(cluster.download("Report", "report"), "report.html").read_text() or not found.found


def test_running_a_step_again_changes_nothing(cluster: Cluster) -> None:
    run, registry = cluster.last, cluster.registry()
    before = {step: cluster.outputs(step) for step in _AGAIN if run.outputs.get(step)}
    for step in _AGAIN:
        cluster.backend.run_again(cluster.package, run, step)
    for step, files in before.items():
        again = cluster.outputs(step)
        assert set(again) == set(files), step
        assert again == files or step in _NOT_REPEATABLE, step
    assert cluster.registry() == registry
    assert cluster.notification()["outcome"] == "blessed"  # Notify ran again


def test_a_run_without_new_data_succeeds_and_notifies(cluster: Cluster) -> None:
    before = cluster.registry()
    run = cluster.run()
    assert not run.failed
    assert run.executed == ["NewData", "Notify"]
    assert not run.cached
    assert "Nothing new: no span is newer than 1, which was trained on" in run.printed["NewData"]
    notification = cluster.notification()
    assert (notification["outcome"], notification["exit_status"]) == ("no_new_data", 0)
    assert notification["summary"]["outcome"] == "no_new_data"
    assert notification["reasons"][0].startswith("no span is newer than 1, which was trained on")
    assert cluster.registry() == before


def test_a_model_that_is_not_blessed_is_not_pushed(cluster: Cluster) -> None:
    before = cluster.registry()
    gates = ["macro_f1 >= 0.999", "macro_f1 >= baseline - 0.9"]
    cluster.compile("runner.kubeflow.only_new=false", "training.epochs=2", f"evaluation.gates={gates}")
    run = cluster.run()
    assert not run.failed
    assert set(run.executed) == _EVERY_TIME | {"Trainer", "BehaviouralTests"}
    assert set(run.cached) == {
        "TextExampleGen", "StatisticsGen", "SchemaImport", "ExampleValidator", "Transform", "LabelSuspects",
    }  # fmt: skip
    summary = Summary.read(cluster.download("Report", "report"))
    assert summary.baseline is not None
    assert "Trainer" in summary.costs
    assert not set(summary.costs) & set(run.cached), "what came from the cache costs this run nothing"
    assert [gate.passed for gate in summary.gates] == [False, True]
    assert (summary.blessed, summary.pushed) == (False, None)
    notification = cluster.notification()
    assert (notification["outcome"], notification["exit_status"]) == ("not_blessed", 3)
    assert notification["reasons"] == summary.reasons != []
    assert cluster.registry() == before


def test_a_model_whose_gates_were_lowered_is_pushed_without_another_training(cluster: Cluster) -> None:
    gates = ["macro_f1 >= 0", "macro_f1 >= baseline - 0.9"]
    cluster.compile("runner.kubeflow.only_new=false", "training.epochs=2", f"evaluation.gates={gates}")
    run = cluster.run()
    assert not run.failed
    assert set(run.executed) == _EVERY_TIME
    assert set(run.cached) == {*CACHED, "LabelSuspects"}
    summary = Summary.read(cluster.download("Report", "report"))
    assert summary.baseline is not None
    assert summary.pushed is not None
    assert len([path for path in cluster.project.registry.iterdir() if path.name.isdigit()]) == 2
    assert cluster.notification()["summary"]["pushed"] == summary.pushed


def test_a_step_whose_environment_changed_is_not_answered_from_the_cache(cluster: Cluster) -> None:
    assert "SchemaImport" in cluster.run("SchemaImport").cached
    cluster.compile("runner.kubeflow.only_new=false", "runner.kubeflow.env={A: b}")
    assert cluster.run("SchemaImport").executed == ["NewData", "SchemaImport"]
    assert "SchemaImport" in cluster.run("SchemaImport").cached


def test_a_data_gate_that_stops_a_run_changes_nothing_and_notifies(cluster: Cluster) -> None:
    before = cluster.registry()
    rows = cluster.project.folder / "data" / "span-2" / "rows.csv"
    _write_span(cluster.project, 2)
    rows.write_text(rows.read_text().replace("praise", "rude"))
    run = cluster.run()
    ((step, failure),) = run.failed.items()
    assert (step, failure.container_status) == ("DataGate", 2)
    assert failure.status == 1  # of the launcher, whatever the container's was
    assert failure.log.strip().splitlines()[-1].startswith("error: ")
    assert "Trainer" not in run.executed
    notification = cluster.notification()
    assert (notification["outcome"], notification["exit_status"]) == ("refused", 2)
    # The Report did not run, but the last step knows what the others noted.
    assert notification["summary"]["outcome"] == "refused"
    assert notification["summary"]["reasons"] == notification["reasons"]
    report = IngestReport.read(cluster.download("TextExampleGen", "quarantine"))
    assert notification["summary"]["rows"] == summarize_rows(report).model_dump()
    assert "rude" in notification["reasons"][0]
    assert notification["reasons"][0] in cluster.page()
    assert cluster.registry() == before


def test_artifacts_that_are_removed_do_not_come_back_from_the_cache(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.compile("runner.kubeflow.only_new=false")
    folder = cluster.project.folder / "data" / "span-2"
    write_rows(folder / "rows.csv", 60, seed=6)
    rows = (folder / "rows.csv").read_text()
    old = cluster.run("SchemaImport")
    assert old.executed == ["NewData", "SchemaImport"]
    shared = cluster.run("SchemaImport")
    assert shared.cached == ["SchemaImport"], "the run before it made it, on the same data"
    write_rows(folder / "rows.csv", 60, seed=7)
    other = cluster.run("SchemaImport")
    assert other.executed == ["NewData", "SchemaImport"]
    for known in read_runs(str(cluster.project.registry)):
        started = (known.record.start - timedelta(days=9)).isoformat()
        aged = known.record.model_copy(update={"started": started})
        aged.write(f"{cluster.project.registry}/.remote_runs/{aged.run}")

    for name, value in cluster.backend.services.objects.environment.items():
        monkeypatch.setenv(name, value)
    bounds = ("--keep-runs", "1", "--older-than", "0h")
    arguments = ("clean", "--runner", "kubeflow", "--config", str(cluster.project.configuration), *bounds)
    assert command(*arguments, "--dry-run") == 0
    listed = capsys.readouterr().out
    assert old.id in listed
    assert shared.id in listed
    assert other.id not in listed

    # The last step does it, also of a run that fails: here there is nothing to read.
    inputs = [cluster.project.folder / "data" / f"span-{span}" / "rows.csv" for span in (1, 2)]
    for path in inputs:
        path.rename(path.with_suffix(".hidden"))
    cluster.compile("runner.kubeflow.only_new=false", "retention={keep_runs: 1, keep_models: null, older_than: 0h}")
    cluster.hook.received.clear()
    run = cluster.run()
    assert run.executed == ["Notify"]
    assert "Removed of past runs: artifacts of " in run.printed["Notify"]
    assert cluster.notification()["outcome"] == "refused"
    objects, metadata = cluster.backend.services.objects, cluster.backend.services.metadata
    root = f"{DEFAULT_ROOT}/small"
    assert not objects.digests(f"{root}/{old.id}/")
    assert objects.digests(f"{root}/{other.id}/")
    states = {each.state for each in metadata.artifacts(old.id)}
    assert states == {mlmd.Artifact.DELETED}, "ML Metadata says so, too"
    assert {each.state for each in metadata.artifacts(other.id)} == {mlmd.Artifact.LIVE}

    for path in inputs:
        path.with_suffix(".hidden").rename(path)
    (folder / "rows.csv").write_text(rows)
    assert cluster.run("SchemaImport").executed == ["NewData", "SchemaImport"], "Kubeflow would return what is gone"


def test_what_the_live_model_needs_stays(cluster: Cluster, tmp_path: Path) -> None:
    live = [each.record.run for each in read_runs(str(cluster.project.registry)) if each.pushed is not None]
    assert cluster.first.id in live, "the run that pushed it shares the data of the first"
    model = cluster.backend.download(cluster.first, "Trainer", "model", tmp_path)
    assert any(path.is_file() for path in model.rglob("*"))


def test_missing_inputs_are_notified(cluster: Cluster) -> None:
    for span in (1, 2):
        shutil.rmtree(cluster.project.folder / "data" / f"span-{span}", ignore_errors=True)
    run = cluster.run()
    assert run.executed == ["Notify"]
    assert run.failed["NewData"].container_status == 2
    notification = cluster.notification()
    assert notification["outcome"] == "refused"
    assert notification["reasons"][0] in run.failed["NewData"].log
    assert notification["reasons"][0] in cluster.page()


def test_a_run_is_silent_if_the_driver_of_its_exit_handler_fails(cluster: Cluster) -> None:
    cluster.backend.broken_drivers = ("exit-handler-1",)
    run = cluster.run()
    cluster.backend.broken_drivers = ()
    assert not run.executed
    assert not cluster.hook.received


def test_a_container_of_tfx_needs_nothing_but_its_command(cluster: Cluster, tmp_path: Path) -> None:
    """All others are forked from a process that has imported TensorFlow; here the root is of s3://, not of minio://."""
    _write_span(cluster.project, 1)
    secrets, services = cluster.backend.secrets, cluster.backend.services
    backend = Backend(tmp_path / "disks", services, secrets, pipeline_root="s3://bucket/root")
    run = backend.run(cluster.package, "TextExampleGen")
    assert not run.failed
    assert run.executed == ["NewData", "TextExampleGen"]
    quarantine = run.outputs["TextExampleGen"]["quarantine"]["uri"]
    assert quarantine.startswith(f"s3://bucket/root/small/{run.id}/TextExampleGen/")
    report = IngestReport.read(str(backend.download(run, "TextExampleGen", "quarantine", tmp_path)))
    assert (report.rows_read, report.accepted) == (_ROWS, _ROWS)


def test_the_scoring_pipeline_scores_what_is_new_and_notifies(cluster: Cluster) -> None:
    write_rows(cluster.project.folder / "new" / "2026-11-28" / "rows.csv", 12, seed=9)
    scoring = {
        "input_base": str(cluster.project.folder / "new"),
        "inputs": [{"pattern": "{YYYY}-{MM}-{DD}/*.csv"}],
        "id": "id",
        "output": str(cluster.project.folder / "scored"),
    }
    cluster.hook.received.clear()
    cluster.compile("pipeline=score", f"scoring={json.dumps(scoring)}")
    run = cluster.run()
    assert not run.failed
    assert run.executed == ["TextScorer", "Notify"]
    notification = cluster.notification()
    assert (notification["outcome"], notification["exit_status"]) == ("scored", 0)
    assert notification["summary"]["rows"] == {"read": 12, "accepted": 12, "quarantined": 0, "merged": 0}
    folder = cluster.project.folder / "scored" / "2026-11-28"
    assert notification["summary"]["scores"] == [str(folder)]
    assert [path.name for path in (folder / "scores").iterdir()] == ["scores-00000-of-00001.parquet"]
    run = cluster.run()
    assert not run.failed
    assert not run.cached
    assert cluster.notification()["outcome"] == "no_new_data"
    assert "Outcome: no_new_data: everything was scored before: 2026-11-28" in run.printed["TextScorer"]
