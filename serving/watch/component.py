"""ModelProfile, the component that describes what a pushed version answers."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import EXAMPLES_KEY, PUSHED_MODEL_KEY

from serving.watch.executor import REGISTRY_KEY, SETTINGS_KEY, Executor
from serving.watch.settings import WatchSettings


class ModelProfileSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `ModelProfile`."""

    PARAMETERS: ClassVar = {
        SETTINGS_KEY: ExecutionParameter(type=str),
        REGISTRY_KEY: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel),
    }
    OUTPUTS: ClassVar[dict[str, ChannelParameter]] = {}


class ModelProfile(base_component.BaseComponent):  # type: ignore[misc]
    """Leaves the statistics of a pushed version's answers in the registry, which `watch` compares later answers with.

    Args:
        examples: ExampleGen's examples; texts are drawn from the eval split.
        pushed_model: RegistryPusher's output.
        settings: Number of the texts.
        registry: The push destination.
    """

    SPEC_CLASS = ModelProfileSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, examples: types.BaseChannel, pushed_model: types.BaseChannel, settings: WatchSettings, registry: str
    ) -> None:
        spec = ModelProfileSpec(
            examples=examples, pushed_model=pushed_model, settings=settings.model_dump_json(), registry=registry
        )
        super().__init__(spec=spec)
