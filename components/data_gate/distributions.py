"""Distributions of labels and text lengths, by split and in the last data: `distributions.json`, beside the verdict.

Taken from statistics that StatisticsGen and the training log have already, for the report. Needs no TFDV.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from components.common.record import Record, Value
from schema.features import LABELS, TEXT_LENGTH, UNKNOWN_LABELS

_QUANTILES = 1  # of statistics_pb2.Histogram.HistogramType


class Distribution(Value):
    """Distribution of labels and text lengths in some of the data."""

    rows: int = Field(description="Number of examples.")
    labels: dict[str, int] = Field(description="Number of examples by label.")
    unknown: dict[str, int] = Field(
        default={}, description="Number of examples by label of which nobody knows whether they have it."
    )
    lengths: list[tuple[float, float]] = Field(
        description="[length in characters, share of the texts that are no longer] pairs, ascending."
    )


class Distributions(Record):
    """Distributions of the data of a run."""

    FILE: ClassVar[str] = "distributions.json"
    INDENT: ClassVar[int | None] = None

    splits: dict[str, Distribution]
    last: Distribution | None = Field(
        default=None, description="Train split of the last data that was trained on; None if there was none."
    )


def distribution(statistics: Any, aliases: Mapping[str, str]) -> Distribution:
    """Return the distribution that the statistics of a data set describe.

    Args:
        statistics: DatasetFeatureStatistics, of TFDV.
        aliases: Former name of a label -> its present name.
    """
    features = {".".join(each.path.step): each for each in statistics.features}
    labels, unknown = (_count(features.get(name), aliases) for name in (LABELS, UNKNOWN_LABELS))
    lengths: list[tuple[float, float]] = []
    if TEXT_LENGTH in features:
        histograms = features[TEXT_LENGTH].num_stats.histograms
        lengths = next((_cumulate(each.buckets) for each in histograms if each.type == _QUANTILES), [])
    return Distribution(rows=round(statistics.num_examples), labels=labels, unknown=unknown, lengths=lengths)


def _count(feature: Any, aliases: Mapping[str, str]) -> dict[str, int]:
    """Return the number of examples by value of a feature of labels; empty if there is no such feature."""
    buckets = () if feature is None else feature.string_stats.rank_histogram.buckets
    return {aliases.get(bucket.label, bucket.label): round(bucket.sample_count) for bucket in buckets}


def _cumulate(buckets: Any) -> list[tuple[float, float]]:
    """Return the cumulated shares of a histogram."""
    total = sum(bucket.sample_count for bucket in buckets)
    if not total:
        return []
    points, so_far = [(buckets[0].low_value, 0.0)], 0.0
    for bucket in buckets:
        so_far += bucket.sample_count
        points.append((bucket.high_value, so_far / total))
    return points
