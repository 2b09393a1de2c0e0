"""Models in ML Metadata that a step might take from the cache are compared with what was exported."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.utils import path_utils

from components.common.files import exists, remove_folder
from components.registry.integrity import check_export, differences
from components.registry.record import ModelRecord
from schema.errors import Refused

_MODEL = "Model"


def remove_damaged_models(store: MetadataStore, execution: ExecutionInfo) -> None:
    """Remove damaged models that an execution with the same inputs and properties made.

    TFX takes outputs from the cache only if they exist (tfx 1.21, orchestration/portable/cache_utils.py, line 158), so
    the step then makes the model anew.

    Args:
        store: The metadata store.
        execution: The execution that may be answered from the cache, with its inputs resolved.
    """
    inputs = [artifact.id for artifacts in execution.input_dict.values() for artifact in artifacts]
    for model in _find_models(store, inputs, execution.exec_properties):
        problem = _find_damage(path_utils.serving_model_path(model.uri)) if exists(model.uri) else None
        if problem is not None:
            logging.getLogger(__name__).warning("%s; removed, to be made anew", problem)
            remove_folder(model.uri)
            model.state = metadata_store_pb2.Artifact.DELETED
            store.put_artifacts([model])


def _find_models(
    store: MetadataStore, inputs: Sequence[int], properties: Mapping[str, Any]
) -> list[metadata_store_pb2.Artifact]:
    """Return the live models that executions with all of these inputs, and no other properties, have as output."""
    events = store.get_events_by_artifact_ids(sorted(set(inputs)))
    readers = [
        {event.execution_id for event in events if event.artifact_id == each and _is_input(event)} for each in inputs
    ]
    candidates = store.get_executions_by_id(sorted(set.intersection(*readers))) if readers else []
    executions = [execution.id for execution in candidates if not _differs(execution, properties)]
    outputs = {
        event.artifact_id
        for event in store.get_events_by_execution_ids(sorted(executions))
        if event.type == metadata_store_pb2.Event.OUTPUT
    }
    found = store.get_artifacts_by_id(sorted(outputs))
    return [each for each in found if each.type == _MODEL and each.state == metadata_store_pb2.Artifact.LIVE]


def _is_input(event: metadata_store_pb2.Event) -> bool:
    return bool(event.type == metadata_store_pb2.Event.INPUT)


def _differs(execution: metadata_store_pb2.Execution, properties: Mapping[str, Any]) -> bool:
    """Return whether a text among the properties is another one than that of an execution, as its settings are."""
    stored = {**execution.properties, **execution.custom_properties}
    return any(
        isinstance(value, str) and key in stored and stored[key].HasField("string_value")
        and stored[key].string_value != value
        for key, value in properties.items()
    )  # fmt: skip


def _find_damage(model_dir: str) -> str | None:
    """Return what is wrong with a model, in one line; None if nothing is, or the folder does not exist."""
    if not exists(model_dir):  # of a RegistryBaseline that found no model
        return None
    try:
        record = ModelRecord.read(model_dir)
        if record.files:  # a copy of a version
            return next((f"{model_dir}: {each}" for each in differences(model_dir, record)), None)
        check_export(model_dir, record)
    except Refused as refused:
        return str(refused).partition(";")[0]
    return None
