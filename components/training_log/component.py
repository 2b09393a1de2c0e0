"""The record of a training as a TFX component."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import PUSHED_MODEL_KEY, SCHEMA_KEY, STATISTICS_KEY

from components.example_gen.artifacts import Quarantine
from components.training_log.executor import QUARANTINE_KEY, REGISTRY_KEY, Executor


class TrainingRecordSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `TrainingRecord`."""

    PARAMETERS: ClassVar = {REGISTRY_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        QUARANTINE_KEY: ChannelParameter(type=Quarantine),
        STATISTICS_KEY: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
        PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel),
    }
    OUTPUTS: ClassVar[dict[str, ChannelParameter]] = {}


class TrainingRecord(base_component.BaseComponent):  # type: ignore[misc]
    """Adds an entry to the training log at the end of a run.

    The next run's data gate compares its data with the entry, and a run that finds no newer data does not train. A run
    that fails before this step leaves no entry and is therefore tried again.

    Args:
        quarantine: ExampleGen's quarantine, with its report.
        statistics: StatisticsGen's statistics.
        schema: The completed schema.
        pushed_model: The Pusher's output. Not read: it makes this step run when all is decided, pushed or not.
        registry: The push destination, which has the log.
    """

    SPEC_CLASS = TrainingRecordSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        quarantine: types.BaseChannel,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        pushed_model: types.BaseChannel,
        registry: str,
    ) -> None:
        spec = TrainingRecordSpec(
            quarantine=quarantine, statistics=statistics, schema=schema, pushed_model=pushed_model, registry=registry
        )
        super().__init__(spec=spec)
