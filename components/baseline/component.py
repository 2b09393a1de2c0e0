"""The model that a candidate is compared with: the last one blessed and pushed.

An ordinary component that reads the model registry, in the place of TFX's Resolver with LatestBlessedModelStrategy:
open-source Kubeflow has no resolvers, and the registry is what is served, whatever the metadata say.
"""

from typing import ClassVar, Literal

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import EXAMPLES_KEY, MODEL_KEY

from components.baseline.driver import REGISTRY_KEY, Driver
from components.baseline.executor import BASELINE_KEY, BROKEN_KEY, Executor


class RegistryBaselineSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `RegistryBaseline`."""

    PARAMETERS: ClassVar = {REGISTRY_KEY: ExecutionParameter(type=str), BROKEN_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS: ClassVar = {BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model)}


class RegistryBaseline(base_component.BaseComponent):  # type: ignore[misc]
    """Gives the last blessed and pushed model other than the candidate.

    Its output `baseline` is a Model artifact that may hold none, because Kubeflow cannot leave an artifact out:
    `components.baseline.record.read_baseline` says whether it does, and if not, why.

    Args:
        model: the candidate, with model.json.
        examples: raw Examples with a split named test, a few of which the baseline is tried on.
        registry: the push destination; need not exist yet.
        broken: what to do about a last model that cannot be loaded or evaluated any more: set it aside, and say so, or
            stop the run.
    """

    SPEC_CLASS = RegistryBaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        registry: str,
        broken: Literal["set_aside", "stop"] = "set_aside",
    ) -> None:
        baseline = types.Channel(type=standard_artifacts.Model)
        super().__init__(
            spec=RegistryBaselineSpec(
                model=model, examples=examples, registry=registry, broken=broken, baseline=baseline
            )
        )
