"""TextExampleGen with its real driver, executor and metadata store."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.v1.orchestration.experimental import KubeflowV2DagRunner, KubeflowV2DagRunnerConfig

from components.example_gen.component import TextExampleGen
from components.example_gen.report import IngestReport
from components.example_gen.settings import ExamplesSettings
from components.stratification.memory import remember
from schema.errors import Refused
from tests.components.example_gen.support import csv_text, distinct_rows, settings_for, write_file
from tests.components.example_gen.test_executor import examples_in, files_in
from tests.support.beam import BEAM_ARGUMENTS


@dataclass(frozen=True)
class Run:
    """Newest execution of the component in a metadata store."""

    state: int
    outputs: dict[str, metadata_store_pb2.Artifact]

    @property
    def cached(self) -> bool:
        return bool(self.state == metadata_store_pb2.Execution.CACHED)


def pipeline_of(base: Path, settings: ExamplesSettings, registry: str | None = None) -> Pipeline:
    return Pipeline(
        pipeline_name="one-node",
        pipeline_root=str(base / "root"),
        components=[TextExampleGen(settings=settings, registry=registry)],
        enable_cache=True,
        metadata_connection_config=sqlite_metadata_connection_config(str(base / "metadata.db")),
        beam_pipeline_args=list(BEAM_ARGUMENTS),
    )


def run(base: Path, settings: ExamplesSettings, registry: str | None = None) -> Run:
    LocalDagRunner().run(pipeline_of(base, settings, registry))
    return newest(base)


def newest(base: Path) -> Run:
    store = MetadataStore(sqlite_metadata_connection_config(str(base / "metadata.db")))
    execution = max(store.get_executions(), key=lambda execution: execution.id)
    events = store.get_events_by_execution_ids([execution.id])
    outputs = {
        event.path.steps[0].key: store.get_artifacts_by_id([event.artifact_id])[0]
        for event in events
        if event.type == metadata_store_pb2.Event.OUTPUT
    }
    return Run(execution.last_known_state, outputs)


def test_reads_changed_input_again_and_unchanged_input_from_the_cache(tmp_path: Path) -> None:
    data = write_file(tmp_path / "data" / "a.csv", csv_text(distinct_rows()))
    settings = settings_for(tmp_path / "data")
    first = run(tmp_path, settings)
    examples, quarantined = first.outputs["examples"], first.outputs["quarantine"]
    assert not first.cached
    assert examples.properties["split_names"].string_value == '["train", "eval", "test"]'
    assert IngestReport.read(quarantined.uri).rows_read == 40
    assert len(examples_in(Path(examples.uri), "train")) == IngestReport.read(quarantined.uri).splits["train"]

    again = run(tmp_path, settings)
    assert again.cached
    assert again.outputs["examples"].uri == examples.uri

    write_file(data, csv_text(distinct_rows(60)))
    changed = run(tmp_path, settings)
    assert not changed.cached
    assert IngestReport.read(changed.outputs["quarantine"].uri).rows_read == 60


def test_stratified_splits_that_are_remembered_leave_an_unchanged_input_in_the_cache(tmp_path: Path) -> None:
    registry = str(tmp_path / "registry")
    data = write_file(tmp_path / "data" / "a.csv", csv_text(distinct_rows()))
    settings = settings_for(tmp_path / "data", split_by="stratified")
    first = run(tmp_path, settings, registry)
    dealt = _texts(first, "train")
    remember(registry, first.outputs["quarantine"].uri)
    assert run(tmp_path, settings, registry).cached

    write_file(data, csv_text(distinct_rows(60)))
    grown = run(tmp_path, settings, registry)
    assert not grown.cached
    assert dealt < _texts(grown, "train")
    assert len(_texts(grown, "train")) == 30


def _texts(run: Run, split: str) -> set[str]:
    return {example["text"][0] for example in examples_in(Path(run.outputs["examples"].uri), split)}


def test_reads_again_when_the_list_of_labels_changes(tmp_path: Path) -> None:
    data = tmp_path / "data [v1]"  # if it were taken for a pattern, no file would match
    write_file(data / "a.csv", csv_text(f"text {number},{number % 2}" for number in range(40)))
    names = write_file(data / "names[1].txt", "joy\nanger\n")
    labels = {"kind": "indices", "column": "labels", "names": "names[1].txt"}
    settings = settings_for(data, labels=labels)
    run(tmp_path, settings)
    assert run(tmp_path, settings).cached
    names.write_text("joy\nrage!\n")  # as long as before: only the time of modification differs
    os.utime(names, (1, 1))
    changed = run(tmp_path, settings)
    assert not changed.cached
    assert set(IngestReport.read(changed.outputs["quarantine"].uri).labels) == {"joy", "rage!"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such folder"),
        ("text,labels\n ,joy\n", "all 1 rows were quarantined"),
        ("a,b\n1,2\n", "no column 'text'"),
    ],
)
def test_refuses_in_one_line_and_leaves_no_files(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        write_file(tmp_path / "data" / "a.csv", content)
    with pytest.raises(Refused, match=message) as refused:
        run(tmp_path, settings_for(tmp_path / "data"))
    assert "\n" not in str(refused.value)
    assert newest(tmp_path).state == metadata_store_pb2.Execution.FAILED
    assert files_in(tmp_path / "root") == []


def test_compiles_for_kubeflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    labels = {"kind": "indices", "column": "labels", "names": "names.txt"}
    settings = settings_for("gs://no-such-bucket/data", labels=labels)  # compiling does not read it
    config = KubeflowV2DagRunnerConfig(default_image="image", use_pipeline_spec_2_1=True)
    KubeflowV2DagRunner(config, output_filename="pipeline.json").run(pipeline_of(tmp_path, settings))
    spec: dict[str, Any] = json.loads((tmp_path / "pipeline.json").read_text())["pipelineSpec"]
    (component,) = spec["components"].values()
    assert set(component["outputDefinitions"]["artifacts"]) == {"examples", "quarantine"}
    assert set(component["inputDefinitions"]["parameters"]) == {"settings", "label_changes", "project"}
    (executor,) = spec["deploymentSpec"]["executors"].values()
    assert "components.example_gen.executor.Executor" in executor["container"]["args"]
