"""Tests of the distributions of labels and text lengths that statistics describe."""

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.data_gate.distributions import distribution

STANDARD, QUANTILES = statistics_pb2.Histogram.STANDARD, statistics_pb2.Histogram.QUANTILES


def statistics() -> statistics_pb2.DatasetFeatureStatistics:
    made = statistics_pb2.DatasetFeatureStatistics(num_examples=10)
    labels = made.features.add()
    labels.path.step.append("labels")
    for label, count in (("refund", 6), ("old name", 3)):
        labels.string_stats.rank_histogram.buckets.add(label=label, sample_count=count)
    lengths = made.features.add()
    lengths.path.step.append("text_length")
    for kind, bounds in ((STANDARD, [0.0, 500.0, 1000.0]), (QUANTILES, [5.0, 40.0, 900.0])):
        histogram = lengths.num_stats.histograms.add(type=kind)
        for low, high, rows in zip(bounds, bounds[1:], (2.5, 7.5), strict=False):
            histogram.buckets.add(low_value=low, high_value=high, sample_count=rows)
    return made


def test_counts_labels_by_their_present_names_and_cumulates_quantiles() -> None:
    found = distribution(statistics(), {"old name": "new name"})
    assert found.rows == 10
    assert found.labels == {"refund": 6, "new name": 3}
    assert found.lengths == [(5, 0), (40, pytest.approx(0.25)), (900, pytest.approx(1.0))]


def test_counts_what_nobody_knows() -> None:
    partial = statistics()
    silent = partial.features.add()
    silent.path.step.append("unknown_labels")
    silent.string_stats.rank_histogram.buckets.add(label="old name", sample_count=4)
    assert distribution(partial, {"old name": "new name"}).unknown == {"new name": 4}
    assert distribution(statistics(), {}).unknown == {}


def test_data_without_labels_or_lengths_has_none() -> None:
    found = distribution(statistics_pb2.DatasetFeatureStatistics(num_examples=3), {})
    assert (found.labels, found.lengths) == ({}, [])
