"""Manifests, held to the models of Kubernetes' own client and of KServe's, and to the schema of Compose files.

What TensorFlow Serving itself reads was compared with its source, 2.19.1: the flags with model_servers/main.cc, the
parameters of batching with servables/tensorflow/session_bundle_config.proto (BatchingParameters, whose numbers are
wrapped values), those of monitoring with config/monitoring_config.proto. KServe's agent was compared with its source,
0.20.0: the flags and the variable with cmd/agent/main.go, lines 53-118.
"""

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner as ClickRunner
from kubernetes import client
from typer.testing import CliRunner

from cli.main import app
from components.registry import ModelRecord, checksums, content_id, push
from schema.errors import Refused
from serving.deploy.manifests import Target, describe, render

_KINDS = {
    "ConfigMap": "V1ConfigMap",
    "Deployment": "V1Deployment",
    "Service": "V1Service",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Registry with one version of 300 MiB, as far as its file system says."""
    folder = tmp_path_factory.mktemp("registry")
    model = folder / "model"
    model.mkdir()
    with (model / "saved_model.pb").open("wb") as file:
        file.truncate(300 << 20)
    record = ModelRecord(
        model_id=content_id(checksums(str(model))), labels=["refund", "old", "praise"], thresholds=[0.5, 1.0, 0.5],
        checkpoint="none", created="2026-01-01T00:00:00+00:00", versions={}, retired=["old"],
    )  # fmt: skip
    record.write(str(model))
    push(str(model), str(folder / "registry"), record)
    return str(folder / "registry")


def _documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.fixture(scope="module")
def kserve() -> Any:
    """Return KServe's API client, which knows the models of its API and of Kubernetes'.

    The package itself imports its model server, whose dependencies are not installed here.
    """
    found = importlib.util.find_spec("kserve")
    assert found is not None
    package = ModuleType("kserve")
    package.__path__ = list(found.submodule_search_locations or ())
    sys.modules["kserve"] = package
    models = importlib.import_module("kserve.models")
    for name, value in vars(client).items():
        if name.startswith("V1"):
            vars(models).setdefault(name, value)
    return importlib.import_module("kserve.api_client").ApiClient()


def _comes_back(api: Any, kind: str, document: dict[str, Any]) -> bool:
    """Return whether a client understands every key: one that it does not know, or at another place, is lost."""
    response = type("Response", (), {"data": json.dumps(document)})
    understood: dict[str, Any] = api.sanitize_for_serialization(api.deserialize(response, kind))
    return understood == document


@pytest.mark.parametrize("address", ["pvc://models/tickets/registry", "pvc://models", "gs://bucket/tickets/registry/"])
def test_kubernetes_understands_every_key(registry: str, address: str) -> None:
    deployment = describe("kubernetes", registry, name="tickets", address=address, replicas=3)
    documents = _documents(render("kubernetes", deployment)["kubernetes.yaml"])
    assert [each["kind"] for each in documents] == list(_KINDS)
    assert all(_comes_back(client.ApiClient(), _KINDS[each["kind"]], each) for each in documents)
    spec = documents[1]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == 3
    assert container["resources"]["limits"]["memory"] == "2304Mi"  # 1 GiB and 4 times 300 MiB, in steps of 256
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    if address.startswith("gs://"):
        assert "--model_base_path=gs://bucket/tickets/registry" in container["args"]
        assert "registry" not in mounts
    else:
        assert "--model_base_path=/models/tickets" in container["args"]
        assert mounts["registry"].get("subPath") == ("tickets/registry" if address.count("/") > 2 else None)
        assert mounts["registry"]["readOnly"]


def _containers(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in document["spec"]["template"]["spec"]["containers"]}


def test_kubernetes_logs_requests_by_kserve_s_agent_in_front_of_the_server(registry: str) -> None:
    options: dict[str, Any] = {"request_log": "pvc://logs/tickets", "log_image": "shop/bert-multilabel:1"}
    deployment = describe("kubernetes", registry, name="tickets", address="pvc://models/tickets", **options)
    documents = {each["kind"]: each for each in _documents(render("kubernetes", deployment)["kubernetes.yaml"])}
    assert all(_comes_back(client.ApiClient(), _KINDS[kind], each) for kind, each in documents.items())
    containers = _containers(documents["Deployment"])
    assert "--component-port=8501" in containers["agent"]["args"]
    assert "--status-url=http://127.0.0.1:8501/v1/models/tickets" in containers["request-log"]["args"]
    ports = {each["name"]: each["targetPort"] for each in documents["Service"]["spec"]["ports"]}
    assert ports == {"grpc": "grpc", "http": "logged"}
    assert containers["agent"]["ports"] == [{"name": "logged", "containerPort": 9081}]
    mounts = {each["name"]: each for each in containers["request-log"]["volumeMounts"]}
    assert mounts["log"] == {"name": "log", "mountPath": "/log", "subPath": "tickets"}
    assert mounts["registry"]["readOnly"]


@pytest.mark.parametrize("address", ["pvc://models/tickets/registry", "gs://bucket/registry", "s3://bucket/registry"])
def test_kserve_understands_every_key_and_gives_the_version_its_share(registry: str, kserve: Any, address: str) -> None:
    log = None if address.startswith("s3://") else "pvc://logs"
    deployment = describe(
        "kserve", registry, name="tickets", address=address, image="shop/bert:1", canary=10, request_log=log
    )
    service, *others = _documents(render("kserve", deployment)["kserve.yaml"])
    assert _comes_back(kserve, "V1beta1InferenceService", service)
    assert all(_comes_back(client.ApiClient(), _KINDS[each["kind"]], each) for each in others)
    predictor = service["spec"]["predictor"]
    number = deployment.version
    assert predictor["canaryTrafficPercent"] == 10
    assert predictor["storageUris"] == [{"uri": f"{address}/{number}", "mountPath": f"/mnt/models/{number}"}]
    (container,) = predictor["containers"]
    # `serve` takes the version's number from the name of its folder.
    assert f"--model=/mnt/models/{number}" in container["args"]
    if log is None:
        assert others == []
        assert "logger" not in predictor
        return
    sink, at = others
    assert predictor["logger"]["url"] == f"http://{at['metadata']['name']}/"
    assert at["spec"]["selector"] == sink["spec"]["template"]["metadata"]["labels"]
    arguments = _containers(sink)["request-log"]["args"]
    assert ("--model=/models/tickets" if address.startswith("pvc") else f"--model={address}") in arguments
    everything = describe("kserve", registry, name="tickets", address=address, image="shop/bert:1")
    (service,) = _documents(render("kserve", everything)["kserve.yaml"])
    assert "canaryTrafficPercent" not in service["spec"]["predictor"]


def _parameters(command: str) -> set[str]:
    from typer.main import get_command

    from cli.main import app

    return {name for each in get_command(app).commands[command].params for name in each.opts}  # type: ignore[attr-defined]


def test_containers_are_started_with_options_that_the_commands_have(registry: str) -> None:
    options: dict[str, Any] = {"address": "pvc://models", "image": "i", "request_log": "pvc://logs"}
    service, sink, _ = _documents(
        render("kserve", describe("kserve", registry, name="tickets", **options))["kserve.yaml"]
    )
    for container in (*service["spec"]["predictor"]["containers"], *_containers(sink).values()):
        command, *arguments = container["args"]
        assert {argument.partition("=")[0] for argument in arguments} <= _parameters(command)


def test_compose_mounts_the_registry_read_only_and_listens_on_this_machine_alone(registry: str, tmp_path: Path) -> None:
    output = tmp_path / "deployed"
    arguments = ["deploy", "--target", "compose", "--model", registry, "--name", "tickets", "--output", str(output)]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    text = (output / "compose.yaml").read_text()
    assert "with 2 labels" in text
    service = yaml.safe_load(text)["services"]["serving"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    mounts = {each["target"]: each for each in service["volumes"]}
    assert mounts["/models/tickets"] == {
        "type": "bind", "source": registry, "target": "/models/tickets", "read_only": True
    }  # fmt: skip
    for argument in service["command"]:
        name, _, value = argument.partition("=")
        if name.endswith("_file"):  # every file that is named is mounted, and was written
            assert (output / Path(mounts[value]["source"]).name).is_file()


def test_the_compose_file_is_as_its_published_schema_has_it(registry: str, tmp_path: Path) -> None:
    """The schema of https://github.com/compose-spec/compose-spec, in the release that check-jsonschema brings."""
    rendered = render("compose", describe("compose", registry, name="tickets"))["compose.yaml"]
    file = tmp_path / "compose.yaml"
    arguments = ["--builtin-schema", "vendor.compose-spec", str(file)]
    for text, is_valid in ((rendered, True), (rendered.replace("mem_limit:", "memory_limit:"), False)):
        file.write_text(text)
        checked = ClickRunner().invoke(check_jsonschema, arguments)
        assert (checked.exit_code == 0) == is_valid, checked.output


def test_a_folder_may_have_any_name(registry: str, tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s ${HOME}: "mine" # and'
    odd.symlink_to(registry)
    service = yaml.safe_load(render("compose", describe("compose", str(odd), name="a"))["compose.yaml"])
    # Compose replaces variables; a doubled dollar sign is one.
    assert service["services"]["serving"]["volumes"][0]["source"].replace("$$", "$") == str(odd)


@pytest.mark.parametrize(
    ("target", "address", "message"),
    [
        ("kubernetes", None, "pods do not see this machine's folders"),
        ("kubernetes", "s3://bucket/registry", "folders and gs:// only"),
        ("compose", "pvc://claim/path", "folders and gs:// only"),
        ("kserve", None, "pods do not see this machine's folders"),
    ],
)
def test_refuses_an_address_that_servers_cannot_read(
    registry: str, target: Target, address: str | None, message: str
) -> None:
    with pytest.raises(Refused, match=message):
        describe(target, registry, name="tickets", address=address, image="shop/bert:1")


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("kserve", {}, "needs --image: this project's"),
        ("kserve", {"image": "i", "request_log": "/log"}, "--request-log /log: give pvc://"),
        ("kserve", {"image": "i", "request_log": "pvc://log", "address": "s3://b/r"}, "s3://b/r cannot be read"),
        ("kserve", {"image": "i", "name": "n" * 60}, "up to 50 characters"),
        ("kubernetes", {"canary": 10}, "--canary: kubernetes does not split traffic"),
        ("kubernetes", {"request_log": "pvc://log"}, "needs --log-image"),
        ("compose", {"request_log": "pvc://log"}, "is for Kubernetes and KServe"),
    ],
)
def test_refuses_options_that_do_not_fit_the_target(
    registry: str, target: Target, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        describe(target, registry, **{"name": "tickets", "address": "pvc://models", **options})


def test_refuses_an_empty_registry_and_a_name_that_kubernetes_refuses(registry: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="push a model first"):
        describe("compose", str(tmp_path / "none"), name="tickets")
    with pytest.raises(Refused, match="lower-case letters"):
        describe("compose", registry, name="My_Model")
