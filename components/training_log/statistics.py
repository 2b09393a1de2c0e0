"""Statistics of the data that a run trains on: those of the train split, of the newest span alone."""

from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components.statistics_gen import stats_artifact_utils

from components.example_gen.report import IngestReport
from schema.features import SPAN

_TRAIN = "train"


def train_statistics(statistics: Any, report: IngestReport) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return the statistics of the train split, of the newest span alone where there are several.

    Args:
        statistics: StatisticsGen's artifact.
        report: ExampleGen's report on the same data.
    """
    every = stats_artifact_utils.load_statistics(statistics, _TRAIN).proto()
    return newest_span_only(every, report.spans[-1].span if report.spans else None)


def newest_span_only(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, span: int | None
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return the statistics of one span, or of all examples where statistics are not kept by span.

    Args:
        statistics: Statistics of one split, sliced by span or not.
        span: The span to choose; None where the data has no spans.
    """
    name = f"{SPAN}_{span}"
    chosen = next((each for each in statistics.datasets if span is not None and each.name == name), None)
    if chosen is None:
        chosen = next((each for each in statistics.datasets if "_" not in each.name), statistics.datasets[0])
    result = statistics_pb2.DatasetFeatureStatisticsList()
    result.datasets.add().CopyFrom(chosen)
    result.datasets[0].name = ""
    return result
