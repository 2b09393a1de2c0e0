"""The decision "does this model go live?": the Evaluator's thresholds, and the gates that no threshold can say."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import BLESSING_KEY, EVALUATION_KEY, MODEL_BLESSING_KEY, MODEL_KEY

from components.behaviour.artifacts import BehaviourResults
from components.blessing.executor import BASELINE_KEY, BEHAVIOUR_KEY, SETTINGS_KEY, Executor
from components.blessing.judgement import BlessingSettings


class BlessingSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `Blessing`."""

    PARAMETERS: ClassVar = {SETTINGS_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model),
        BEHAVIOUR_KEY: ChannelParameter(type=BehaviourResults, optional=True),
    }
    OUTPUTS: ClassVar = {BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing)}


class Blessing(base_component.BaseComponent):  # type: ignore[misc]
    """Gives the final ModelBlessing: never to what the Evaluator did not bless.

    It is a standard one, as the Evaluator's own, and holds gates.json besides: the outcome of every gate, as
    `components.blessing.judgement.read_judgement` reads it.

    Args:
        evaluation: the Evaluator's.
        model_blessing: likewise.
        model: the candidate, with model.json.
        baseline: what `RegistryBaseline` gave.
        settings: the gates.
        behaviour: what `BehaviouralTests` found, whose groups are gates as well.
    """

    SPEC_CLASS = BlessingSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        evaluation: types.BaseChannel,
        model_blessing: types.BaseChannel,
        model: types.BaseChannel,
        baseline: types.BaseChannel,
        settings: BlessingSettings,
        behaviour: types.BaseChannel | None = None,
    ) -> None:
        spec = BlessingSpec(
            evaluation=evaluation,
            model_blessing=model_blessing,
            model=model,
            baseline=baseline,
            behaviour=behaviour,
            settings=settings.model_dump_json(),
            blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        )
        super().__init__(spec=spec)
