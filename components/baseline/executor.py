"""Copies the model to compare with out of the registry, or records why there is none."""

from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EXAMPLES_KEY, MODEL_KEY
from tfx.utils import path_utils

from components import registry
from components.baseline.choice import choose_baseline, model_id_of
from components.baseline.driver import REGISTRY_KEY, VERSION_KEY
from components.baseline.record import BaselineRecord, write_baseline
from components.baseline.shared_labels import lacking, outputs_in_terms_of
from components.baseline.trial import why_not_evaluated
from components.registry import ModelRecord, Version
from schema.errors import Refused

TEST = "test"
BASELINE_KEY = "baseline"
BROKEN_KEY = "broken"
_STOP = "stop"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Fills the `baseline` artifact: with a copy, so that a registry pruned meanwhile does not matter, or without.

    Raises:
        Refused: the last model cannot be compared with, and the configuration says to stop then.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        candidate = registry.ModelRecord.read(path_utils.serving_model_path(model.uri))
        baseline = artifact_utils.get_single_instance(output_dict[BASELINE_KEY])
        test = artifact_utils.get_split_uris(input_dict[EXAMPLES_KEY], TEST)
        version = _chosen(exec_properties, candidate)
        record = _fetch(version, candidate, baseline.uri, test)
        if version is not None and record.set_aside and exec_properties[BROKEN_KEY] == _STOP:
            raise Refused(
                f"{version.path}: the last blessed model cannot be compared with: {record.set_aside}; mend or remove "
                "the version, or set evaluation.broken_baseline to set_aside, to go on without the gates against it"
            )
        write_baseline(baseline.uri, record)
        _describe(baseline, record)


def _chosen(exec_properties: dict[str, Any], candidate: ModelRecord) -> Version | None:
    """The driver's choice, or where no driver ran, the same made now."""
    path = exec_properties.get(VERSION_KEY)
    if path is None:
        return choose_baseline(exec_properties[REGISTRY_KEY], candidate)
    return Version(number=int(path.rsplit("/", 1)[-1]), path=path) if path else None


def _fetch(version: Version | None, candidate: ModelRecord, uri: str, examples: list[str]) -> BaselineRecord:
    if version is None:
        return BaselineRecord(has_baseline=False)
    model_dir = path_utils.serving_model_dir(uri)
    _copy(version, model_dir)
    model_id = model_id_of(Version(number=version.number, path=model_dir))
    why_not = _unfit(model_dir, candidate, examples)
    if why_not is None:
        lacks, only_its = _difference(registry.ModelRecord.read(model_dir), candidate)
        return BaselineRecord(
            has_baseline=True, version=version.number, model_id=model_id, lacks=lacks, only_its=only_its
        )
    # Set aside: or no later model could replace the one that does not fit (tfx issue 4390).
    fileio.rmtree(model_dir)
    return BaselineRecord(has_baseline=False, version=version.number, model_id=model_id, set_aside=why_not)


def _copy(version: Version, model_dir: str) -> None:
    try:
        registry.copy_model(version.path, model_dir)
    except (OSError, tf.errors.OpError) as error:
        raise Refused(
            f"{version.path}: the baseline could not be copied from the registry; "
            "was the version removed meanwhile? Run again to compare with the one that is left"
        ) from error


def _unfit(model_dir: str, candidate: ModelRecord, examples: list[str]) -> str | None:
    """Why a model cannot be compared with the candidate, None if it can."""
    try:
        baseline = registry.ModelRecord.read(model_dir)
    except Refused as refused:
        return str(refused).removeprefix(f"{model_dir}/")
    if not any(outputs_in_terms_of(baseline, candidate)):
        lacks, only_its = _difference(baseline, candidate)
        return (
            f"none of its labels is the candidate's: it lacks {', '.join(lacks)}; "
            f"only it has {', '.join(only_its) or 'retired ones'}"
        )
    return why_not_evaluated(model_dir, len(baseline.outputs), examples)


def _difference(baseline: ModelRecord, candidate: ModelRecord) -> tuple[list[str], list[str]]:
    """The labels that only the candidate has in use, and those that only the baseline has."""
    outputs = outputs_in_terms_of(baseline, candidate)
    only_its = [label for label, shared in zip(baseline.outputs, outputs, strict=True) if label and not shared]
    return lacking(outputs, candidate), only_its


def _describe(baseline: types.Artifact, record: BaselineRecord) -> None:
    """The record as artifact properties, for who looks at the metadata."""
    baseline.set_int_custom_property("has_baseline", int(record.has_baseline))
    if record.version is not None:
        baseline.set_int_custom_property("version", record.version)
    if record.model_id is not None:
        baseline.set_string_custom_property("model_id", record.model_id)
    if record.set_aside is not None:
        baseline.set_string_custom_property("set_aside", record.set_aside)
