"""Component that decides whether a model may go live: by the Evaluator's thresholds and all other gates."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import BLESSING_KEY, EVALUATION_KEY, MODEL_BLESSING_KEY, MODEL_KEY

from components.behaviour.artifacts import BehaviourResults
from components.blessing.executor import BASELINE_KEY, BEHAVIOUR_KEY, SETTINGS_KEY, Executor
from components.blessing.settings import BlessingSettings


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
    """Component that gives the final ModelBlessing. A model that the Evaluator did not bless is never blessed.

    The output is a standard ModelBlessing like the Evaluator's, and also holds the result of every gate: a `Judgement`.

    Args:
        evaluation: The Evaluator's ModelEvaluation.
        model_blessing: The Evaluator's ModelBlessing.
        model: The candidate, with model.json.
        baseline: The output `baseline` of `RegistryBaseline`.
        settings: The gates.
        behaviour: Results of `BehaviouralTests`, each group of which is a gate as well.
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
