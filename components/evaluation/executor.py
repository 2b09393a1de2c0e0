"""Executor of the Evaluator: TFX's, on the test split, with a baseline that may be missing."""

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
from components.baseline.record import read_baseline
from components.baseline.shared_labels import outputs_in_terms_of
from components.evaluation.eval_config import compared_with, outputs_of, with_thresholds
from components.evaluation.insights.gather import gathering
from components.registry import ModelRecord
from schema.errors import Refused

# TFX's Evaluator finds the function by its path.
_EXTRACTORS = "components.evaluation.extractors.custom_extractors"

Artifacts = dict[str, list[types.Artifact]]


class Executor(tfx_executor.Executor):  # type: ignore[misc]
    """TFX's Evaluator, but for five things.

    - A baseline artifact that says that it holds no model is left out: TFX then measures the candidate alone and
      ignores the gates against the baseline.
    - A baseline with another label list is compared on the labels that both models have. Only here are both known, so
      the configured evaluation is adapted here, and with it what decides, TFMA's thresholds.
    - If no threshold remains, TFX would neither bless nor not bless, without a word (tfx issue 5148). Here none was
      asked of the model, so it is blessed, and the artifact says why. (What no threshold can say is asked in
      `components.blessing`.)
    - The models' thresholds are put into the evaluation, and texts are sliced by the bucket of their length.
    - Beside TFMA's results lies insights.json: what curves, confusions and mistakes are drawn from.
    - A candidate with other labels than those to be measured is refused: its columns would be taken for others.
    """

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        eval_config = _read_eval_config(exec_properties)
        candidate = _record(input_dict, MODEL_KEY)
        _check_labels(candidate, eval_config)
        present = _without_missing_baseline(input_dict)
        baseline, outputs = None, candidate.outputs
        if BASELINE_MODEL_KEY in present:
            baseline = _record(present, BASELINE_MODEL_KEY)
            outputs = outputs_in_terms_of(baseline, candidate)
        eval_config = with_thresholds(
            eval_config, candidate.thresholds, None if baseline is None else baseline.thresholds
        )
        if outputs != candidate.outputs:
            eval_config = compared_with(eval_config, outputs)
        exec_properties = {**exec_properties, EVAL_CONFIG_KEY: proto_utils.proto_to_json(eval_config)}
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION_KEY])
        with gathering(evaluation.uri, candidate, baseline, outputs):
            super().Do(present, output_dict, {**exec_properties, "custom_extractors": _EXTRACTORS})
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        if not blessing.has_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY):
            _bless_unasked(blessing)


def _read_eval_config(exec_properties: dict[str, Any]) -> config_pb2.EvalConfig:
    eval_config = config_pb2.EvalConfig()
    proto_utils.json_to_proto(exec_properties[EVAL_CONFIG_KEY], eval_config)
    return eval_config


def _record(input_dict: Artifacts, key: str) -> ModelRecord:
    model = artifact_utils.get_single_instance(input_dict[key])
    return registry.ModelRecord.read(path_utils.serving_model_path(model.uri))


def _check_labels(candidate: ModelRecord, eval_config: config_pb2.EvalConfig) -> None:
    if candidate.outputs != outputs_of(eval_config):
        raise Refused(
            f"the model was trained on the labels {candidate.outputs}, the evaluation was configured for "
            f"{outputs_of(eval_config)} (None: retired): was the schema changed after the pipeline was compiled?"
        )


def _without_missing_baseline(input_dict: Artifacts) -> Artifacts:
    baseline = artifact_utils.get_single_instance(input_dict[BASELINE_MODEL_KEY])
    if read_baseline(baseline.uri).has_baseline:
        return input_dict
    return {key: artifacts for key, artifacts in input_dict.items() if key != BASELINE_MODEL_KEY}


def _bless_unasked(blessing: types.Artifact) -> None:
    io_utils.write_string_file(f"{blessing.uri}/{constants.BLESSED_FILE_NAME}", "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.BLESSED_VALUE)
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY, "no threshold applied: nothing was asked of the model"
    )
