"""Evaluator of this pipeline: TFX's component with an executor of its own."""

from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.evaluator import component as tfx_component
from tfx.dsl.components.base import executor_spec

from components.evaluation.executor import Executor

_TEST = "test"


class MultiLabelEvaluator(tfx_component.Evaluator):  # type: ignore[misc]
    """Evaluator that measures the candidate, and the baseline if there is one, on the test split.

    Its ModelBlessing tells whether the candidate passes the gates that are TFMA thresholds; `Blessing` decides all.

    Args:
        examples: Raw Examples with a split named test.
        model: The candidate, with the `evaluation` signature and model.json.
        baseline_model: The output `baseline` of `RegistryBaseline`.
        schema: Schema of the examples.
        eval_config: The result of `build_eval_config`.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        baseline_model: types.BaseChannel,
        schema: types.BaseChannel,
        eval_config: config_pb2.EvalConfig,
    ) -> None:
        super().__init__(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            schema=schema,
            eval_config=eval_config,
            example_splits=[_TEST],
        )
