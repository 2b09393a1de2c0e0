"""The search for label errors as a TFX component."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import EXAMPLES_KEY, SCHEMA_KEY, TRANSFORM_GRAPH_KEY

from components.suspects.artifacts import SuspectedLabels
from components.suspects.executor import SETTINGS_KEY, SUSPECTS_KEY, Executor
from components.suspects.settings import SuspectsConfig


class LabelSuspectsSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `LabelSuspects`."""

    PARAMETERS: ClassVar = {SETTINGS_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        TRANSFORM_GRAPH_KEY: ChannelParameter(type=standard_artifacts.TransformGraph),
        SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
    }
    OUTPUTS: ClassVar = {SUSPECTS_KEY: ChannelParameter(type=SuspectedLabels)}


class LabelSuspects(base_component.BaseComponent):  # type: ignore[misc]
    """Lists labels of the train split that are likely to be wrong. It decides nothing, and changes nothing.

    Args:
        examples: Raw Examples with the splits train and eval.
        transform_graph: Output of Transform.
        schema: The schema, whose labels are judged.
        settings: Settings of the search.

    Outputs:
        suspects: `SuspectedLabels`.
    """

    SPEC_CLASS = LabelSuspectsSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        schema: types.BaseChannel,
        settings: SuspectsConfig,
    ) -> None:
        spec = LabelSuspectsSpec(
            examples=examples,
            transform_graph=transform_graph,
            schema=schema,
            settings=settings.model_dump_json(),
            suspects=types.Channel(type=SuspectedLabels),
        )
        super().__init__(spec=spec)
