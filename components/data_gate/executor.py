"""Executor of `DataGate`."""

from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx import types
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import ANOMALIES_KEY, SCHEMA_KEY, STATISTICS_KEY

from components.common.files import read_bytes
from components.data_gate import reasons
from components.data_gate.distributions import Distributions, distribution
from components.data_gate.drift import (
    as_if_known,
    describe_drift,
    measure_drift,
    never_known,
    with_present_labels,
)
from components.data_gate.settings import DataGateSettings
from components.data_gate.verdict import Drift, Verdict
from components.example_gen.report import IngestReport
from components.schema_import.schema_file import read_schema_file
from components.training_log.log import LoggedTraining, TrainingEntry, entry_before
from components.training_log.statistics import newest_span_only, train_statistics
from schema.errors import Refused
from schema.label_list import LabelList, label_list

QUARANTINE_KEY = "quarantine"
REGISTRY_KEY = "registry"
SETTINGS_KEY = "settings"
VERDICT_KEY = "verdict"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Judge of a run's data."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Judge the data and write the verdict.

        Raises:
            Refused: The data may not be trained on: it has a label that the schema does not know, another anomaly that
                ExampleValidator found, too many quarantined or blank rows, a label that has vanished, or too much drift
                since the last training.
        """
        inputs = {key: artifact_utils.get_single_instance(artifacts) for key, artifacts in input_dict.items()}
        report = IngestReport.read(inputs[QUARANTINE_KEY].uri)
        schema = read_schema_file(inputs[SCHEMA_KEY].uri)
        previous = entry_before(exec_properties[REGISTRY_KEY], report)
        verdict = judge(
            statistics=inputs[STATISTICS_KEY],
            anomalies=inputs[ANOMALIES_KEY],
            report=report,
            schema=schema,
            settings=DataGateSettings.model_validate_json(exec_properties[SETTINGS_KEY]),
            previous=previous,
        )
        folder = artifact_utils.get_single_uri(output_dict[VERDICT_KEY])
        describe_data(inputs[STATISTICS_KEY], previous, label_list(schema)).write(folder)
        verdict.write(folder)


def judge(
    *,
    statistics: types.Artifact,
    anomalies: types.Artifact,
    report: IngestReport,
    schema: schema_pb2.Schema,
    settings: DataGateSettings,
    previous: LoggedTraining | None,
) -> Verdict:
    """Judge the data of a run.

    Args:
        statistics: StatisticsGen's artifact.
        anomalies: ExampleValidator's artifact.
        report: ExampleGen's report.
        schema: The completed schema.
        settings: The bounds.
        previous: The last training on older data; None if there was none.

    Raises:
        Refused: The data may not be trained on; the message gives every reason.
    """
    labels = label_list(schema)
    entry = None if previous is None else previous.entry
    compared_with = "" if entry is None else _describe(entry)
    drift = [] if previous is None else _drift_since(previous, train_statistics(statistics, report), schema, labels)
    against = [
        *reasons.unknown_labels(report, labels),
        *reasons.shares_above_bounds(report, settings),
        *reasons.vanished_labels(report, entry, labels.active, settings),
        *describe_drift(drift, compared_with),
    ]
    # An unknown label is an anomaly as well, but TFDV's description of it says less.
    against = against or _anomalies(anomalies)
    if against:
        raise Refused("the data may not be trained on: " + "; ".join(against))
    return Verdict(
        compared_with=compared_with,
        drift=drift,
        warnings=reasons.warnings(report, labels.active),
    )


def describe_data(statistics: types.Artifact, previous: LoggedTraining | None, labels: LabelList) -> Distributions:
    """Return the distributions of each split and of the last data.

    Args:
        statistics: StatisticsGen's artifact.
        previous: The last training on older data; None if there was none.
        labels: The label list, which knows former names.
    """
    splits = {}
    for split in artifact_utils.decode_split_names(statistics.split_names):
        found = stats_artifact_utils.load_statistics(statistics, split).proto()
        splits[split] = distribution(newest_span_only(found, None).datasets[0], labels.aliases)
    last = None
    if previous is not None:
        before = statistics_pb2.DatasetFeatureStatisticsList.FromString(previous.statistics)
        last = distribution(before.datasets[0], labels.aliases)
    return Distributions(splits=splits, last=last)


def _drift_since(
    training: LoggedTraining,
    now: statistics_pb2.DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
    labels: LabelList,
) -> list[Drift]:
    """Measure drift over the labels that are in use now and were at that training."""
    shared = set(labels.active).intersection(labels.aliases.get(label, label) for label in training.entry.known)
    before = statistics_pb2.DatasetFeatureStatisticsList.FromString(training.statistics)
    shared -= newly_implied(training.entry, labels)
    shared -= never_known(now)
    shared -= {labels.aliases.get(label, label) for label in never_known(before)}
    return measure_drift(
        with_present_labels(as_if_known(now), {}, shared),
        with_present_labels(as_if_known(before), labels.aliases, shared),
        schema,
    )


def newly_implied(entry: TrainingEntry, labels: LabelList) -> set[str]:
    """Return the labels that others imply now and did not at a training, or the other way round.

    Rows are completed with what their labels imply, so that such a label is in more, or fewer, rows than before.
    """
    before = {
        (labels.aliases.get(label, label), labels.aliases.get(parent, parent))
        for label, implied in entry.implies.items()
        for parent in implied
    }
    now = {(label, parent) for label, implied in labels.ancestors.items() for parent in implied}
    return {parent for _, parent in before ^ now}


def _anomalies(artifact: types.Artifact) -> list[str]:
    """Return a sentence for each anomaly of every split."""
    sentences = []
    for split in artifact_utils.decode_split_names(artifact.split_names):
        found = anomalies_pb2.Anomalies.FromString(read_bytes(f"{artifact.uri}/Split-{split}/SchemaDiff.pb"))
        sentences += reasons.describe_anomalies(found, f"{split} split")
    return sentences


def _describe(entry: TrainingEntry) -> str:
    if entry.spans:
        return f"span {entry.spans[-1].span}, trained on {entry.when}"
    return f"the data trained on {entry.when}"
