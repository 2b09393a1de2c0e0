"""Drift of the newest span since the last training, as TensorFlow Data Validation measures it."""

from collections.abc import Container, Mapping
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.data_gate.verdict import Drift
from schema.features import LABELS

_MEASURES = {
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: "l_infinity",
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: "jensen_shannon",
}


def with_present_labels(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, aliases: Mapping[str, str], kept: Container[str]
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return statistics with labels under their present names, and only those of `kept`.

    A label that a person has added or retired is not drift.

    Args:
        statistics: Statistics of one data set.
        aliases: Former name of a label -> its present name.
        kept: Labels to keep: those of both data sets that are compared.
    """
    result = statistics_pb2.DatasetFeatureStatisticsList()
    result.CopyFrom(statistics)
    for feature in result.datasets[0].features:
        if feature.path.step[:] == [LABELS]:
            _rename(feature.string_stats.rank_histogram.buckets, "label", aliases, kept)
            _rename(feature.string_stats.top_values, "value", aliases, kept)
    return result


def measure_drift(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    previous: statistics_pb2.DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
) -> list[Drift]:
    """Measure the drift of every feature that has a drift comparator in the schema.

    Args:
        statistics: Statistics of one data set.
        previous: Statistics of the data set to compare with.
        schema: Schema with the comparators.
    """
    anomalies = tfdv.validate_statistics(statistics, schema, previous_statistics=previous)
    return [
        Drift(
            feature=".".join(info.path.step),
            measure=_MEASURES[measurement.type],
            value=measurement.value,
            bound=measurement.threshold,
        )
        for info in anomalies.drift_skew_info
        for measurement in info.drift_measurements
    ]


def describe_drift(drift: list[Drift], compared_with: str) -> list[str]:
    """Return one sentence for each feature whose drift is above its bound."""
    return [
        f"'{each.feature}' has drifted from {compared_with}: {each.measure} is {each.value:.3g}, above the bound of"
        f" {each.bound:g} (data_gate.{'label' if each.feature == LABELS else 'length'}_drift)"
        for each in drift
        if each.value > each.bound
    ]


def _rename(counts: Any, name_field: str, aliases: Mapping[str, str], kept: Container[str]) -> None:
    """Rename or remove the messages of a repeated field, whose names are in `name_field`."""
    for index in reversed(range(len(counts))):
        name = getattr(counts[index], name_field)
        label = aliases.get(name, name)
        if label in kept:
            setattr(counts[index], name_field, label)
        else:
            del counts[index]
