"""Drift of the newest span since the last training, as TensorFlow Data Validation measures it."""

from collections.abc import Container, Mapping
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from components.data_gate.verdict import Drift
from schema.features import LABELS, UNKNOWN_LABELS

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


def unknown_counts(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, float]:
    """Return the number of examples by label of which nobody knows whether they have it, for the labels with any."""
    for feature in statistics.datasets[0].features:
        if feature.path.step[:] == [UNKNOWN_LABELS]:
            return {each.label: each.sample_count for each in feature.string_stats.rank_histogram.buckets}
    return {}


def as_if_known(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return statistics in which each label has as many examples as if it were known in all.

    The frequency of a label among the examples that know it is taken for that of all examples: otherwise a label that
    fewer rows were asked for would seem to drift. Statistics without unknown labels are returned as they are.
    """
    unknown, examples = unknown_counts(statistics), statistics.datasets[0].num_examples
    if not unknown:
        return statistics
    result = statistics_pb2.DatasetFeatureStatisticsList()
    result.CopyFrom(statistics)
    for feature in result.datasets[0].features:
        if feature.path.step[:] == [LABELS]:
            for bucket in feature.string_stats.rank_histogram.buckets:
                bucket.sample_count *= examples / max(examples - unknown.get(bucket.label, 0.0), 1.0)
            for value in feature.string_stats.top_values:
                value.frequency *= examples / max(examples - unknown.get(value.value, 0.0), 1.0)
    return result


def never_known(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> set[str]:
    """Return the labels of which nobody knows for any example whether it has them."""
    examples = statistics.datasets[0].num_examples
    return {label for label, count in unknown_counts(statistics).items() if count >= examples}


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
