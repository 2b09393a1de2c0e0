"""Canary: a model that does not answer correctly in a fresh process is not pushed.

It takes the place of TFX's InfraValidator and outputs the same artifact, an InfraBlessing, but needs no Docker. The
InfraValidator itself, with TensorFlow Serving, can run beside it: see `components.canary.infra_validator`.
"""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import BLESSING_KEY, INFRA_BLESSING_KEY, MODEL_KEY

from components.canary.executor import BASELINE_KEY, SETTINGS_KEY, Executor
from components.canary.settings import CanarySettings


class CanarySpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `Canary`."""

    PARAMETERS: ClassVar = {SETTINGS_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model),
        INFRA_BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
    }
    OUTPUTS: ClassVar = {BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing)}


class Canary(base_component.BaseComponent):  # type: ignore[misc]
    """Tries the exported model as a server would, and blesses it for the Pusher or says why not.

    Args:
        model: The candidate, with model.json and the Trainer's reference batch.
        baseline: Output of `RegistryBaseline`; the candidate's latency is compared with that of this model.
        settings: Requests and limits.
        infra_blessing: Output of TFX's InfraValidator, if it runs as well: then the model must pass both.
    """

    SPEC_CLASS = CanarySpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        baseline: types.BaseChannel,
        settings: CanarySettings,
        infra_blessing: types.BaseChannel | None = None,
    ) -> None:
        blessing = types.Channel(type=standard_artifacts.InfraBlessing)
        super().__init__(
            spec=CanarySpec(
                model=model,
                baseline=baseline,
                settings=settings.model_dump_json(),
                infra_blessing=infra_blessing,
                blessing=blessing,
            )
        )
