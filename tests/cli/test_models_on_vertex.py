"""Tests of `models list` and `models rollback` where `runner.vertex.push` is configured."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.registry import Version, latest, push, versions
from components.vertex_push import service
from components.vertex_push.settings import VertexPushSettings, VertexTarget
from components.vertex_push.upload import alias_of, deploy, upload
from pipeline.config.loading import load_configuration
from pipeline.config.retention import RetentionSettings
from pipeline.retention import retention_here
from runners.kfp.clean_up import clean_up_after_remote_run
from runners.registry import registry_of
from tests.cli.test_models import row_of
from tests.components.registry.test_registry import make_model, record_of
from tests.end_to_end.command import command
from tests.support.google_account import log_in
from tests.support.small_project import Project, make_project
from tests.support.vertex_server import PARENT, VertexServer

MODEL = f"{PARENT}/models/topics"
PUSH = {
    "model": "topics",
    "serving": {"image": "europe-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"},
    "endpoint": {"name": "topics"},
}


@dataclass(frozen=True)
class Served:
    """Project whose registry is a folder here, and whose models are on a stand-in for Vertex AI as well."""

    project: Project
    server: VertexServer
    folder: Path

    @property
    def base(self) -> str:
        return str(self.project.registry)

    def push(self, name: str, *, traffic: int = 100, uploaded: bool = True) -> Version:
        """Push a model as a run on Vertex AI does."""
        version = push(make_model(self.folder / name, name), self.base, record_of(name))
        if uploaded:
            settings = VertexPushSettings.model_validate(PUSH | {"endpoint": {"name": "topics", "traffic": traffic}})
            target = VertexTarget(project="my-project", location="europe-west4", api_endpoint=self.server.url)
            model = upload(settings, target, version.number, f"gs://bucket/{version.number}", "gs://bucket/.vertex")
            deploy(settings, target, model)
        return version

    def models(self, *words: str) -> int:
        return command("models", words[0], "--config", str(self.project.configuration), *words[1:])

    @property
    def defaults(self) -> list[str]:
        """Aliases of the version that is the default one."""
        (default,) = (model for model in self.server.models[MODEL] if "default" in model.version_aliases)
        return sorted(default.version_aliases)

    @property
    def traffic(self) -> dict[str, int]:
        """Percentage by ID of the deployed version."""
        (endpoint,) = self.server.endpoints.values()
        return {each.model_version_id: endpoint.traffic_split.get(each.id, 0) for each in endpoint.deployed_models}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("COLUMNS", "200")
    log_in(tmp_path, monkeypatch)
    monkeypatch.setattr(service, "PATIENCE_S", 0.1)
    project = make_project(tmp_path / "project", rows=3)
    with VertexServer() as server:
        vertex = {
            "project": "my-project", "location": "europe-west4", "pipeline_root": "gs://bucket/root", "image": "image",
            "api_endpoint": server.url, "push": PUSH,
        }  # fmt: skip
        project.configure(runner={"vertex": vertex})
        yield Served(project, server, tmp_path)


def test_lists_what_vertex_ai_has_of_each_version(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    local, old, new = served.push("local", uploaded=False), served.push("old"), served.push("new", traffic=10)
    assert served.models("list") == 0
    printed = capsys.readouterr().out
    assert [row_of(printed, version)[-1] for version in (local, old, new)] == [
        "", "version 1, 90 % of the traffic", "version 2, default, 10 % of the traffic",
    ]  # fmt: skip


def test_lists_a_registry_that_vertex_ai_has_nothing_of(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    version = served.push("local", uploaded=False)
    assert served.models("list") == 0
    assert row_of(capsys.readouterr().out, version)[-1] == ""


def test_a_rollback_takes_vertex_ai_along(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = served.push("old"), served.push("new", traffic=10)
    assert served.models("rollback") == 0
    copy = latest(served.base)
    assert copy is not None
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{MODEL}@1 is Vertex AI's default version and served by endpoint topics now",
        f"version {copy.number}, a copy of {old.number}, is served now; withdrawn: {new.number}",
    ]
    assert served.defaults == ["default", alias_of(old.number)]
    assert served.traffic == {"1": 100}
    assert served.models("list") == 0
    printed = capsys.readouterr().out
    assert row_of(printed, copy)[-1] == row_of(printed, old)[-1] == "version 1, default, 100 % of the traffic"


def test_a_rollback_deploys_a_version_that_was_undeployed(served: Served) -> None:
    served.push("old")
    served.push("new")
    assert served.traffic == {"2": 100}
    assert served.models("rollback") == 0
    assert served.traffic == {"1": 100}


def test_a_rollback_uploads_a_version_that_was_pushed_before_vertex_ai_was_used(served: Served) -> None:
    old = served.push("old", uploaded=False)
    served.server.models.clear()
    served.push("new")
    # The stand-in takes addresses only, as Vertex AI does.
    assert served.models("rollback") == 2
    served.project.configure(registry=f"file://{served.base}")
    assert served.models("rollback") == 0
    assert served.defaults == ["default", alias_of(old.number)]
    assert served.traffic == {"2": 100}


def test_a_rollback_leaves_the_traffic_of_other_models_alone(served: Served) -> None:
    served.push("old")
    served.push("new", traffic=60)
    (endpoint,) = served.server.endpoints.values()
    served.push("newest", traffic=60)
    # By hand: another model has a part of the endpoint.
    second, third = endpoint.deployed_models
    second.model = f"{PARENT}/models/others"
    assert dict(endpoint.traffic_split) == {second.id: 40, third.id: 60}
    assert served.models("rollback") == 0
    assert sorted(endpoint.traffic_split.values()) == [40, 60]
    assert endpoint.traffic_split[second.id] == 40
    assert [each.model.rpartition("/")[2] for each in endpoint.deployed_models] == ["others", "topics"]


def test_a_rollback_that_vertex_ai_refuses_changes_nothing_and_can_be_repeated(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.push("old")
    served.push("new", traffic=10)
    before = versions(served.base)
    with served.server.failing("PATCH .*/endpoints", 503, "The service is unavailable."):
        assert served.models("rollback") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "endpoint topics: no answer from" in line
    assert versions(served.base) == before
    assert served.models("rollback") == 0
    assert len(versions(served.base)) == 3
    assert served.traffic == {"1": 100}


def test_names_the_registry_that_vertex_ai_uses_where_it_is_another_one(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.push("local", uploaded=False)
    vertex = load_configuration(served.project.configuration).runner.vertex
    assert vertex is not None
    paths = {"registry": "gs://bucket/registry"}
    served.project.configure(runner={"vertex": vertex.model_dump(mode="json") | {"paths": paths}})
    assert served.models("list") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "note: runs on Vertex AI push to gs://bucket/registry and to the model topics there; give --runner" in printed
    )
    assert not served.server.requests
    registry = registry_of(load_configuration(served.project.configuration), "vertex")
    assert registry.base == "gs://bucket/registry"
    assert registry.on_vertex is not None
    assert registry.on_vertex.serving_root == "gs://bucket/registry/.vertex"


@pytest.mark.parametrize(
    ("runner", "message"),
    [
        ("vortex", "--runner vortex: there is no such runner; did you mean 'vertex'?"),
        ("kubeflow", "--runner kubeflow: the configuration has no runner.kubeflow"),
    ],
)
def test_refuses_a_runner_without_settings(
    served: Served, runner: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert served.models("list", "--runner", runner) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_clean_keeps_what_vertex_ai_serves(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    """A version may have traffic long after newer ones were pushed, which get a part of it or failed to deploy."""
    oldest = served.push("a")
    others = [served.push(name, uploaded=False) for name in "bcd"]
    copies = Path(served.base, ".vertex")  # for TensorFlow Serving, as `upload` makes them in a bucket
    for version in [oldest, *others]:
        make_model(copies / str(version.number) / "1", "copy")
    arguments = ["--config", str(served.project.configuration), "--runner", "vertex"]
    assert command("clean", *arguments, "--keep-models", "1", "--older-than", "0h") == 0
    assert capsys.readouterr().out.startswith("Removed: 1 model (")
    assert versions(served.base) == [oldest, *others[1:]]
    kept = {str(version.number) for version in [oldest, *others[1:]]}
    assert {path.name for path in copies.iterdir()} == kept
    # A copy of a version that a killed removal left is removed the next time.
    make_model(copies / str(others[0].number) / "1", "copy")
    served.push("e", uploaded=False)
    assert command("clean", *arguments, "--keep-models", "1", "--older-than", "0h") == 0
    assert others[0].number not in {int(path.name) for path in copies.iterdir()}


def test_what_does_not_ask_vertex_ai_leaves_its_versions_alone(served: Served) -> None:
    config = load_configuration(served.project.configuration)
    assert retention_here(config, config.registry).keep_models is None
    assert retention_here(config, "/another/registry").keep_models == 7


def test_the_last_step_removes_nothing_if_vertex_ai_does_not_answer(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abc":
        served.push(name, uploaded=False)
    settings = VertexPushSettings.model_validate(PUSH)
    target = VertexTarget(project="my-project", location="europe-west4", api_endpoint="http://127.0.0.1:1")
    vertex = json.dumps({"settings": settings.model_dump(mode="json"), "target": target.model_dump(mode="json")})
    retention = RetentionSettings(keep_models=1, older_than="0h").model_dump_json()
    clean_up_after_remote_run(retention, served.base, "small", vertex)
    assert "not cleaned up: Refused: " in capsys.readouterr().err
    assert len(versions(served.base)) == 3
