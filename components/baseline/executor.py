"""Executor that copies the baseline out of the registry, or records why there is none."""

from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EXAMPLES_KEY, MODEL_KEY
from tfx.utils import path_utils

from components import registry
from components.baseline.choice import choose_baseline, read_model_id
from components.baseline.driver import REGISTRY_KEY, VERSION_KEY
from components.baseline.record import BaselineRecord
from components.baseline.settings import BaselineSettings
from components.baseline.shared_labels import match_outputs, missing_labels
from components.baseline.trial import try_evaluation
from components.registry import ModelRecord, Version
from schema.errors import Refused

BASELINE_KEY = "baseline"
SETTINGS_KEY = "settings"
_TEST = "test"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Executor of `RegistryBaseline`. It copies the model, so that the registry may be pruned while the run goes on.

    Where it can, the copy consists of hard links, which take no space.

    Raises:
        Refused: The last model cannot be compared with, and the settings say to stop in that case.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        settings = BaselineSettings.model_validate_json(exec_properties[SETTINGS_KEY])
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        candidate = registry.ModelRecord.read(path_utils.serving_model_path(model.uri))
        baseline = artifact_utils.get_single_instance(output_dict[BASELINE_KEY])
        test_splits = artifact_utils.get_split_uris(input_dict[EXAMPLES_KEY], _TEST)
        version = _choose_version(exec_properties, candidate)
        record = _fetch(version, candidate, baseline.uri, test_splits)
        if version is not None and record.set_aside and settings.broken == "stop":
            raise Refused(
                f"{version.path}: the last blessed model cannot be compared with: {record.set_aside}; repair or remove "
                "the version, or set evaluation.broken_baseline to set_aside, to skip the gates against it"
            )
        record.write(baseline.uri)
        _set_properties(baseline, record)


def _choose_version(exec_properties: dict[str, Any], candidate: ModelRecord) -> Version | None:
    """Return the version that the driver chose, or where no driver ran, choose it now."""
    path = exec_properties.get(VERSION_KEY)
    if path is None:
        return choose_baseline(exec_properties[REGISTRY_KEY], candidate)
    return Version(number=int(path.rsplit("/", 1)[-1]), path=path) if path else None


def _fetch(version: Version | None, candidate: ModelRecord, uri: str, test_splits: list[str]) -> BaselineRecord:
    """Copy a version into the artifact, if it can be compared with, and return the record of it."""
    if version is None:
        return BaselineRecord(has_baseline=False)
    model_dir = path_utils.serving_model_dir(uri)
    _copy(version, model_dir)
    model_id = read_model_id(Version(number=version.number, path=model_dir))
    problem = _find_problem(model_dir, candidate, test_splits)
    if problem is None:
        lacks, only_its = _compare_labels(registry.ModelRecord.read(model_dir), candidate)
        return BaselineRecord(
            has_baseline=True, version=version.number, model_id=model_id, lacks=lacks, only_its=only_its
        )
    # If the run failed here, no later model could replace the one that cannot be compared with (tfx issue 4390).
    fileio.rmtree(model_dir)
    return BaselineRecord(has_baseline=False, version=version.number, model_id=model_id, set_aside=problem)


def _copy(version: Version, model_dir: str) -> None:
    try:
        registry.copy_model(version.path, model_dir, link=True)
    except (OSError, tf.errors.OpError) as error:
        raise Refused(
            f"{version.path}: the baseline cannot be copied from the registry; was the version removed meanwhile? "
            "Run again to compare with the last version that is left"
        ) from error


def _find_problem(model_dir: str, candidate: ModelRecord, test_splits: list[str]) -> str | None:
    """Return why a model cannot be compared with the candidate, in one line; None if it can."""
    try:
        baseline = registry.ModelRecord.read(model_dir)
    except Refused as refused:
        return str(refused).removeprefix(f"{model_dir}/")
    if found := registry.differences(model_dir, baseline):
        return found[0]
    if not any(match_outputs(baseline, candidate)):
        lacks, only_its = _compare_labels(baseline, candidate)
        return (
            f"it has none of the candidate's labels: it lacks {', '.join(lacks)}; "
            f"it has {', '.join(only_its) or 'retired ones only'}"
        )
    return try_evaluation(model_dir, len(baseline.outputs), test_splits)


def _compare_labels(baseline: ModelRecord, candidate: ModelRecord) -> tuple[list[str], list[str]]:
    """Return the labels that only the candidate has in use, and those that only the baseline has in use."""
    outputs = match_outputs(baseline, candidate)
    only_its = [label for label, shared in zip(baseline.outputs, outputs, strict=True) if label and not shared]
    return missing_labels(outputs, candidate), only_its


def _set_properties(baseline: types.Artifact, record: BaselineRecord) -> None:
    """Set the record as artifact properties, for people who browse the metadata."""
    baseline.set_int_custom_property("has_baseline", int(record.has_baseline))
    if record.version is not None:
        baseline.set_int_custom_property("version", record.version)
    if record.model_id is not None:
        baseline.set_string_custom_property("model_id", record.model_id)
    if record.set_aside is not None:
        baseline.set_string_custom_property("set_aside", record.set_aside)
