"""The data gate as a TFX component."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import ANOMALIES_KEY, SCHEMA_KEY, STATISTICS_KEY

from components.data_gate.artifacts import DataVerdict
from components.data_gate.executor import QUARANTINE_KEY, REGISTRY_KEY, SETTINGS_KEY, VERDICT_KEY, Executor
from components.data_gate.settings import DataGateSettings
from components.example_gen.artifacts import Quarantine


class DataGateSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `DataGate`."""

    PARAMETERS: ClassVar = {SETTINGS_KEY: ExecutionParameter(type=str), REGISTRY_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        ANOMALIES_KEY: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        QUARANTINE_KEY: ChannelParameter(type=Quarantine),
        SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS: ClassVar = {VERDICT_KEY: ChannelParameter(type=DataVerdict)}


class DataGate(base_component.BaseComponent):  # type: ignore[misc]
    """Stops a run before training if its data is not as it should be.

    TFX's ExampleValidator finds anomalies and lets the pipeline go on. This component acts on them, and on what only
    ExampleGen's report or the data of the last training can show: too many quarantined or blank rows, labels that the
    schema does not know, labels that have vanished, and drift.

    Args:
        statistics: StatisticsGen's statistics.
        anomalies: ExampleValidator's anomalies.
        quarantine: ExampleGen's quarantine, with its report.
        schema: The completed schema.
        settings: The bounds.
        registry: The push destination, which has the log of what was trained on.

    Outputs:
        verdict: `DataVerdict`, the findings on data that passed.
    """

    SPEC_CLASS = DataGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        anomalies: types.BaseChannel,
        quarantine: types.BaseChannel,
        schema: types.BaseChannel,
        settings: DataGateSettings,
        registry: str,
    ) -> None:
        spec = DataGateSpec(
            statistics=statistics,
            anomalies=anomalies,
            quarantine=quarantine,
            schema=schema,
            settings=settings.model_dump_json(),
            registry=registry,
            verdict=types.Channel(type=DataVerdict),
        )
        super().__init__(spec=spec)
