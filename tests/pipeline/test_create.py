"""Tests of the pipeline as TFX compiles it."""

from pathlib import Path
from typing import Any

import pytest
from tfx.dsl.compiler.compiler import Compiler

from pipeline.config.loading import load_configuration
from pipeline.create import create_pipeline
from tests.support.small_project import Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", rows=20)


@pytest.mark.parametrize("platform", [None, "docker", "kubernetes"])
def test_the_canary_waits_for_an_infra_validator_only_if_one_is_configured(
    project: Project, platform: str | None
) -> None:
    overrides = [f"infra_validator={{platform: {platform}}}"] if platform else []
    compiled = Compiler().compile(create_pipeline(load_configuration(project.configuration, overrides)))
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in compiled.nodes}
    assert ("InfraValidator" in nodes) == (platform is not None)
    inputs = nodes["Canary"].inputs.inputs
    assert set(inputs) == {"model", "baseline", *(["infra_blessing"] if platform else [])}
    (channel,) = nodes["RegistryPusher"].inputs.inputs["infra_blessing"].channels
    assert channel.producer_node_query.id == "Canary"


def test_a_run_is_logged_to_mlflow_when_all_is_decided_and_recorded(project: Project) -> None:
    compiled = Compiler().compile(create_pipeline(load_configuration(project.configuration, ["tracking.mlflow.uri=m"])))
    last = compiled.nodes[-1].pipeline_node
    assert last.node_info.id == "Tracking"
    assert set(last.upstream_nodes) == {"Trainer", "Report", "TrainingRecord"}
    compiled = Compiler().compile(create_pipeline(load_configuration(project.configuration)))
    assert "Tracking" not in {node.pipeline_node.node_info.id for node in compiled.nodes}


def test_a_search_for_hyperparameters_comes_before_the_training_and_is_no_part_of_its_cache_key(
    project: Project,
) -> None:
    def nodes(overrides: list[str]) -> dict[str, Any]:
        compiled = Compiler().compile(create_pipeline(load_configuration(project.configuration, overrides)))
        return {node.pipeline_node.node_info.id: node.pipeline_node for node in compiled.nodes}

    plain, tuned, longer = nodes([]), nodes(["training.tune.trials=4"]), nodes(["training.tune.budget=2h"])
    assert "Tuner" not in plain
    assert "Tuner" in tuned["Trainer"].upstream_nodes
    (channel,) = tuned["Trainer"].inputs.inputs["hyperparameters"].channels
    assert channel.output_key == "best_hyperparameters"
    assert "tuner_results" in tuned["Report"].inputs.inputs
    assert len({str(each["Trainer"].parameters) for each in (plain, tuned, longer)}) == 1
    assert tuned["Tuner"].parameters != longer["Tuner"].parameters
