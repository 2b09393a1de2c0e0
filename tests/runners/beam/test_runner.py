"""TFX's BeamDagRunner instead of the local runner: the same steps, outputs and refusals."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.config.loading import load_configuration
from runners.beam import runner as beam
from runners.local import runner as local
from schema.errors import Refused
from tests.support.small_project import Project, make_project


class _Recorder:
    """Observer that records its notifications."""

    def __init__(self) -> None:
        self.started: list[tuple[str, int, int]] = []
        self.cached: dict[str, bool] = {}

    def step_started(self, name: str, position: int, total: int) -> None:
        self.started.append((name, position, total))

    def step_finished(self, name: str, seconds: float, cached: bool, outputs: Mapping[str, str]) -> None:
        assert seconds >= 0
        assert all(Path(uri).exists() for uri in outputs.values())
        self.cached[name] = cached


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("orchestrators") / "project", rows=60)


def test_each_step_runs_once_after_what_it_needs_and_the_local_runner_finds_it_in_the_cache(project: Project) -> None:
    config = load_configuration(project.configuration)
    seen = _Recorder()
    outcome = beam.run(config, seen, until="DataGate")
    names = [name for name, _, _ in seen.started]
    assert sorted(names) == ["DataGate", "ExampleValidator", "SchemaImport", "StatisticsGen", "TextExampleGen"]
    assert names.index("TextExampleGen") < names.index("StatisticsGen") < names.index("ExampleValidator")
    assert [(position, total) for _, position, total in seen.started] == [(n, 5) for n in range(1, 6)]
    assert outcome.durations_s.keys() == seen.cached.keys() == set(names)

    again = _Recorder()
    same = local.run(config, again, until="StatisticsGen")
    assert again.cached == {"TextExampleGen": True, "StatisticsGen": True}
    assert same.artifacts["StatisticsGen"] == outcome.artifacts["StatisticsGen"]


def test_a_refusal_of_a_component_ends_the_run_in_one_line(project: Project) -> None:
    project.data.with_name("more.csv").write_text("id,text,labels,channel\nx1,my refund,praise|refnd,chat\n")
    with pytest.raises(Refused, match="refnd") as refused:
        beam.run(load_configuration(project.configuration), _Recorder(), until="DataGate")
    assert "\n" not in str(refused.value)
