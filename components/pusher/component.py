"""Pusher: puts a blessed model into the registry, where servers find it, and the next run its baseline."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.standard_component_specs import EVALUATION_KEY, PusherSpec

from components.example_gen.artifacts import Quarantine
from components.pusher.driver import Driver
from components.pusher.executor import BASELINE_KEY, PIPELINE_KEY, QUARANTINE_KEY, VARIANTS_KEY, Executor
from components.variants.artifacts import ModelVariants


class RegistryPusherSpec(PusherSpec):  # type: ignore[misc]
    """Interface of `RegistryPusher`: TFX's, with the pipeline's name, the baseline and what describes the model."""

    PARAMETERS: ClassVar = PusherSpec.PARAMETERS | {PIPELINE_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = PusherSpec.INPUTS | {
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation, optional=True),
        QUARANTINE_KEY: ChannelParameter(type=Quarantine, optional=True),
        BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
        VARIANTS_KEY: ChannelParameter(type=ModelVariants, optional=True),
    }


class RegistryPusher(base_component.BaseComponent):  # type: ignore[misc]
    """Pushes the model if every given blessing is positive.

    Args:
        model: The candidate, with model.json.
        model_blessing: The final ModelBlessing; its gates.json, if it has one, goes into the version's model.json.
        push_destination: The registry; created if missing.
        pipeline: Name of the pipeline, which the registry must belong to; one without an owner becomes its own.
        infra_blessing: The canary's InfraBlessing, if there is a canary; its measurements go there too.
        evaluation: The Evaluator's ModelEvaluation, for the macro F1.
        quarantine: The ExampleGen's Quarantine, for the rows and spans.
        baseline: The output of RegistryBaseline. If another model has become the latest since, the candidate is not
            pushed; without it, the later of two pushes wins.
        variants: The output of Variants; those that hold are pushed beside the model, under its number.
    """

    SPEC_CLASS = RegistryPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        push_destination: str,
        pipeline: str,
        infra_blessing: types.BaseChannel | None = None,
        evaluation: types.BaseChannel | None = None,
        quarantine: types.BaseChannel | None = None,
        baseline: types.BaseChannel | None = None,
        variants: types.BaseChannel | None = None,
    ) -> None:
        filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=push_destination)
        super().__init__(
            spec=RegistryPusherSpec(
                model=model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                evaluation=evaluation,
                quarantine=quarantine,
                baseline=baseline,
                variants=variants,
                push_destination=pusher_pb2.PushDestination(filesystem=filesystem),
                pipeline=pipeline,
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
