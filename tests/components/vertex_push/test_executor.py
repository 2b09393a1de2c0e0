"""The real executor uploads pushed models to a stateful stand-in for Vertex AI, once, and no others."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, standard_artifacts

from components.pusher.push_result import PushResult
from components.vertex_push import service
from components.vertex_push.executor import Executor
from components.vertex_push.settings import VertexPushSettings, VertexTarget
from components.vertex_push.upload import split_traffic
from components.vertex_push.upload_result import UploadResult
from schema.errors import Refused
from tests.components.evaluation.small_model import artifact
from tests.components.pusher.test_pusher import run as push
from tests.support.google_account import log_in
from tests.support.vertex_server import PARENT, VertexServer

MODEL = f"{PARENT}/models/topics"
PREBUILT = {"image": "europe-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"}
ENDPOINT = {"name": "topics", "machine_type": "n1-standard-2", "max_replicas": 3}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexServer]:
    log_in(tmp_path, monkeypatch)
    monkeypatch.setattr(service, "PATIENCE_S", 0.1)
    with VertexServer() as server:
        yield server


@pytest.fixture
def upload(server: VertexServer, tmp_path: Path) -> Any:
    """Return a function that runs the executor on a push result, and returns its artifact and result."""

    def run(pushed: PushResult, serving: dict[str, Any] = PREBUILT, **settings: Any) -> tuple[Artifact, UploadResult]:
        before = artifact(standard_artifacts.PushedModel, tmp_path / "pushed")
        pushed.write(before.uri)
        uploaded = artifact(standard_artifacts.PushedModel, tmp_path / uuid.uuid4().hex)
        target = VertexTarget(
            project="my-project", location="europe-west4", api_endpoint=server.url, labels={"team": "support"}
        )
        Executor(BaseExecutor.Context(tmp_dir=str(tmp_path / "tmp"), unique_id="1")).Do(
            {"pushed_model": [before]},
            {"vertex_model": [uploaded]},
            {
                "settings": VertexPushSettings(model="topics", serving=serving, **settings).model_dump_json(),
                "target": target.model_dump_json(),
                "serving_root": f"ram://{tmp_path.name}/registry/.vertex",
            },
        )
        return uploaded, UploadResult.read(uploaded.uri)

    return run


def version(number: int) -> PushResult:
    return PushResult(number=number, path=f"gs://bucket/registry/{number}")


@pytest.mark.parametrize("reason", ["", "not pushed: the model is version 7, which was rolled back"])
def test_sends_nothing_if_nothing_was_pushed(server: VertexServer, upload: Any, reason: str) -> None:
    artifact_, result = upload(PushResult(reason=reason), endpoint=ENDPOINT)
    assert result == UploadResult()
    assert artifact_.get_int_custom_property("pushed") == 0
    assert server.requests == []


@pytest.mark.parametrize("blessed", [0, None])
def test_a_model_that_is_not_blessed_reaches_neither_registry(
    server: VertexServer, upload: Any, tmp_path: Path, blessed: int | None
) -> None:
    pushed = push(tmp_path / "model", blessed, tmp_path)
    assert upload(PushResult.read(pushed.uri), endpoint=ENDPOINT)[1] == UploadResult()
    assert not (tmp_path / "registry").exists()
    assert server.requests == []


def test_each_push_is_a_version_of_one_model_and_the_latest_is_the_default(server: VertexServer, upload: Any) -> None:
    server.slow = True
    artifact_, result = upload(version(7))
    assert result == UploadResult(model=f"{MODEL}@1")
    assert artifact_.get_int_custom_property("pushed") == 1
    assert artifact_.get_string_custom_property("pushed_destination") == f"{MODEL}@1"
    server.slow = False
    assert upload(version(9))[1].model == f"{MODEL}@2"
    first, second = server.models[MODEL]
    assert list(first.version_aliases) == ["registry-7"]
    assert list(second.version_aliases) == ["default", "registry-9"]
    assert second.artifact_uri == "gs://bucket/registry/9"
    assert second.container_spec.image_uri == PREBUILT["image"]
    assert second.labels["team"] == "support"
    assert not server.endpoints


def test_a_retry_creates_nothing_twice(server: VertexServer, upload: Any) -> None:
    _, first = upload(version(7), endpoint=ENDPOINT)
    _, again = upload(version(7), endpoint=ENDPOINT)
    assert first == again
    assert len(server.models[MODEL]) == 1
    (endpoint,) = server.endpoints.values()
    assert len(endpoint.deployed_models) == 1


def test_a_retry_continues_where_the_first_try_failed(server: VertexServer, upload: Any) -> None:
    with (
        server.failing(":deployModel", 429, "Quota exceeded: custom_model_serving_cpus."),
        pytest.raises(
            Refused, match=r"endpoint topics: a quota is used up \(Quota exceeded: custom_model_serving_cpus\)"
        ),
    ):
        upload(version(7), endpoint=ENDPOINT)
    upload(version(7), endpoint=ENDPOINT)
    assert len(server.models[MODEL]) == 1
    (endpoint,) = server.endpoints.values()
    (deployed,) = endpoint.deployed_models
    assert (deployed.model, deployed.model_version_id) == (MODEL, "1")
    resources = deployed.dedicated_resources
    assert (resources.machine_spec.machine_type, resources.max_replica_count) == ("n1-standard-2", 3)


def test_the_new_version_gets_all_traffic_and_the_old_one_is_undeployed(server: VertexServer, upload: Any) -> None:
    for number in (7, 9):
        upload(version(number), endpoint=ENDPOINT)
    (endpoint,) = server.endpoints.values()
    (deployed,) = endpoint.deployed_models
    assert deployed.model_version_id == "2"
    assert dict(endpoint.traffic_split) == {deployed.id: 100}


def test_leaves_the_rest_of_the_traffic_and_keeps_a_split_changed_by_hand(server: VertexServer, upload: Any) -> None:
    share = {**ENDPOINT, "traffic": 10}
    for number in (7, 9):
        upload(version(number), endpoint=share)
    (endpoint,) = server.endpoints.values()
    old, new = endpoint.deployed_models
    assert dict(endpoint.traffic_split) == {old.id: 90, new.id: 10}
    endpoint.traffic_split = {old.id: 40, new.id: 60}  # by hand
    upload(version(9), endpoint=share)
    assert dict(endpoint.traffic_split) == {old.id: 40, new.id: 60}
    # The next version shares with the one that had most; the third one receives no more traffic.
    upload(version(11), endpoint=share)
    assert sorted(endpoint.traffic_split.values()) == [10, 90]
    assert [each.model_version_id for each in endpoint.deployed_models] == ["2", "3"]


def test_keeps_other_models_of_the_endpoint(server: VertexServer, upload: Any) -> None:
    upload(version(7), endpoint=ENDPOINT)
    (endpoint,) = server.endpoints.values()
    endpoint.deployed_models[0].model = f"{PARENT}/models/others"
    upload(version(9), endpoint=ENDPOINT)
    assert [each.model for each in endpoint.deployed_models] == [f"{PARENT}/models/others", MODEL]


def test_refuses_two_endpoints_of_one_name(server: VertexServer, upload: Any) -> None:
    for _ in range(2):
        server.create_endpoint(PARENT, {"displayName": "topics"}, {})
    with pytest.raises(Refused, match=r"endpoint topics: 2 endpoints have this name \(1, 2\); delete all but one"):
        upload(version(7), endpoint=ENDPOINT)


def test_gives_tensorflow_serving_a_folder_with_a_numbered_version(
    server: VertexServer, upload: Any, tmp_path: Path
) -> None:
    path = f"ram://{tmp_path.name}/registry/7"
    tf.io.gfile.makedirs(f"{path}/variables")
    for name in ("saved_model.pb", "model.json", "variables/variables.index"):
        with tf.io.gfile.GFile(f"{path}/{name}", "w") as file:
            file.write(name)
    upload(PushResult(number=7, path=path), {"image": "tensorflow-serving:2", "kind": "tensorflow_serving"})
    (model,) = server.models[MODEL]
    assert model.artifact_uri == f"ram://{tmp_path.name}/registry/.vertex/7"
    assert tf.io.gfile.exists(f"{model.artifact_uri}/1/variables/variables.index")
    container = model.container_spec
    assert container.predict_route == "/v1/models/topics:predict"
    assert "--model_base_path=$(AIP_STORAGE_URI)" in container.args
    assert container.ports[0].container_port == 8080


def test_refuses_in_one_line_without_access(server: VertexServer, upload: Any) -> None:
    with (
        server.failing("/models", 403, "Permission 'aiplatform.models.get' denied."),
        pytest.raises(Refused, match=r"model topics@registry-7: no access \(Permission .* denied\); grant the account"),
    ):
        upload(version(7))


def test_traffic_adds_up_to_100() -> None:
    assert split_traffic({}, 10) == {"0": 100}
    assert split_traffic({"1": 100}, 100) == {"0": 100}
    assert split_traffic({"1": 30, "2": 70}, 10) == {"0": 10, "2": 90}
