"""Executor of `Variants`."""

import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_transform as tft
from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    EXAMPLES_KEY,
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    SCHEMA_KEY,
    TRANSFORM_GRAPH_KEY,
)
from tfx.utils import io_utils, path_utils

from components.blessing.judge import judge_gates
from components.canary.reference import Reference
from components.canary.settings import CanarySettings
from components.canary.trial import try_model
from components.common.files import file_size
from components.common.outcome import Untried
from components.common.progress import PROGRESS
from components.evaluation.gates.gate import Gate
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.values import Evaluation, Metrics
from components.evaluation.results import read_evaluation
from components.registry import BlessedBy, ModelRecord, PassedGate, checksums, content_id
from components.trainer.decisions.thresholds import choose_thresholds
from components.variants.making import Maker, Source
from components.variants.measure import Rows, measure, read_rows
from components.variants.results import VariantResult, VariantResults
from components.variants.settings import VariantsSettings
from schema.label_list import label_list, read_schema

SETTINGS_KEY = "settings"
VARIANTS_KEY = "variants"

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Maker of variants; what became of each is in variants.json."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        inputs = {key: artifact_utils.get_single_instance(artifacts) for key, artifacts in input_dict.items()}
        output = artifact_utils.get_single_uri(output_dict[VARIANTS_KEY])
        settings = VariantsSettings.model_validate_json(exec_properties[SETTINGS_KEY])
        model_dir = path_utils.serving_model_path(inputs[MODEL_KEY].uri)
        is_blessed = model_utils.is_model_blessed(inputs[MODEL_BLESSING_KEY])
        if is_blessed and model_utils.is_infra_validated(inputs[INFRA_BLESSING_KEY]):
            results = _make_variants(inputs, input_dict[EXAMPLES_KEY], settings, output)
        else:
            model_id = ModelRecord.read(model_dir).model_id
            results = VariantResults(model_id=model_id, note="none was made: the model was not blessed")
        results.write(output)


def _make_variants(
    inputs: dict[str, types.Artifact], examples: list[types.Artifact], settings: VariantsSettings, output: str
) -> VariantResults:
    model_dir = path_utils.serving_model_path(inputs[MODEL_KEY].uri)
    PROGRESS.info("reading the model")
    source = Source.read(
        model_dir,
        label_list(read_schema(io_utils.get_only_uri_in_dir(inputs[SCHEMA_KEY].uri))),
        tft.TFTransformOutput(inputs[TRANSFORM_GRAPH_KEY].uri),
        settings,
    )
    active = [label for label in source.record.outputs if label is not None]
    full = _FullModel(
        model_dir,
        Reference.read(inputs[MODEL_KEY].uri),
        read_evaluation(inputs[EVALUATION_KEY].uri, active).candidate,
        [*settings.training.export.variant_gates, *_own_gates(settings.gates)],
        settings.canary,
    )
    workshop = _Workshop(
        source,
        full,
        read_rows(artifact_utils.get_split_uri(examples, "eval")),
        read_rows(artifact_utils.get_split_uri(examples, "test")),
    )
    variants = [workshop.make(name, f"{output}/{name}") for name in settings.training.export.variants]
    size = _size_mb(model_dir)
    return VariantResults(model_id=source.record.model_id, full_size_mb=size, variants=variants)


def _own_gates(gates: Sequence[Gate]) -> list[Gate]:
    """Return the gates of the full model that need neither another model nor a slice."""
    return [gate for gate in gates if not gate.against_baseline and not gate.slice]


@dataclass(frozen=True)
class _FullModel:
    """The model that variants are compared with, and what they must pass.

    Attributes:
        directory: Its SavedModel.
        reference: The Trainer's reference batch.
        metrics: Its metrics on the test split.
        gates: Gates of variants.
        canary: Settings of their trials.
    """

    directory: str
    reference: Reference
    metrics: Metrics
    gates: Sequence[Gate]
    canary: CanarySettings


