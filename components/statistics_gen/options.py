"""Options of StatisticsGen: all that the data gate needs, in memory that does not grow with the data."""

import tensorflow_data_validation as tfdv
from tfx_bsl.public.proto import slicing_spec_pb2

from schema.features import SPAN

_MOST_VALUES = 20  # most frequent values kept of a string feature without a domain
_UNKNOWN_LABELS = 100  # room in the histogram for labels that the schema does not know


def statistics_options(n_labels: int, *, by_span: bool) -> tfdv.StatsOptions:
    """Return the options for StatisticsGen.

    Args:
        n_labels: Number of labels in the schema. The frequencies of all are kept, to measure drift.
        by_span: Whether several spans are read, so that the newest needs statistics of its own.
    """
    slicing = slicing_spec_pb2.SlicingConfig()
    slicing.slicing_specs.add(feature_keys=[SPAN])
    return tfdv.StatsOptions(
        num_top_values=_MOST_VALUES,
        num_rank_histogram_buckets=n_labels + _UNKNOWN_LABELS,
        # Exact counts would keep every distinct text and id in memory.
        use_sketch_based_topk_uniques=True,
        slicing_config=slicing if by_span else None,
    )
