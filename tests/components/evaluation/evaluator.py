"""Runs the Evaluator's real executor on the models and examples of `small_model`."""

from collections.abc import Sequence
from pathlib import Path

from tensorflow_model_analysis.proto import config_pb2
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, standard_artifacts
from tfx.utils import proto_utils

from components.evaluation.eval_config import build_eval_config
from components.evaluation.executor import Executor
from components.evaluation.settings import EvaluationSettings
from schema.label_list import LabelList
from tests.components.evaluation.small_model import LABELS, artifact
from tests.support.beam import BEAM_ARGUMENTS


def make_eval_config(settings: EvaluationSettings, labels: Sequence[str] = LABELS) -> config_pb2.EvalConfig:
    return build_eval_config(LabelList(tuple(labels)), settings)


def run_evaluator(
    data: Path, candidate: Path, baseline: Path, output: Path, eval_config: config_pb2.EvalConfig
) -> Artifact:
    """Run the executor.

    Args:
        data: Folder with the URIs `examples` and `schema`.
        candidate: URI of the candidate.
        baseline: URI of the artifact of `RegistryBaseline`.
        output: Folder for the URIs `evaluation` and `blessing`.
        eval_config: What to evaluate.

    Returns:
        The ModelBlessing.
    """
    blessing = artifact(standard_artifacts.ModelBlessing, output / "blessing")
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=list(BEAM_ARGUMENTS), tmp_dir=str(output / "tmp"), unique_id="1"
    )
    Executor(context).Do(
        {
            "examples": [artifact(standard_artifacts.Examples, data / "examples")],
            "model": [artifact(standard_artifacts.Model, candidate)],
            "baseline_model": [artifact(standard_artifacts.Model, baseline, number=2)],
            "schema": [artifact(standard_artifacts.Schema, data / "schema")],
        },
        {"evaluation": [artifact(standard_artifacts.ModelEvaluation, output / "evaluation")], "blessing": [blessing]},
        {"eval_config": proto_utils.proto_to_json(eval_config), "example_splits": '["test"]'},
    )
    return blessing
