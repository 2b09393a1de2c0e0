"""Executor of `TrainingRecord`."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import SCHEMA_KEY, STATISTICS_KEY

from components.example_gen.report import IngestReport
from components.registry import locked
from components.schema_import.schema_file import read_schema_file
from components.stratification.memory import remember
from components.training_log.log import append_entry
from components.training_log.statistics import train_statistics
from schema.label_list import label_list

QUARANTINE_KEY = "quarantine"
REGISTRY_KEY = "registry"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Writer of an entry of the training log."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],  # noqa: ARG002 - TFX's interface
        exec_properties: dict[str, Any],
    ) -> None:
        quarantine = artifact_utils.get_single_uri(input_dict[QUARANTINE_KEY])
        report = IngestReport.read(quarantine)
        labels = label_list(read_schema_file(artifact_utils.get_single_uri(input_dict[SCHEMA_KEY])))
        statistics = train_statistics(artifact_utils.get_single_instance(input_dict[STATISTICS_KEY]), report)
        append_entry(
            exec_properties[REGISTRY_KEY],
            report,
            labels.active,
            statistics.SerializeToString(deterministic=True),
            labels.ancestors,
        )
        with locked(exec_properties[REGISTRY_KEY]):
            remember(exec_properties[REGISTRY_KEY], quarantine)
