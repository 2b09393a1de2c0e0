"""The behavioural tests as a TFX component."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import EXAMPLES_KEY, MODEL_KEY

from components.behaviour.artifacts import BehaviourResults
from components.behaviour.executor import RESULTS_KEY, SETTINGS_KEY, Executor
from components.behaviour.settings import BehaviourTests


class BehaviouralTestsSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `BehaviouralTests`."""

    PARAMETERS: ClassVar = {SETTINGS_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS: ClassVar = {RESULTS_KEY: ChannelParameter(type=BehaviourResults)}


class BehaviouralTests(base_component.BaseComponent):  # type: ignore[misc]
    """Tests the candidate on texts whose labels are beyond doubt, and on edits that must change no label.

    It measures; `Blessing` decides. The tests themselves are the parameter, not their file: an edit of the file causes
    a new execution, and a remote step needs no file.

    Args:
        model: The candidate.
        examples: Raw Examples with a split named test.
        settings: The tests.

    Outputs:
        results: `BehaviourResults`, the outcome of every group of tests.
    """

    SPEC_CLASS = BehaviouralTestsSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, model: types.BaseChannel, examples: types.BaseChannel, settings: BehaviourTests) -> None:
        spec = BehaviouralTestsSpec(
            model=model,
            examples=examples,
            settings=settings.model_dump_json(),
            results=types.Channel(type=BehaviourResults),
        )
        super().__init__(spec=spec)
