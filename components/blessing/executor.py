"""The last word on whether a model may go live."""

from typing import Any

from tfx import types
from tfx.components.evaluator import constants
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import BLESSING_KEY, EVALUATION_KEY, MODEL_BLESSING_KEY, MODEL_KEY
from tfx.utils import io_utils, path_utils

from components.baseline.record import BaselineRecord, read_baseline
from components.behaviour.results import Results
from components.behaviour.results import gate_results as behaviour_gate_results
from components.blessing.judge import gate_results, small_slices
from components.blessing.judgement import BlessingSettings, Judgement, judgement, write_judgement
from components.evaluation.gates.gate import parse_gate
from components.evaluation.results import read_evaluation
from components.registry import ModelRecord

BASELINE_KEY = "baseline"
BEHAVIOUR_KEY = "behaviour"
SETTINGS_KEY = "settings"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Decides every gate, and blesses as TFX's Evaluator does: by the same file and the same artifact properties."""

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
        baseline = read_baseline(inputs[BASELINE_KEY].uri)
        judged = _judge(inputs, baseline, BlessingSettings.model_validate_json(exec_properties[SETTINGS_KEY]))
        write_judgement(blessing.uri, judged)
        _mark(blessing, judged, inputs[MODEL_KEY], inputs[BASELINE_KEY] if baseline.has_baseline else None)


def _judge(inputs: dict[str, types.Artifact], baseline: BaselineRecord, settings: BlessingSettings) -> Judgement:
    model = ModelRecord.read(path_utils.serving_model_path(inputs[MODEL_KEY].uri))
    active = [label for label in model.outputs if label is not None]
    evaluation = read_evaluation(inputs[EVALUATION_KEY].uri, active, baseline.lacks)
    results = gate_results(
        [parse_gate(gate) for gate in settings.gates],
        evaluation,
        min_support=settings.min_support,
        unverified=settings.unverified,
        no_baseline="the baseline was set aside" if baseline.set_aside else "no baseline yet",
    )
    if BEHAVIOUR_KEY in inputs:
        results += behaviour_gate_results(Results.read(inputs[BEHAVIOUR_KEY].uri))
    return judgement(
        results,
        evaluator_blessed=model_utils.is_model_blessed(inputs[MODEL_BLESSING_KEY]),
        min_support=settings.min_support,
        small_slices=small_slices(evaluation, settings.min_support),
    )


def _mark(blessing: types.Artifact, judged: Judgement, model: types.Artifact, baseline: types.Artifact | None) -> None:
    """As `tfx.components.evaluator.executor` marks its own."""
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if baseline is not None:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id)
    message = "; ".join(judged.reasons) or judged.note
    if message:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BLESSING_MESSAGE_KEY, message)
    name = constants.BLESSED_FILE_NAME if judged.blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(f"{blessing.uri}/{name}", "")
    value = constants.BLESSED_VALUE if judged.blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
