"""Executor that decides every gate."""

from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import BLESSING_KEY, EVALUATION_KEY, MODEL_BLESSING_KEY, MODEL_KEY
from tfx.utils import io_utils, path_utils

from components.baseline.record import BaselineRecord
from components.behaviour.results import Results
from components.behaviour.results import gate_results as behaviour_gate_results
from components.blessing.judge import judge_gates, small_slices
from components.blessing.judgement import Judgement, judge_model
from components.blessing.settings import BlessingSettings
from components.evaluation.results import read_evaluation
from components.registry import ModelRecord, check_export

BASELINE_KEY = "baseline"
BEHAVIOUR_KEY = "behaviour"
SETTINGS_KEY = "settings"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Executor of `Blessing`. It marks the blessing as TFX's Evaluator does: by a file and by artifact properties."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        inputs = {
            key: artifact_utils.get_single_instance(artifacts) for key, artifacts in input_dict.items() if artifacts
        }
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        baseline = BaselineRecord.read(inputs[BASELINE_KEY].uri)
        judgement = _judge(inputs, baseline, BlessingSettings.model_validate_json(exec_properties[SETTINGS_KEY]))
        judgement.write(blessing.uri)
        _mark(blessing, judgement, inputs[MODEL_KEY], inputs[BASELINE_KEY] if baseline.has_baseline else None)


def _judge(inputs: dict[str, types.Artifact], baseline: BaselineRecord, settings: BlessingSettings) -> Judgement:
    model_dir = path_utils.serving_model_path(inputs[MODEL_KEY].uri)
    model = ModelRecord.read(model_dir)
    check_export(model_dir, model)
    active = [label for label in model.outputs if label is not None]
    evaluation = read_evaluation(inputs[EVALUATION_KEY].uri, active, baseline.lacks)
    results = judge_gates(
        settings.gates,
        evaluation,
        min_support=settings.min_support,
        unverified=settings.unverified,
        no_baseline="the baseline was set aside" if baseline.set_aside else "no baseline yet",
    )
    if BEHAVIOUR_KEY in inputs:
        results += behaviour_gate_results(Results.read(inputs[BEHAVIOUR_KEY].uri))
    judgement = judge_model(
        results,
        evaluator_blessed=model_utils.is_model_blessed(inputs[MODEL_BLESSING_KEY]),
        min_support=settings.min_support,
        small_slices=small_slices(evaluation, settings.min_support),
    )
    return judgement.model_copy(update={"model_id": model.model_id})


def _mark(
    blessing: types.Artifact, judgement: Judgement, model: types.Artifact, baseline: types.Artifact | None
) -> None:
    """Mark the artifact as `tfx.components.evaluator.executor` does, for every reader of standard blessings."""
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if baseline is not None:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id)
    message = "; ".join(judgement.reasons) or judgement.note
    if message:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY, message)
    name = constants.BLESSED_FILE_NAME if judgement.blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(f"{blessing.uri}/{name}", "")
    value = constants.BLESSED_VALUE if judgement.blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
