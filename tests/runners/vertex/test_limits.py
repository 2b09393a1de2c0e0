"""Limits of Vertex AI: what its API description and documentation exclude is refused before TensorFlow is imported."""

from typing import Any

import pytest
from google.cloud import aiplatform_v1 as api
from google.cloud.aiplatform.constants import base

from pipeline.config.vertex import VertexSettings
from runners.vertex.limits import REGIONS, check_limits, check_variables
from schema.errors import Refused
from tests.runners.vertex.test_spec import MINIMAL


def _settings(**changes: Any) -> VertexSettings:
    return VertexSettings.model_validate(MINIMAL | changes)


def test_regions_are_those_of_google_s_client() -> None:
    assert set(REGIONS) == base.SUPPORTED_REGIONS - {"global"}  # pipelines run in regions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"location": "europe-wst4"}, "runner.vertex.location europe-wst4: Vertex AI has no such region; did you mean"),
        ({"cpu": 128}, "runner.vertex.cpu 128: Vertex AI gives a step 96 processors at most"),
        (
            {"steps": {"Trainer": {"memory": "1Ti"}}},
            "runner.vertex.steps.Trainer.memory 1Ti: Vertex AI gives a step 624 GB",
        ),
        (
            {"env": {"my-key": "1"}},
            "runner.vertex.env: Vertex AI takes no variable my-key; use letters, digits and under",
        ),
        ({"labels": {f"l{number}": "" for number in range(64)}}, "runner.vertex.labels: Vertex AI takes 63 of them"),
    ],
)
def test_refuses_what_vertex_ai_does_not_have(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as refused:
        check_limits(_settings(**changes))
    assert str(refused.value).startswith(message)


def test_accepts_the_largest_machine_and_a_region_behind_an_address_of_one_s_own() -> None:
    check_limits(_settings(cpu=96, memory="624G", labels={f"l{number}": "" for number in range(63)}))
    check_limits(_settings(location="moon-north1", api_endpoint="https://vertex.example"))


def test_refuses_more_variables_than_a_container_takes() -> None:
    check_variables("Trainer", [f"V{number}" for number in range(100)])
    with pytest.raises(Refused, match=r"step Trainer: 101 environment variables, and Vertex AI takes 100; remove some"):
        check_variables("Trainer", [f"V{number}" for number in range(101)])


def test_the_api_description_states_the_limits_that_are_checked() -> None:
    """If a new version of the client states others, this says which line to read again."""
    documented = {
        api.ContainerSpec: "Maximum limit is 100",
        api.EnvVar: "Must be a valid C identifier",
        api.PipelineJob: "Label keys and values can be no longer than 64 characters",
        api.CreatePipelineJobRequest: "should be less than 128 characters",
    }
    for message, statement in documented.items():
        assert statement in " ".join(str(message.__doc__).split()), message
    # A pipeline's name has 63 characters at most, and a run's name adds `run-` and the time.
    assert len("run-" + "a" * 63 + "-20261128000000") < 128
