"""Executor of the canary."""

from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import BLESSING_KEY, INFRA_BLESSING_KEY, MODEL_KEY
from tfx.utils import path_utils

from components.baseline.record import BaselineRecord
from components.canary.reference import Reference
from components.canary.settings import CanarySettings
from components.canary.trial import try_model
from components.canary.verdict import CanaryVerdict
from components.common.files import write_whole
from components.common.outcome import Untried
from components.registry import CanaryFindings, ModelRecord, check_export

BASELINE_KEY = "baseline"
SETTINGS_KEY = "settings"
# TFX's InfraValidator marks its artifact so, and TFX's Pusher reads these marks.
_BLESSED_KEY, _BLESSED_FILE, _NOT_BLESSED_FILE = "blessed", "INFRA_BLESSED", "INFRA_NOT_BLESSED"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Tries the model, and writes the verdict into the InfraBlessing as `canary.json`."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        baseline = artifact_utils.get_single_instance(input_dict[BASELINE_KEY])
        model_dir = path_utils.serving_model_path(model.uri)
        live = BaselineRecord.read(baseline.uri)
        record = ModelRecord.read(model_dir)
        check_export(model_dir, record)
        validated = input_dict.get(INFRA_BLESSING_KEY)
        refused = validated and not model_utils.is_infra_validated(artifact_utils.get_single_instance(validated))
        try:
            verdict = try_model(
                model_dir,
                record,
                _reference(model.uri),
                CanarySettings.model_validate_json(exec_properties[SETTINGS_KEY]),
                live_dir=path_utils.serving_model_path(baseline.uri) if live.has_baseline else None,
                no_live_model=live.set_aside or "there is none yet",
            )
        except Untried:
            if not refused:
                raise
            verdict = CanaryVerdict(passed=False, reasons=[], findings=CanaryFindings())
        if refused:
            reason = "TFX's InfraValidator did not bless the model; the log says why"
            verdict = verdict.model_copy(update={"passed": False, "reasons": [*verdict.reasons, reason]})
        verdict = verdict.model_copy(update={"model_id": record.model_id})
        _bless(artifact_utils.get_single_instance(output_dict[BLESSING_KEY]), verdict)


def _reference(model_uri: str) -> Reference | None:
    """Return the reference batch of a Model artifact; None if its Trainer left none."""
    try:
        return Reference.read(model_uri)
    except FileNotFoundError:
        return None


def _bless(blessing: types.Artifact, verdict: CanaryVerdict) -> None:
    verdict.write(blessing.uri)
    write_whole(f"{blessing.uri}/{_BLESSED_FILE if verdict.passed else _NOT_BLESSED_FILE}", b"")
    blessing.set_int_custom_property(_BLESSED_KEY, int(verdict.passed))
