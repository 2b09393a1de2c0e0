"""Construction of the pipeline that scores rows with the live model of the registry."""

from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from pipeline.beam import beam_arguments
from pipeline.check import project_of_queries
from pipeline.config.configuration import Configuration
from pipeline.locations import Locations
from pipeline.work_dir import WorkDir
from serving.scoring.component import TextScorer


def create_scoring_pipeline(config: Configuration, locations: Locations) -> Pipeline:
    """Build the pipeline of `scoring`, which every runner runs.

    Args:
        config: The configuration; it has `scoring`.
        locations: Locations of registry, inputs and scores, as the step sees them.
    """
    assert config.scoring is not None
    paths = {"input_base": locations.input_base, "output": locations.scoring_output}
    # The live version is looked up when the step runs, and rows that are scored already are left alone.
    scorer = TextScorer(
        settings=config.scoring.model_copy(update=paths),
        registry=locations.registry,
        project=project_of_queries(config),
    )
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=locations.pipeline_root,
        components=[scorer],
        # The step finds out by itself what is left to do; ML Metadata knows neither the inputs nor the registry.
        enable_cache=False,
        metadata_connection_config=sqlite_metadata_connection_config(str(WorkDir(config.work_dir).metadata)),
        beam_pipeline_args=beam_arguments(config, locations.code),
    )
