"""TFMA's extractors, with two more: one for slices by text length, one that gathers insights."""

import copy
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2

from components.evaluation.eval_config import metric_arguments
from components.evaluation.insights.gather import add_insights
from components.evaluation.metrics.slicing import BUCKETED, bucket_name


def custom_extractors(eval_config: config_pb2.EvalConfig, **options: Any) -> list[Any]:
    """Return TFMA's default extractors with text lengths replaced by buckets before slicing, and insights gathered.

    TFX's Evaluator calls this function by its name.

    Args:
        eval_config: The result of `build_eval_config`.
        **options: Further arguments of `tfma.default_extractors`.
    """
    extractors = list(tfma.default_extractors(eval_config=eval_config, **options))
    stages = [extractor.stage_name for extractor in extractors]
    slicing = stages.index(slice_key_extractor.SLICE_KEY_EXTRACTOR_STAGE_NAME)
    return add_insights([*extractors[:slicing], bucketing_extractor(eval_config), *extractors[slicing:]])


def bucketing_extractor(eval_config: config_pb2.EvalConfig) -> Any:
    """Return an extractor of unbatched extracts that replaces the length of each text by the name of its bucket."""
    lengths = tuple(metric_arguments(eval_config)["length_slices"])
    return tfma.extractors.Extractor(
        stage_name="ExtractLengthBuckets", ptransform=beam.Map(_replace_length, lengths=lengths)
    )


def _replace_length(extracts: dict[str, Any], lengths: tuple[int, ...]) -> dict[str, Any]:
    features = extracts[tfma.FEATURES_KEY]
    if BUCKETED not in features:
        return extracts
    changed = copy.copy(extracts)
    (length,) = np.ravel(features[BUCKETED])
    changed[tfma.FEATURES_KEY] = {**features, BUCKETED: np.array([bucket_name(int(length), lengths)], object)}
    return changed
