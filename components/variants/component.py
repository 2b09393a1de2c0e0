"""Variants of a blessed model, in bfloat16, ONNX and int8, behind gates of their own."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    EXAMPLES_KEY,
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    SCHEMA_KEY,
    TRANSFORM_GRAPH_KEY,
)

from components.variants.artifacts import ModelVariants
from components.variants.executor import SETTINGS_KEY, VARIANTS_KEY, Executor
from components.variants.settings import VariantsSettings


class VariantsSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `Variants`."""

    PARAMETERS: ClassVar = {SETTINGS_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        TRANSFORM_GRAPH_KEY: ChannelParameter(type=standard_artifacts.TransformGraph),
        SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema),
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        INFRA_BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing),
    }
    OUTPUTS: ClassVar = {VARIANTS_KEY: ChannelParameter(type=ModelVariants)}


class Variants(base_component.BaseComponent):  # type: ignore[misc]
    """Makes the variants of a blessed model, chooses thresholds for each, measures, judges and tries it.

    A variant that cannot be made or does not pass is left out: the full model goes on. A model that was not blessed
    gets none.

    Args:
        model: The candidate, with model.json and the Trainer's reference batch.
        examples: Raw Examples with splits named eval, for thresholds, and test, for metrics.
        transform_graph: Transform graph, which the bfloat16 variant contains.
        schema: Schema, with the label list.
        evaluation: The Evaluator's ModelEvaluation, with the full model's metrics.
        model_blessing: The final ModelBlessing.
        infra_blessing: The canary's InfraBlessing.
        settings: Variants and gates.
    """

    SPEC_CLASS = VariantsSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        schema: types.BaseChannel,
        evaluation: types.BaseChannel,
        model_blessing: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        settings: VariantsSettings,
    ) -> None:
        spec = VariantsSpec(
            model=model,
            examples=examples,
            transform_graph=transform_graph,
            schema=schema,
            evaluation=evaluation,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            settings=settings.model_dump_json(),
            variants=types.Channel(type=ModelVariants),
        )
        super().__init__(spec=spec)