@dataclass(frozen=True)
class _Workshop:
    """Where variants are made, measured, judged and tried.

    Attributes:
        source: The model that they are made of.
        full: The same model, as it is compared.
        evaluation: Rows of the eval split, for thresholds.
        test: Rows of the test split, for metrics.
    """

    source: Source
    full: _FullModel
    evaluation: Rows
    test: Rows

    def make(self, name: str, destination: str) -> VariantResult:
        """Make a variant in a folder, local or remote; whatever goes wrong is a reason against it and no more."""
        PROGRESS.info("variant %s: converting", name)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary, name)
            try:
                result = self._make(name, folder)
            except Untried as untried:
                return VariantResult(name=name, reasons=[f"not tried: {untried}"])
            except Exception as error:  # above all of other libraries; the full model must not suffer from it
                logging.getLogger(__name__).exception("variant %s", name)
                reason = (str(error).splitlines() or [""])[0]
                return VariantResult(name=name, reasons=[f"cannot be made: {type(error).__name__}: {reason}"])
            io_utils.copy_dir(str(folder), destination)
        return result

    def _make(self, name: str, folder: Path) -> VariantResult:
        maker = maker_of(name, self.source)
        thresholds = self._choose_thresholds(maker)
        maker.write(folder, thresholds)
        record = self.source.record.model_copy(
            update={
                "model_id": content_id(checksums(str(folder))),
                "thresholds": [float(threshold) for threshold in thresholds],
                "variant": name,
                "variant_of": self.source.record.model_id,
            }
        )
        record.write(str(folder))
        predict = maker.load(folder)
        PROGRESS.info("variant %s: measuring on the test split", name)
        metrics = measure(predict(self.test.texts, self.test.text_pairs), self.test, record)
        gates = judge_gates(self.full.gates, Evaluation(candidate=metrics, baseline=self.full.metrics, slices={}))
        reference = self.full.reference
        if not maker.equals_full:
            probabilities = predict(reference.texts, reference.text_pairs or [])
            reference = reference.model_copy(update={"probabilities": probabilities.tolist()})
        verdict = try_model(
            str(folder), record, reference, self.full.canary, live_dir=self.full.directory, form=maker.form
        )
        blessed_by = BlessedBy(
            gates=[_passed(gate) for gate in gates], canary=verdict.findings, model_id=record.model_id
        )
        record.model_copy(update={"macro_f1": metrics.macro_f1, "blessed_by": blessed_by}).write(str(folder))
        return VariantResult(
            name=name,
            reasons=[*(gate.note for gate in gates if not gate.passed), *verdict.reasons],
            size_mb=_size_mb(str(folder)),
            metrics=metrics,
            gates=gates,
            canary=verdict.findings,
        )

    def _choose_thresholds(self, maker: Maker) -> Any:
        PROGRESS.info("choosing thresholds on the eval split")
        source = self.source
        return choose_thresholds(
            maker.predict_unfinished()(self.evaluation.texts, self.evaluation.text_pairs),
            self.evaluation.multi_hot(source.record.labels),
            source.labels.retired_indices,
            source.settings.training.thresholds,
            source.labels.ancestor_indices,
        )


def maker_of(name: str, source: Source) -> Maker:
    """Return the maker of a variant."""
    if name == "bfloat16":
        from components.variants.bfloat16 import BFloat16Maker

        return BFloat16Maker(source)
    from components.variants.onnx_maker import OnnxMaker  # optional packages

    return OnnxMaker(source, quantized=name == "int8")


def _passed(gate: GateResult) -> PassedGate:
    return PassedGate(gate=gate.gate, value=gate.value, bound=gate.bound, note=gate.note)


def _size_mb(folder: str) -> float:
    names = [f"{parent}/{name}" for parent, _, files in fileio.walk(folder) for name in files]
    return round(sum(map(file_size, names)) / 1e6, 1)
