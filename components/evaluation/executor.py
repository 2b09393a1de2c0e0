"""Executor of the Evaluator: TFX's, adapted to multi-label models and to a baseline that may be missing."""

from typing import Any

from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as tfx_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    BASELINE_MODEL_KEY,
    BLESSING_KEY,
    EVAL_CONFIG_KEY,
    EVALUATION_KEY,
    MODEL_KEY,
)
from tfx.utils import io_utils, path_utils, proto_utils

from components import registry
from components.baseline.record import BaselineRecord
from components.baseline.shared_labels import match_outputs
from components.evaluation.eval_config import model_outputs, set_baseline_outputs, set_thresholds
from components.evaluation.insights.explained import explain_mistakes
from components.evaluation.insights.gather import gathering
from components.registry import ModelRecord
from schema.errors import Refused

# TFX's Evaluator takes the path of the function.
_EXTRACTORS = "components.evaluation.extractors.custom_extractors"

Artifacts = dict[str, list[types.Artifact]]


class Executor(tfx_executor.Executor):  # type: ignore[misc]
    """TFX's Evaluator with these differences:

    - A candidate whose labels are not those of the evaluation is refused: its outputs would be taken for other labels.
    - A baseline artifact that holds no model is omitted: TFX then measures the candidate alone and ignores the gates
      against the baseline.
    - A baseline with other labels is compared on the labels that both models have. Both are known only here, so the
      configured evaluation and its thresholds are adapted here.
    - The models' decision thresholds are added to the evaluation, and texts are sliced by the bucket of their length.
    - insights.json is written beside TFMA's results: the data behind curves, confusions and mistakes. If the model has
      the signature `explain`, the most confident mistakes are explained.
    - If no gate is a threshold that applies, TFX would leave the blessing undecided (tfx issue 5148). Here the model is
      blessed, with a message. The gates that no threshold can express are decided by `components.blessing`.
    """

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        eval_config = _read_eval_config(exec_properties)
        candidate = _read_model_record(input_dict, MODEL_KEY)
        _check_labels(candidate, eval_config)
        inputs = _without_missing_baseline(input_dict)
        baseline, baseline_outputs = None, candidate.outputs
        if BASELINE_MODEL_KEY in inputs:
            baseline = _read_model_record(inputs, BASELINE_MODEL_KEY)
            baseline_outputs = match_outputs(baseline, candidate)
        eval_config = set_thresholds(
            eval_config, candidate.thresholds, None if baseline is None else baseline.thresholds
        )
        if baseline_outputs != candidate.outputs:
            eval_config = set_baseline_outputs(eval_config, baseline_outputs)
        exec_properties = {
            **exec_properties,
            EVAL_CONFIG_KEY: proto_utils.proto_to_json(eval_config),
            "custom_extractors": _EXTRACTORS,
        }
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION_KEY])
        with gathering(evaluation.uri, candidate, baseline, baseline_outputs):
            super().Do(inputs, output_dict, exec_properties)
        explain_mistakes(evaluation.uri, _model_dir(inputs, MODEL_KEY))
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        if not blessing.has_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY):
            _bless_without_thresholds(blessing)


def _read_eval_config(exec_properties: dict[str, Any]) -> config_pb2.EvalConfig:
    eval_config = config_pb2.EvalConfig()
    proto_utils.json_to_proto(exec_properties[EVAL_CONFIG_KEY], eval_config)
    return eval_config


def _read_model_record(inputs: Artifacts, key: str) -> ModelRecord:
    return registry.ModelRecord.read(_model_dir(inputs, key))


def _model_dir(inputs: Artifacts, key: str) -> str:
    return str(path_utils.serving_model_path(artifact_utils.get_single_instance(inputs[key]).uri))


def _check_labels(candidate: ModelRecord, eval_config: config_pb2.EvalConfig) -> None:
    if candidate.outputs != model_outputs(eval_config):
        raise Refused(
            f"the model was trained on the labels {candidate.outputs}, the evaluation was configured for "
            f"{model_outputs(eval_config)} (None: retired): was the schema changed after the pipeline was compiled?"
        )


def _without_missing_baseline(inputs: Artifacts) -> Artifacts:
    baseline = artifact_utils.get_single_instance(inputs[BASELINE_MODEL_KEY])
    if BaselineRecord.read(baseline.uri).has_baseline:
        return inputs
    return {key: artifacts for key, artifacts in inputs.items() if key != BASELINE_MODEL_KEY}


def _bless_without_thresholds(blessing: types.Artifact) -> None:
    io_utils.write_string_file(f"{blessing.uri}/{constants.BLESSED_FILE_NAME}", "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.BLESSED_VALUE)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY, "no gate is a TFMA threshold that applies"
    )
