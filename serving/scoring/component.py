"""TextScorer, the component that scores texts with the live model of a registry."""

from typing import ClassVar

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import INFERENCE_RESULT_KEY

from serving.scoring.executor import PROJECT_KEY, REGISTRY_KEY, SETTINGS_KEY, Executor
from serving.scoring.settings import ScoringSettings


class TextScorerSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `TextScorer`."""

    PARAMETERS: ClassVar = {
        SETTINGS_KEY: ExecutionParameter(type=str),
        REGISTRY_KEY: ExecutionParameter(type=str),
        PROJECT_KEY: ExecutionParameter(type=str),
    }
    INPUTS: ClassVar[dict[str, ChannelParameter]] = {}
    OUTPUTS: ClassVar = {INFERENCE_RESULT_KEY: ChannelParameter(type=standard_artifacts.InferenceResult)}


class TextScorer(BaseBeamComponent):  # type: ignore[misc]
    """Component that scores every batch of the inputs that is not scored yet.

    It takes the place of TFX's BulkInferrer (tfx 1.21, components/bulk_inferrer), which reads tf.Examples only, of an
    ExampleGen that would want labels and splits; takes its model from the same run's Trainer or from a Resolver, which
    open-source Kubeflow lacks; writes PredictionLogs, without labels and thresholds; and begins anew after a failure.
    Like RegistryPusher, it writes to a place of its own; the artifact says where.

    Args:
        settings: Inputs, and what is written where.
        registry: Registry whose live version scores.
        project: Google Cloud project that pays for queries; "" if there are none.

    Outputs:
        inference_result: `InferenceResult` with scored.json, a `serving.scoring.record.ScoringResult`.
    """

    SPEC_CLASS = TextScorerSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(self, settings: ScoringSettings, registry: str, project: str = "") -> None:
        super().__init__(
            spec=TextScorerSpec(
                settings=settings.model_dump_json(exclude_unset=True),
                registry=registry,
                project=project,
                inference_result=Channel(type=standard_artifacts.InferenceResult),
            )
        )
