"""Logging of a run to a tracker of experiments, as a TFX component."""

import json
from collections.abc import Mapping
from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Model, ModelRun

from components.report.artifacts import RunReport
from components.tracking.artifacts import TrackedRun
from components.tracking.executor import Executor
from components.tracking.settings import MlflowSettings


class TrackingSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `Tracking`."""

    PARAMETERS: ClassVar = {
        "settings": ExecutionParameter(type=str),
        "pipeline": ExecutionParameter(type=str),
        "hyper_parameters": ExecutionParameter(type=str),
        "texts": ExecutionParameter(type=int),
    }
    INPUTS: ClassVar = {
        "model": ChannelParameter(type=Model),
        "model_run": ChannelParameter(type=ModelRun),
        "report": ChannelParameter(type=RunReport),
    }
    OUTPUTS: ClassVar = {"tracked": ChannelParameter(type=TrackedRun)}


class Tracking(base_component.BaseComponent):  # type: ignore[misc]
    """Logs a completed run to MLflow. It is the last step, and never fails a run.

    Args:
        model: The candidate.
        model_run: Output of the Trainer, with its curves.
        report: Output of the Report.
        settings: Which server, and what it gets.
        pipeline: Name of the pipeline.
        hyper_parameters: Settings by which runs are compared.
        texts: Whether texts of the data may be logged, which TensorBoard's files have.
    """

    SPEC_CLASS = TrackingSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        report: types.BaseChannel,
        settings: MlflowSettings,
        pipeline: str,
        hyper_parameters: Mapping[str, str | int | float | bool],
        texts: bool,
    ) -> None:
        super().__init__(
            spec=TrackingSpec(
                model=model,
                model_run=model_run,
                report=report,
                settings=settings.model_dump_json(),
                pipeline=pipeline,
                hyper_parameters=json.dumps(dict(hyper_parameters)),
                texts=int(texts),
                tracked=types.Channel(type=TrackedRun),
            )
        )
