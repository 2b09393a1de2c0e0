"""Statistics of rows by TensorFlow Data Validation, and their distances as the data gate measures them."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics.stats_impl import generate_statistics_in_memory
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList as Statistics

from components.data_gate.drift import measure_drift
from components.data_gate.verdict import Drift
from schema.features import LABELS, TEXT_LENGTH
from serving.watch.rows import LANGUAGE, PROBABILITY, SLICE
from serving.watch.settings import WatchSettings

_MOST_VALUES = 1_000  # of a slice column, or labels


def statistics_of(rows: pa.Table) -> Statistics:
    """Return the statistics of a table of rows; a column that is null in every row is left out.

    Args:
        rows: Table from `serving.watch.rows`, with at least one row.
    """
    columns, names = [], []
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        if column.null_count == len(column):
            continue
        names.append(name)
        columns.append(column if pa.types.is_list(column.type) else _as_lists(column))
    batch = pa.RecordBatch.from_arrays(columns, names)
    options = tfdv.StatsOptions(num_top_values=_MOST_VALUES, num_rank_histogram_buckets=_MOST_VALUES)
    return generate_statistics_in_memory(batch, options)


def drift_between(now: Statistics, reference: Statistics, settings: WatchSettings) -> list[Drift]:
    """Measure the drift of every feature that both have and the settings bound."""
    common = feature_names(now) & feature_names(reference)
    schema = schema_pb2.Schema()
    for name in sorted(common):
        _add_comparator(schema, name, settings)
    if not schema.feature:
        return []
    return measure_drift(now, reference, schema)


def feature_names(statistics: Statistics) -> set[str]:
    """Return the names of the features."""
    return {feature.path.step[0] for feature in statistics.datasets[0].features}


def means(statistics: Statistics) -> dict[str, float]:
    """Return the mean of each numeric feature."""
    return {
        feature.path.step[0]: feature.num_stats.mean
        for feature in statistics.datasets[0].features
        if feature.HasField("num_stats")
    }


def rates(statistics: Statistics, name: str) -> dict[str, float]:
    """Return the share of the rows that have each value of a string feature."""
    n = statistics.datasets[0].num_examples
    for feature in statistics.datasets[0].features:
        if feature.path.step[0] == name:
            buckets = feature.string_stats.rank_histogram.buckets
            return {bucket.label: bucket.sample_count / n for bucket in buckets}
    return {}


def changed_most(now: Mapping[str, float], before: Mapping[str, float]) -> str | None:
    """Return the value whose share has changed most; None if there is none.

    Example:
        >>> changed_most({"a": 0.5, "b": 0.1}, {"a": 0.45, "c": 0.3})
        'c'
    """
    return max(sorted({*now, *before}), key=lambda each: abs(now.get(each, 0) - before.get(each, 0)), default=None)


def _add_comparator(schema: schema_pb2.Schema, name: str, settings: WatchSettings) -> None:
    if name == LABELS and settings.label_drift is not None:
        comparator = schema.feature.add(name=name, type=schema_pb2.BYTES).drift_comparator
        if settings.label_drift.measure == "l_infinity":
            comparator.infinity_norm.threshold = settings.label_drift.bound
        else:
            comparator.jensen_shannon_divergence.threshold = settings.label_drift.bound
    elif name.startswith(SLICE) and settings.slice_drift is not None:
        comparator = schema.feature.add(name=name, type=schema_pb2.BYTES).drift_comparator
        comparator.infinity_norm.threshold = settings.slice_drift
    elif name == LANGUAGE and settings.language_drift is not None:
        comparator = schema.feature.add(name=name, type=schema_pb2.BYTES).drift_comparator
        comparator.infinity_norm.threshold = settings.language_drift
    elif name == TEXT_LENGTH and settings.length_drift is not None:
        comparator = schema.feature.add(name=name, type=schema_pb2.INT).drift_comparator
        comparator.jensen_shannon_divergence.threshold = settings.length_drift
    elif name.startswith(PROBABILITY) and settings.probability_drift is not None:
        comparator = schema.feature.add(name=name, type=schema_pb2.FLOAT).drift_comparator
        comparator.jensen_shannon_divergence.threshold = settings.probability_drift


def _as_lists(column: pa.Array) -> pa.ListArray:
    """Return a column with a list of one value per row, and null where the value is."""
    valid = column.is_valid()
    offsets = np.concatenate(([0], np.cumsum(valid.to_numpy(zero_copy_only=False))))
    mask = pc.invert(valid) if column.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), column.drop_null(), mask=mask)
