"""What StatisticsGen is told: all that the data gate needs, in memory that does not grow with the data."""

import tensorflow_data_validation as tfdv
from tfx_bsl.public.proto import slicing_spec_pb2

from schema.features import SPAN

_MOST_NAMED = 20  # of a string feature's commonest values, unless it has a domain
_SPARE = 100  # for labels that the schema does not know


def statistics_options(labels: int, *, by_span: bool) -> tfdv.StatsOptions:
    """Options for StatisticsGen.

    Args:
        labels: How many the schema has; their frequencies are all kept, for drift.
        by_span: Whether several spans are read, so that the newest must be told from the others.
    """
    slicing = slicing_spec_pb2.SlicingConfig()
    slicing.slicing_specs.add(feature_keys=[SPAN])
    return tfdv.StatsOptions(
        num_top_values=_MOST_NAMED,
        num_rank_histogram_buckets=labels + _SPARE,
        # Exact counts would hold every different text and id.
        use_sketch_based_topk_uniques=True,
        slicing_config=slicing if by_span else None,
    )
