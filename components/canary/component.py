"""The canary: no model goes to the registry that does not answer in a fresh process.

It stands where TFX's InfraValidator stands and gives what that gives, an InfraBlessing, but needs no Docker. The
InfraValidator itself, with TensorFlow Serving, can be asked besides, see `infra_validator`.
"""

from typing import Any, ClassVar

from tfx import types
from tfx.components import InfraValidator
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.proto import infra_validator_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import BLESSING_KEY, INFRA_BLESSING_KEY, MODEL_KEY
from tfx.utils import path_utils

from components import registry
from components.baseline.record import read_baseline
from components.canary.reference import Reference
from components.canary.settings import CanarySettings, InfraValidatorSettings
from components.canary.trial import try_model
from components.canary.verdict import CanaryVerdict
from components.common.files import write_whole

BASELINE_KEY = "baseline"
SETTINGS_KEY = "settings"
# As TFX's InfraValidator marks its artifact, which TFX's Pusher asks.
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
        live = read_baseline(baseline.uri)
        verdict = try_model(
            model_dir,
            registry.ModelRecord.read(model_dir),
            _reference(model.uri),
            CanarySettings.model_validate_json(exec_properties[SETTINGS_KEY]),
            live_dir=path_utils.serving_model_path(baseline.uri) if live.has_baseline else None,
            no_live_model=live.set_aside or "there is none yet",
        )
        validated = input_dict.get(INFRA_BLESSING_KEY)
        if validated and not model_utils.is_infra_validated(artifact_utils.get_single_instance(validated)):
            reason = "TFX's InfraValidator did not bless the model; the log says why"
            verdict = verdict.model_copy(update={"passed": False, "reasons": [*verdict.reasons, reason]})
        _mark(artifact_utils.get_single_instance(output_dict[BLESSING_KEY]), verdict)


class CanarySpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `Canary`."""

    PARAMETERS: ClassVar = {SETTINGS_KEY: ExecutionParameter(type=str)}
    INPUTS: ClassVar = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        BASELINE_KEY: ChannelParameter(type=standard_artifacts.Model),
        INFRA_BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
    }
    OUTPUTS: ClassVar = {BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing)}


class Canary(base_component.BaseComponent):  # type: ignore[misc]
    """Tries the exported model as a server would, and blesses it for the Pusher or says why not.

    Args:
        model: the candidate, with model.json and the Trainer's stored batch.
        baseline: what `RegistryBaseline` gives; its latency is the measure of the candidate's.
        settings: what is asked.
        infra_blessing: of TFX's InfraValidator, if that is asked as well: then the model must pass both.
    """

    SPEC_CLASS = CanarySpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        baseline: types.BaseChannel,
        settings: CanarySettings,
        infra_blessing: types.BaseChannel | None = None,
    ) -> None:
        blessing = types.Channel(type=standard_artifacts.InfraBlessing)
        super().__init__(
            spec=CanarySpec(
                model=model,
                baseline=baseline,
                settings=settings.model_dump_json(),
                infra_blessing=infra_blessing,
                blessing=blessing,
            )
        )


def infra_validator(
    model: types.BaseChannel, examples: types.BaseChannel, settings: InfraValidatorSettings
) -> InfraValidator:
    """TFX's InfraValidator: TensorFlow Serving, in a container, loads the model and answers raw examples.

    Args:
        model: the candidate.
        examples: raw, with a split named eval.
        settings: where it runs, and how often it is tried.
    """
    serving = infra_validator_pb2.ServingSpec(
        tensorflow_serving=infra_validator_pb2.TensorFlowServing(image_name=settings.image, tags=settings.tags)
    )
    if settings.platform == "docker":
        serving.local_docker.SetInParent()
    else:
        serving.kubernetes.SetInParent()
    return InfraValidator(
        model=model,
        examples=examples,
        serving_spec=serving,
        request_spec=infra_validator_pb2.RequestSpec(
            # The one signature that takes serialized examples and has no labels to fill in.
            tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(signature_names=["serving_default"]),
            split_name="eval",
            num_examples=settings.examples,
        ),
        validation_spec=infra_validator_pb2.ValidationSpec(
            max_loading_time_seconds=settings.timeout_s, num_tries=settings.tries
        ),
    )


def _reference(model_uri: str) -> Reference | None:
    """Return the reference batch of a Model artifact; None if its Trainer left none."""
    try:
        return Reference.read(model_uri)
    except FileNotFoundError:
        return None


def _mark(blessing: types.Artifact, verdict: CanaryVerdict) -> None:
    verdict.write(blessing.uri)
    write_whole(f"{blessing.uri}/{_BLESSED_FILE if verdict.passed else _NOT_BLESSED_FILE}", b"")
    blessing.set_int_custom_property(_BLESSED_KEY, int(verdict.passed))
