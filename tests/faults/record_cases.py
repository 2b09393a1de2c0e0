"""Cases about the records of runs: each of them damaged, and read by the command that reads it."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components import registry
from components.example_gen.report import IngestReport
from components.registry.record import RemovedVersions
from components.report.summary import failed_summary
from components.training_log.log import TrainingEntry, append_entry
from pipeline.config.loading import load_configuration
from pipeline.provenance import find_provenance
from pipeline.registry import claimant
from serving.scoring.record import ScoredWith, ScoringRecord
from tests.faults.injection import Server
from tests.faults.registry_cases import DAMAGES, make_model, newer_schema
from tests.faults.table import Row, normalize
from tests.support.small_project import Project, make_project

_RUN = "20261123T120000.000001Z"
# Record -> command that reads it, as its arguments after the name of the project's folder.
_READERS = {
    "summary.json": ("report", "run"),
    "artifacts.json": ("report", "run"),
    "configuration.json": ("report", "run"),
    "provenance.json": ("report", "run"),
    "quarantine/report.json": ("quarantine", "run"),
    "metadata.sqlite": ("history", "work"),
    ".trained_on/00000001/entry.json": ("run", "configuration"),
    ".owner.json": ("run", "configuration"),
    ".removed.json": ("models verify", "pushed"),
    "scoring.json": ("review sample", "scores"),
    "schema.pbtxt": ("labels", "configuration"),
    "pipeline.yaml": ("config", "configuration"),
}


def record_rows(server: Server, folder: Path) -> Iterator[Row]:
    """Damage each record of a run, of the training log and of the project; run the command that reads it."""
    project = _project(folder / "project")
    for record, (command, target) in _READERS.items():
        damages: dict[str, Callable[[bytes], bytes]] = dict(DAMAGES)
        if record.endswith(".json"):
            damages["of a newer schema"] = newer_schema
        for what, damage in damages.items():
            path = _path(project, record)
            whole = path.read_bytes()
            path.write_bytes(damage(whole))
            (ended,) = server.run(["cli", *_arguments(project, command, target)])
            path.write_bytes(whole)
            assert "Traceback" not in ended.said, ended.said
            assert len(ended.said.strip().splitlines()) <= 1, ended.said
            finding = next((line for line in ended.shown.splitlines() if line.startswith("broken: ")), "")
            if ended.status:
                assert path.name in (ended.last_line or finding), ended
            said = normalize(ended.last_line or finding, project.folder)
            yield Row(f"`{command}`: {record}", what, "unchanged", said, str(ended.status), "the same")


def _project(folder: Path) -> Project:
    project = make_project(folder, rows=20)
    project.configure(
        examples={
            "input_base": "data",
            "labels": {"kind": "delimited", "column": "labels"},
            "inputs": [{"pattern": "{SPAN}/*.csv", "split": {"train": 6, "eval": 2, "test": 2}}],
        },
        evaluation={"slices": [], "gates": []},
    )
    (project.folder / "data" / "1").mkdir()
    shutil.copy(project.data, project.folder / "data" / "1" / "rows.csv")
    run = project.runs / _RUN
    run.mkdir(parents=True)
    failed_summary("Trainer failed: MemoryError: no message", "failed").write(str(run))
    quarantine = project.folder / "work" / "artifacts" / "quarantine"
    report = IngestReport.model_validate(
        {
            "read": 20, "accepted": 20, "quarantined": 0, "reasons": {}, "digest": "d",
            "splits": {"train": 12, "eval": 4, "test": 4}, "labels": {},
            "spans": [{"span": 1, "version": None, "rows": 20}],
        }
    )  # fmt: skip
    report.write(str(quarantine))
    (run / "artifacts.json").write_text(json.dumps({"TextExampleGen": {"quarantine": str(quarantine)}}))
    (run / "configuration.json").write_text(json.dumps({"name": "small", "report": {"texts": True}}))
    statistics = statistics_pb2.DatasetFeatureStatisticsList().SerializeToString()
    append_entry(str(project.registry), report, ["account"], statistics)
    assert (project.registry / ".trained_on" / "00000001" / TrainingEntry.FILE).exists()
    registry.adopt(str(project.registry), claimant(load_configuration(project.configuration)))
    find_provenance().write(str(run))
    model = str(make_model(folder / "model", "model"))
    record = registry.ModelRecord.read(model)
    registry.push(model, str(folder / "pushed"), record)
    RemovedVersions().add({1: record}).write(str(folder / "pushed"))
    scores = project.folder / "scored" / "scores"
    scores.mkdir(parents=True)
    scored_with = ScoredWith(path="m", version=1, model_id="m", labels=["refund"], thresholds={"refund": 0.5})
    ScoringRecord(model=scored_with, inputs=[], options={}, started="").write(str(scores.parent))
    (scores / "scores-00000-of-00001.jsonl").write_text(
        '{"id": "1", "text": "my refund", "probabilities": {"refund": 0.6}}\n'
    )
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(project.folder / "work" / "metadata.sqlite")
    connection.sqlite.connection_mode = 3  # created if it does not exist
    metadata_store.MetadataStore(connection).put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
    return project


def _path(project: Project, record: str) -> Path:
    places = {
        "quarantine/report.json": project.folder / "work" / "artifacts" / "quarantine" / IngestReport.FILE,
        "metadata.sqlite": project.folder / "work" / record,
        "schema.pbtxt": project.folder / record,
        "pipeline.yaml": project.folder / record,
        "scoring.json": project.folder / "scored" / record,
    }
    if record == RemovedVersions.FILE:
        return project.folder / "pushed" / record
    if record.startswith("."):
        return project.registry / record
    return places.get(record, project.runs / _RUN / record)


def _arguments(project: Project, command: str, target: str) -> list[str]:
    match command, target:
        case "labels", _:
            return ["labels", "list", "--config", str(project.configuration)]
        case "models verify", _:
            return ["models", "verify", "--registry", str(project.folder / "pushed")]
        case "review sample", _:
            scores, output = project.folder / "scored", project.folder / "review"
            return ["review", "sample", "--scores", str(scores), "--output", str(output), "--band", "9"]
        case "config", _:
            return ["config", "show", "--config", str(project.configuration)]
        case _, "configuration":
            return [command, "--config", str(project.configuration)]
        case _, "work":
            return [command, str(project.folder / "work")]
        case _:
            return [command, str(project.runs / _RUN)]
