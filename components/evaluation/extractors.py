"""TFMA's extractors, and two more: text lengths become buckets to slice by, and insights are gathered behind all."""

import copy
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import slice_key_extractor
from tensorflow_model_analysis.proto import config_pb2

from components.evaluation.eval_config import metric_config
from components.evaluation.insights.gather import with_insights
from components.evaluation.metrics.slicing import BUCKETED, bucket_of


def custom_extractors(eval_config: config_pb2.EvalConfig, **others: Any) -> list[Any]:
    """The default extractors, with text lengths in buckets before the slices are told, and insights gathered.

    TFX's Evaluator calls it, by its name.

    Args:
        eval_config: of `build_eval_config`.
        **others: whatever else `tfma.default_extractors` takes.
    """
    extractors = list(tfma.default_extractors(eval_config=eval_config, **others))
    stages = [each.stage_name for each in extractors]
    at = stages.index(slice_key_extractor.SLICE_KEY_EXTRACTOR_STAGE_NAME)
    return with_insights([*extractors[:at], bucketing_extractor(eval_config), *extractors[at:]])


def bucketing_extractor(eval_config: config_pb2.EvalConfig) -> Any:
    """Puts the name of its bucket in the place of each text's length; of unbatched extracts."""
    lengths = tuple(metric_config(eval_config)["length_slices"])
    return tfma.extractors.Extractor(
        stage_name="ExtractLengthBuckets", ptransform=beam.Map(_with_bucket, lengths=lengths)
    )


def _with_bucket(extracts: dict[str, Any], lengths: tuple[int, ...]) -> dict[str, Any]:
    """An example's extracts with the name of its bucket in the place of its text's length."""
    features = extracts[tfma.FEATURES_KEY]
    if BUCKETED not in features:
        return extracts
    changed = copy.copy(extracts)
    (length,) = np.ravel(features[BUCKETED])
    changed[tfma.FEATURES_KEY] = {**features, BUCKETED: np.array([bucket_of(int(length), lengths)], object)}
    return changed
