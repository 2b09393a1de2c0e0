"""The entry point of a step's container, given what Kubeflow's driver and launcher pass to it."""

import json
from pathlib import Path
from typing import Any

from runners.kfp.run_executor import complete, restore

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
