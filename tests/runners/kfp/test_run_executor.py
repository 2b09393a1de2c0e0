"""The entry point of a step's container, given what Kubeflow's driver and launcher pass to it."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.report.summary import Rows
from runners.kfp.notes import FOLDER_VARIABLE, notes_of_this_run
from runners.kfp.notify import find_outcome
from runners.kfp.run_executor import check_inputs, complete, note_scores, record_digests, restore
from runners.kfp.steps import RUN_VARIABLE
from schema.errors import Refused
from serving.scoring.record import ScoredBatch, ScoredRows, ScoredWith, ScoringRecord, ScoringResult

_ADDED = {"name": "executor-logs", "type": {"schemaTitle": "system.Artifact"}, "uri": "minio://b/executor-logs"}


def test_inputs_get_their_types_and_addresses_become_paths_of_the_launcher_s_copies(tmp_path: Path) -> None:
    invocation: dict[str, Any] = {
        "inputs": {"artifacts": {"examples": {"artifacts": [{"name": "7", "uri": "minio://bucket/1/examples"}]}}},
        "outputs": {
            "artifacts": {
                "statistics": {"artifacts": [{"type": {"instanceSchema": "s"}, "uri": "gs://bucket/2/statistics"}]},
                "local": {"artifacts": [{"type": {"instanceSchema": "l"}, "uri": "/mnt/3/local"}]},
            },
            "outputFile": str(tmp_path / "output.json"),
        },
    }
    addresses = complete(invocation, {"artifacts": {"examples": {"artifactType": {"instanceSchema": "e"}}}})
    (examples,) = invocation["inputs"]["artifacts"]["examples"]["artifacts"]
    assert examples == {"name": "7", "type": {"instanceSchema": "e"}, "uri": "/minio/bucket/1/examples"}
    outputs = invocation["outputs"]["artifacts"]
    assert outputs["statistics"]["artifacts"][0]["uri"] == "/gcs/bucket/2/statistics"
    assert outputs["local"]["artifacts"][0]["uri"] == "/mnt/3/local"

    # The launcher uploads to where the step says that its outputs are.
    (tmp_path / "output.json").write_text(json.dumps({"artifacts": outputs}))
    restore(tmp_path / "output.json", addresses)
    written = json.loads((tmp_path / "output.json").read_text())["artifacts"]
    assert written["statistics"]["artifacts"][0]["uri"] == "gs://bucket/2/statistics"
    assert written["local"]["artifacts"][0]["uri"] == "/mnt/3/local"


def test_leaves_artifacts_that_the_service_added_to_the_service() -> None:
    """Kubeflow 2.16.1 adds an output to each task: backend/src/v2/driver/driver.go, lines 703-715."""
    model: dict[str, Any] = {"type": {"instanceSchema": "title: tfx.Model"}, "uri": "minio://b/model"}
    schema: dict[str, Any] = {"type": {"schemaTitle": "tfx.Schema"}, "uri": "minio://b/schema"}
    invocation: dict[str, Any] = {
        "inputs": {"artifacts": {"examples": {"artifacts": [{"uri": "minio://b/1"}]}, "x": {"artifacts": [_ADDED]}}},
        "outputs": {
            "artifacts": {
                "model": {"artifacts": [model]},
                "schema": {"artifacts": [schema]},
                "executor-logs": {"artifacts": [_ADDED]},
            }
        },
    }
    complete(invocation, {"artifacts": {"examples": {"artifactType": {"instanceSchema": "e"}}}})
    assert set(invocation["inputs"]["artifacts"]) == {"examples"}
    assert set(invocation["outputs"]["artifacts"]) == {"model", "schema"}


_RECORD = ScoringRecord(
    model=ScoredWith(path="/registry/1", version=1, model_id="m", labels=["joy"], thresholds={"joy": 0.5}),
    inputs=[],
    options={},
    started="2026-11-28T03:00:00+00:00",
    finished="2026-11-28T03:10:00+00:00",
    rows=ScoredRows(read=3, scored=2, quarantined=1, reasons={"blank text": 1}),
)


@pytest.mark.parametrize(
    ("result", "outcome", "rows"),
    [
        (
            ScoringResult(batches=[ScoredBatch(output="/scored/2026-11-28", record=_RECORD)]),
            ("scored", []),
            Rows(read=3, accepted=2, quarantined=1),
        ),
        (
            ScoringResult(nothing_new="everything was scored before"),
            ("no_new_data", ["everything was scored before"]),
            None,
        ),
    ],
)
def test_the_webhook_is_told_what_was_scored(
    result: ScoringResult,
    outcome: tuple[str, list[str]],
    rows: Rows | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "notes"))
    monkeypatch.setenv(RUN_VARIABLE, "run-1")
    result.write(str(tmp_path / "artifact"))
    artifact = {"uri": str(tmp_path / "artifact")}
    note_scores({"outputs": {"artifacts": {"inference_result": {"artifacts": [artifact]}}}})
    notes = notes_of_this_run()
    assert notes is not None
    assert find_outcome(notes) == outcome
    summary = notes.read_summary()
    assert summary is not None
    assert (summary.rows, summary.scores) == (rows, [batch.output for batch in result.batches])


def _artifact(folder: Path, kind: str) -> dict[str, Any]:
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"content")
    return {"type": {"instanceSchema": f"title: tfx.{kind}"}, "uri": str(folder)}


def test_a_step_that_decides_refuses_inputs_that_are_not_as_they_were_left(tmp_path: Path) -> None:
    made = {name: {"artifacts": [_artifact(tmp_path / name, name)]} for name in ("Model", "Examples")}
    output_file = tmp_path / "output.json"
    output_file.write_text(json.dumps({"artifacts": {"model": {"artifacts": [{"uri": str(tmp_path / "Model")}]}}}))
    record_digests(str(output_file), {"outputs": {"artifacts": made}})
    (model,) = json.loads(output_file.read_text())["artifacts"]["model"]["artifacts"]
    invocation = {"inputs": {"artifacts": {"model": {"artifacts": [model]}, "other": made["Examples"]}}}
    decides, reads = "components.pusher.executor.Executor", "components.report.executor.Executor"
    check_inputs(decides, invocation)
    (tmp_path / "Model" / "file").write_bytes(b"contenT")
    check_inputs(reads, invocation)
    with pytest.raises(Refused, match=r"Model: is not as the step left it that made it; run again with `cache: false`"):
        check_inputs(decides, invocation)


def test_large_outputs_in_an_object_store_are_not_read_for_their_digest(tmp_path: Path) -> None:
    from tfx.dsl.io import fileio

    made = {}
    for kind in ("Examples", "Schema"):
        fileio.makedirs(f"ram://digest/{kind}")
        with fileio.open(f"ram://digest/{kind}/file", "wb") as file:
            file.write(b"content")
        made[kind] = {"artifacts": [{"type": {"instanceSchema": f"title: tfx.{kind}"}, "uri": f"ram://digest/{kind}"}]}
    output_file = tmp_path / "output.json"
    output_file.write_text(json.dumps({"artifacts": made}))
    record_digests(str(output_file), {"outputs": {"artifacts": made}})
    written = json.loads(output_file.read_text())["artifacts"]
    kinds = {kind: each["artifacts"][0]["metadata"]["digest"].partition(":")[0] for kind, each in written.items()}
    assert kinds == {"Examples": "sizes", "Schema": "sha256"}
    check_inputs("components.evaluation.executor.Executor", {"inputs": {"artifacts": written}})
