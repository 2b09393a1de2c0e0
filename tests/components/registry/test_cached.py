"""Models of earlier executions: those that the cache may answer with are compared, and removed if damaged."""

from pathlib import Path

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types import standard_artifacts

from components.registry import ModelRecord, checksums, content_id
from components.registry.cached import remove_damaged_models


def export(folder: Path) -> Path:
    """Write a model with its record; return the path of its weights."""
    model_dir = folder / "Format-Serving"
    weights = model_dir / "variables" / "variables.data-00000-of-00001"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    model_id = content_id(checksums(str(model_dir)))
    record = ModelRecord(model_id=model_id, labels=["a"], thresholds=[0.5], checkpoint="c", created="", versions={})
    record.write(str(model_dir))
    return weights


def record_execution(store: MetadataStore, settings: str, examples: int, uri: Path) -> None:
    """Record that an execution with these settings made a model of examples."""
    kind = store.put_execution_type(metadata_store_pb2.ExecutionType(name="Trainer"))
    model_type = store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Model"))
    execution = metadata_store_pb2.Execution(type_id=kind)
    execution.custom_properties["custom_config"].string_value = settings
    (execution_id,) = store.put_executions([execution])
    model = metadata_store_pb2.Artifact(type_id=model_type, uri=str(uri), state=metadata_store_pb2.Artifact.LIVE)
    (model_id,) = store.put_artifacts([model])
    kinds = ((examples, metadata_store_pb2.Event.INPUT), (model_id, metadata_store_pb2.Event.OUTPUT))
    store.put_events(
        [metadata_store_pb2.Event(artifact_id=each, execution_id=execution_id, type=kind) for each, kind in kinds]
    )


def test_removes_the_damaged_model_of_the_same_execution_only(tmp_path: Path) -> None:
    store = MetadataStore(metadata_store_pb2.ConnectionConfig(fake_database=metadata_store_pb2.FakeDatabaseConfig()))
    examples_type = store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Examples"))
    input_ids = store.put_artifacts([metadata_store_pb2.Artifact(type_id=examples_type) for _ in range(2)])
    cases = {
        "intact": ("now", input_ids[0]),
        "damaged": ("now", input_ids[0]),
        "of other settings": ("before", input_ids[0]),
        "of other examples": ("now", input_ids[1]),
    }
    for name, (settings, examples) in cases.items():
        weights = export(tmp_path / name)
        if name != "intact":
            weights.write_bytes(b"weightz")
        record_execution(store, settings, examples, tmp_path / name)
    artifact = standard_artifacts.Examples()
    artifact.id = input_ids[0]
    remove_damaged_models(
        store, ExecutionInfo(input_dict={"examples": [artifact]}, exec_properties={"custom_config": "now"})
    )
    assert {path.name for path in tmp_path.iterdir()} == cases.keys() - {"damaged"}
    deleted = [each.uri for each in store.get_artifacts() if each.state == metadata_store_pb2.Artifact.DELETED]
    assert deleted == [str(tmp_path / "damaged")]
