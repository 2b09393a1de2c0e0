"""Component that finds the model to compare a candidate with: the last one blessed and pushed.

It is an ordinary component that reads the model registry, instead of TFX's Resolver with LatestBlessedModelStrategy:
open-source Kubeflow has no resolvers, and the registry is what is served, whatever the metadata say.
"""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import EXAMPLES_KEY, MODEL_KEY

from components.baseline.driver import REGISTRY_KEY, Driver
from components.baseline.executor import BASELINE_KEY, SETTINGS_KEY, Executor
from components.baseline.settings import BaselineSettings


class RegistryBaselineSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `RegistryBaseline`."""

    PARAMETERS: ClassVar = {REGISTRY_KEY: ExecutionParameter(type=str), SETTINGS_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS: ClassVar = {BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model)}


class RegistryBaseline(base_component.BaseComponent):  # type: ignore[misc]
    """Component that gives the last blessed and pushed model other than the candidate.

    Its output `baseline` is a Model artifact that may hold no model, because Kubeflow cannot omit an artifact:
    `BaselineRecord` tells whether it does, and if not, why.

    Args:
        model: The candidate, with model.json.
        examples: Raw Examples with a split named test, a few of which the baseline is tried on.
        registry: The push destination; need not exist.
        settings: What to do if the last model cannot be loaded or evaluated any more.
    """

    SPEC_CLASS = RegistryBaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        registry: str,
        settings: BaselineSettings,
    ) -> None:
        spec = RegistryBaselineSpec(
            model=model,
            examples=examples,
            registry=registry,
            settings=settings.model_dump_json(),
            baseline=types.Channel(type=standard_artifacts.Model),
        )
        super().__init__(spec=spec)
