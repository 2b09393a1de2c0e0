"""Puts a blessed model into the registry, where it is served and where the next run finds its baseline."""

import json
from typing import Any, ClassVar

from absl import logging
from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    PUSH_DESTINATION_KEY,
    PUSHED_MODEL_KEY,
    PusherSpec,
)
from tfx.utils import proto_utils

from components import registry
from components.canary.verdict import CanaryVerdict
from components.common.files import exists, make_folder, read_bytes
from components.evaluation.results import read_evaluation
from components.example_gen.artifacts import Quarantine
from components.example_gen.report import IngestReport
from components.pusher.driver import Driver
from components.pusher.outcome import Pushed, write_pushed
from components.registry import BlessedBy, GateOutcome, ModelRecord, TrainedOn

QUARANTINE_KEY = "quarantine"
_GATES_FILE = "gates.json"

Artifacts = dict[str, list[types.Artifact]]


class Executor(tfx_executor.Executor):  # type: ignore[misc]
    """TFX's Pusher with the registry's push: complete or absent, and never the same model twice in a row.

    The PushedModel artifact is marked as TFX marks it, and says in pushed.json where the model is; unlike TFX's it
    holds no second copy of the model, which may be half a gigabyte. The version's model.json says besides what the
    Trainer knew what the model was trained on and what blessed it. A model that a rollback took back is not pushed.
    """

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        pushed_model = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        pushed = self._push(input_dict, _base(exec_properties))
        make_folder(pushed_model.uri)
        write_pushed(pushed_model.uri, pushed)
        if pushed.path is None:
            self._MarkNotPushed(pushed_model)
        else:
            self._MarkPushed(pushed_model, pushed_destination=pushed.path, pushed_version=str(pushed.number))

    def _push(self, inputs: Artifacts, base: str) -> Pushed:
        if not self.CheckBlessing(inputs):
            return Pushed()
        model_dir = self.GetModelPath(inputs)
        record = registry.ModelRecord.read(model_dir)
        taken_back = registry.withdrawn(base, record.model_id)
        if taken_back is not None:
            return Pushed(reason=_why_not(taken_back.number))
        version = registry.push(model_dir, base, _completed(record, inputs))
        logging.info("The registry's latest version is %s.", version.path)
        return Pushed(number=version.number, path=version.path)


class RegistryPusherSpec(PusherSpec):  # type: ignore[misc]
    """Interface of `RegistryPusher`: TFX's, and what tells of the model what the Trainer cannot know."""

    INPUTS: ClassVar = PusherSpec.INPUTS | {
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation, optional=True),
        QUARANTINE_KEY: ChannelParameter(type=Quarantine, optional=True),
    }


class RegistryPusher(base_component.BaseComponent):  # type: ignore[misc]
    """Pushes the model if everyone who was asked blessed it.

    Args:
        model: the candidate, with model.json.
        model_blessing: the Evaluator's; its gates.json, if it has one, goes into the version's model.json.
        push_destination: the registry; created if missing.
        infra_blessing: of the canary, if there is one; its canary.json likewise.
        evaluation: the Evaluator's, for the macro F1.
        quarantine: of the ExampleGen, for the rows and spans.
    """

    SPEC_CLASS = RegistryPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        push_destination: str,
        infra_blessing: types.BaseChannel | None = None,
        evaluation: types.BaseChannel | None = None,
        quarantine: types.BaseChannel | None = None,
    ) -> None:
        filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=push_destination)
        super().__init__(
            spec=RegistryPusherSpec(
                model=model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                evaluation=evaluation,
                quarantine=quarantine,
                push_destination=pusher_pb2.PushDestination(filesystem=filesystem),
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )


def _base(exec_properties: dict[str, Any]) -> str:
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[PUSH_DESTINATION_KEY], destination)
    base: str = destination.filesystem.base_directory
    return base


def _why_not(number: int) -> str:
    return (
        f"not pushed: the model is version {number}, which was rolled back; "
        f"`bert-multilabel models rollback --to {number}` makes it the latest again"
    )


def _completed(record: ModelRecord, inputs: Artifacts) -> ModelRecord:
    """The record with what only the steps before the push know."""
    uris = {key: artifact_utils.get_single_instance(artifacts).uri for key, artifacts in inputs.items() if artifacts}
    known: dict[str, Any] = {}
    if QUARANTINE_KEY in uris:
        report = IngestReport.read(uris[QUARANTINE_KEY])
        known["trained_on"] = TrainedOn(digest=report.digest, rows=dict(report.splits), spans=report.spans)
    if EVALUATION_KEY in uris:
        active = [label for label in record.outputs if label is not None]
        known["macro_f1"] = read_evaluation(uris[EVALUATION_KEY], active).candidate.macro_f1
    canary = CanaryVerdict.read(uris[INFRA_BLESSING_KEY]).findings if INFRA_BLESSING_KEY in uris else None
    known["blessed_by"] = BlessedBy(gates=_gates(uris[MODEL_BLESSING_KEY]), canary=canary)
    return record.model_copy(update=known)


def _gates(blessing_uri: str) -> list[GateOutcome]:
    """What the blessing says of its gates, if it says anything."""
    path = f"{blessing_uri}/{_GATES_FILE}"
    said = json.loads(read_bytes(path))["gates"] if exists(path) else []
    return [GateOutcome(**{name: gate[name] for name in GateOutcome.model_fields if name in gate}) for gate in said]
