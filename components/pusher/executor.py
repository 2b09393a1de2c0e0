"""Executor of the Pusher."""

from typing import Any, ClassVar

from absl import logging
from pydantic import Field
from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    PUSH_DESTINATION_KEY,
    PUSHED_MODEL_KEY,
)
from tfx.utils import proto_utils

from components import registry
from components.baseline.choice import choose_baseline, read_model_id
from components.baseline.record import BaselineRecord
from components.canary.verdict import CanaryVerdict
from components.common.files import exists
from components.common.record import Record
from components.evaluation.results import read_evaluation
from components.example_gen.report import IngestReport
from components.pusher.push_result import PushResult
from components.registry import BlessedBy, Claimant, ModelRecord, PassedGate, TrainedOn
from components.variants.results import VariantResults
from schema.errors import Refused

BASELINE_KEY = "baseline"
PIPELINE_KEY = "pipeline"
QUARANTINE_KEY = "quarantine"
VARIANTS_KEY = "variants"

Artifacts = dict[str, list[types.Artifact]]


class Executor(tfx_executor.Executor):  # type: ignore[misc]
    """TFX's Pusher with the registry's push: complete or absent, and never the same model twice in a row.

    The PushedModel artifact is marked as TFX marks it, and its pushed.json says where the model is. Unlike TFX's, it
    holds no second copy of the model, which may be half a gigabyte. To what the Trainer wrote, the version's model.json
    adds what the model was trained on and what it passed. A model that a rollback withdrew is not pushed, nor is one
    that was not compared with the live model, because another run or a rollback made that one live meanwhile.

    Raises:
        Refused: The model's files are not those that were exported or that the gates and the canary decided on, or the
            registry belongs to another pipeline.
    """

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        pushed_model = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        result = self._push(input_dict, _base(exec_properties), exec_properties[PIPELINE_KEY])
        result.write(pushed_model.uri)
        if result.path is None:
            self._MarkNotPushed(pushed_model)
        else:
            self._MarkPushed(pushed_model, pushed_destination=result.path, pushed_version=str(result.number))

    def _push(self, inputs: Artifacts, base: str, pipeline: str) -> PushResult:
        if not self.CheckBlessing(inputs):
            return PushResult()
        model_dir = self.GetModelPath(inputs)
        record = _complete(ModelRecord.read(model_dir), inputs)
        registry.check_export(model_dir, record)
        registry.check_owner(base, Claimant(pipeline=pipeline, labels=record.labels, renamed=record.renamed))
        withdrawn = registry.withdrawn(base, record.model_id)
        if withdrawn is not None:
            remedy = (
                f"`bert-multilabel models rollback --to {withdrawn.number}` makes it the latest again"
                if exists(withdrawn.path)
                else "it was removed since; train another one"
            )
            return PushResult(
                reason=f"not pushed: the model is version {withdrawn.number}, which was rolled back; {remedy}"
            )
        if reason := _not_compared(record, base, inputs):
            return PushResult(reason=reason)
        variants = _read_variants(record, inputs)
        version = registry.push(model_dir, base, record, pipeline, variants=variants)
        logging.info("The registry's latest version is %s.", version.path)
        paths = {name: registry.variant_path(base, name, version.number) for name in variants}
        return PushResult(number=version.number, path=version.path, variants=paths)


class _Gates(Record):
    """Gates of the final ModelBlessing, with the fields that a model's record repeats."""

    FILE: ClassVar = "gates.json"

    model_id: str | None = None
    gates: list[PassedGate] = Field(default=[])


def _base(exec_properties: dict[str, Any]) -> str:
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[PUSH_DESTINATION_KEY], destination)
    base: str = destination.filesystem.base_directory
    return base


def _not_compared(candidate: ModelRecord, base: str, inputs: Artifacts) -> str:
    """Return why a candidate must not replace the live model; empty if it was compared with it, or with a newer one."""
    if not inputs.get(BASELINE_KEY):
        return ""
    compared = BaselineRecord.read(artifact_utils.get_single_instance(inputs[BASELINE_KEY]).uri)
    live = choose_baseline(base, candidate)
    if live is None or live.number <= (compared.version or 0):
        return ""
    model_id = read_model_id(live)
    if model_id is not None and model_id == compared.model_id:  # a rollback has put it under another number
        return ""
    return (
        f"not pushed: version {live.number} became the latest while this run was in progress, and the model was not"
        " compared with it; run again"
    )


def _complete(record: ModelRecord, inputs: Artifacts) -> ModelRecord:
    """Return the record with what only the steps before the push know."""
    uris = {key: artifact_utils.get_single_instance(artifacts).uri for key, artifacts in inputs.items() if artifacts}
    update: dict[str, Any] = {}
    if QUARANTINE_KEY in uris:
        report = IngestReport.read(uris[QUARANTINE_KEY])
        update["trained_on"] = TrainedOn(digest=report.digest, rows=dict(report.splits), spans=report.spans)
    if EVALUATION_KEY in uris:
        active = [label for label in record.outputs if label is not None]
        update["macro_f1"] = read_evaluation(uris[EVALUATION_KEY], active).candidate.macro_f1
    canary = CanaryVerdict.read(uris[INFRA_BLESSING_KEY]) if INFRA_BLESSING_KEY in uris else None
    gates = _read_gates(uris[MODEL_BLESSING_KEY])
    judged = {gates.model_id, *([canary.model_id] if canary else [])} - {None}
    if judged - {record.model_id}:
        raise Refused(
            f"{uris[MODEL_KEY]}: the gates or the canary decided on another model than {record.model_id}; run again"
        )
    update["blessed_by"] = BlessedBy(
        gates=gates.gates, canary=canary.findings if canary else None, model_id=record.model_id if judged else None
    )
    return record.model_copy(update=update)


def _read_variants(record: ModelRecord, inputs: Artifacts) -> dict[str, registry.Incoming]:
    """Return the variants to push beside a model, by name.

    Raises:
        Refused: They were made of another model, or one is not what its gates decided on.
    """
    if not inputs.get(VARIANTS_KEY):
        return {}
    uri = artifact_utils.get_single_instance(inputs[VARIANTS_KEY]).uri
    results = VariantResults.read(uri)
    if results.model_id != record.model_id:
        raise Refused(f"{uri}: the variants are of another model than {record.model_id}; run again")
    variants = {}
    for name in results.holding:
        directory = f"{uri}/{name}"
        own = ModelRecord.read(directory)
        registry.check_export(directory, own)
        variants[name] = registry.Incoming(directory, own.model_copy(update={"trained_on": record.trained_on}))
    return variants


def _read_gates(blessing_uri: str) -> _Gates:
    try:
        return _Gates.read(blessing_uri)
    except FileNotFoundError:
        return _Gates()  # TFX's own Evaluator writes none
