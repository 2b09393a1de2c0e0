"""Drift of the newest span against the one last trained on, as TensorFlow Data Validation measures it."""

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


def of_labels(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, renamed: Mapping[str, str], kept: Container[str]
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """The statistics with labels by their present names, and without those that only one of two label lists has.

    A label that a person adds or retires is no drift.
    """
    result = statistics_pb2.DatasetFeatureStatisticsList()
    result.CopyFrom(statistics)
    for feature in result.datasets[0].features:
        if feature.path.step[:] == [LABELS]:
            _rename(feature.string_stats.rank_histogram.buckets, "label", renamed, kept)
            _rename(feature.string_stats.top_values, "value", renamed, kept)
    return result


def measure_drift(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    before: statistics_pb2.DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
) -> list[Drift]:
    """Measures every feature that the schema has a drift comparator for.

    Args:
        statistics: Of one data set.
        before: Of the one to compare with.
        schema: With the comparators.
    """
    anomalies = tfdv.validate_statistics(statistics, schema, previous_statistics=before)
    return [
        Drift(
            feature=".".join(info.path.step),
            measure=_MEASURES[measured.type],
            value=measured.value,
            bound=measured.threshold,
        )
        for info in anomalies.drift_skew_info
        for measured in info.drift_measurements
    ]


def drift_in_words(found: list[Drift], against: str) -> list[str]:
    """One sentence for each feature that has moved too far."""
    return [
        f"'{each.feature}' has drifted from {against}: {each.measure} is {each.value:.3g}, above the bound of"
        f" {each.bound:g} (data_gate.{'label' if each.feature == 'labels' else 'length'}_drift)"
        for each in found
        if each.value > each.bound
    ]


def _rename(counts: Any, name: str, renamed: Mapping[str, str], kept: Container[str]) -> None:
    """Changes a repeated field of counts, each called by its field `name`."""
    for index in reversed(range(len(counts))):
        label = renamed.get(getattr(counts[index], name), getattr(counts[index], name))
        if label in kept:
            setattr(counts[index], name, label)
        else:
            del counts[index]
