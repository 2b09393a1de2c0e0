"""The Evaluator's extractors, and one that looks on. By itself, because TFX executes the module anew to find it."""

from typing import Any

from tensorflow_model_analysis.extractors import extractor, unbatch_extractor

from components.evaluation.extractors import bucketing_extractors
from components.evaluation.insights_gather import gather_insights


def custom_extractors(eval_shared_model: Any, eval_config: Any, tensor_adapter_config: Any) -> list[Any]:
    """What TFX's Evaluator calls; to be called while `insights_gather.gathering` lasts."""
    given = bucketing_extractors(
        eval_shared_model=eval_shared_model, eval_config=eval_config, tensor_adapter_config=tensor_adapter_config
    )
    names = [each.stage_name for each in given]
    place = names.index(unbatch_extractor.UNBATCH_EXTRACTOR_STAGE_NAME) + 1
    ours = extractor.Extractor(stage_name="GatherInsights", ptransform=gather_insights())
    return [*given[:place], ours, *given[place:]]
