"""Puts together what there is to say about the data of a run."""

from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components.common.files import read_bytes
from components.data_gate import reasons
from components.data_gate.drift import drift_in_words, measure_drift, of_labels
from components.data_gate.settings import DataGateSettings
from components.data_gate.verdict import Verdict
from components.example_gen.report import IngestReport
from components.schema_import.component import FILE_NAME
from components.training_log import log as data_log
from components.training_log.statistics import train_statistics
from schema.errors import Refused
from schema.label_list import label_list


def judge(
    *,
    statistics: Any,
    anomalies: Any,
    quarantine_uri: str,
    schema_uri: str,
    gate: DataGateSettings,
    registry: str,
) -> Verdict:
    """Judges the data.

    Args:
        statistics: StatisticsGen's artifact.
        anomalies: ExampleValidator's artifact.
        quarantine_uri: Of the ExampleGen's Quarantine artifact.
        schema_uri: Of the completed schema's artifact.
        gate: The bounds.
        registry: Where the log of what was trained on lies.

    Raises:
        Refused: The data may not be trained on; the message names every reason.
    """
    schema = io_utils.SchemaReader().read(f"{schema_uri}/{FILE_NAME}")
    labels = label_list(schema)
    report = IngestReport.read(quarantine_uri)
    earlier = data_log.before(registry, report)
    before, compared_with = (None, "") if earlier is None else (earlier[0], _in_words(earlier[0]))
    drift = []
    if earlier is not None:
        previous = statistics_pb2.DatasetFeatureStatisticsList.FromString(earlier[1])
        shared = set(labels.active).intersection(labels.aliases.get(label, label) for label in earlier[0].known)
        now, then = train_statistics(statistics, report), previous
        drift = measure_drift(of_labels(now, {}, shared), of_labels(then, labels.aliases, shared), schema)
    against = [
        *reasons.unknown_labels(report, labels),
        *reasons.shares_above_bounds(report, gate),
        *reasons.vanished_labels(report, before, labels.active, gate),
        *drift_in_words(drift, compared_with),
    ]
    # An unknown label is an anomaly too, which TFDV says with less.
    against = against or _anomalies(anomalies)
    if against:
        raise Refused("the data may not be trained on: " + "; ".join(against))
    return Verdict(
        compared_with=compared_with, drift=drift, warnings=reasons.labels_without_rows(report, labels.active)
    )


def _anomalies(artifact: Any) -> list[str]:
    sentences = []
    for split in artifact_utils.decode_split_names(artifact.split_names):
        found = anomalies_pb2.Anomalies.FromString(read_bytes(f"{artifact.uri}/Split-{split}/SchemaDiff.pb"))
        sentences += reasons.anomalies_in_words(found, f"{split} split")
    return sentences


def _in_words(entry: data_log.Trained) -> str:
    if entry.spans:
        return f"span {entry.spans[-1].span}, trained on {entry.when}"
    return f"the data trained on {entry.when}"
