"""Manifests of TensorFlow Serving, held to the models of Kubernetes' own client.

What TensorFlow Serving itself reads was compared with its source, 2.19.1: the flags with model_servers/main.cc, the
parameters of batching with servables/tensorflow/session_bundle_config.proto (BatchingParameters, whose numbers are
wrapped values), those of monitoring with config/monitoring_config.proto.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
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


@pytest.fixture
def registry(tmp_path: Path) -> str:
    """Registry with one version of 300 MiB, as far as its file system says."""
    model = tmp_path / "model"
    model.mkdir()
    with (model / "saved_model.pb").open("wb") as file:
        file.truncate(300 << 20)
    record = ModelRecord(
        model_id=content_id(checksums(str(model))), labels=["refund", "old", "praise"], thresholds=[0.5, 1.0, 0.5],
        checkpoint="none", created="2026-01-01T00:00:00+00:00", versions={}, retired=["old"],
    )  # fmt: skip
    record.write(str(model))
    push(str(model), str(tmp_path / "registry"), record)
    return str(tmp_path / "registry")


def _documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("address", ["pvc://models/tickets/registry", "pvc://models", "gs://bucket/tickets/registry/"])
def test_kubernetes_understands_every_key(registry: str, address: str) -> None:
    deployment = describe("kubernetes", registry, name="tickets", address=address, replicas=3)
    documents = _documents(render("kubernetes", deployment)["kubernetes.yaml"])
    assert [each["kind"] for each in documents] == list(_KINDS)
    for document in documents:
        response = type("Response", (), {"data": json.dumps(document)})
        api = client.ApiClient()
        # A key that the client does not know, or that is at another place, does not come back.
        assert api.sanitize_for_serialization(api.deserialize(response, _KINDS[document["kind"]])) == document
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


def test_a_folder_may_have_any_name(registry: str, tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s ${HOME}: "mine" # and'
    Path(registry).rename(odd)
    service = yaml.safe_load(render("compose", describe("compose", str(odd), name="a"))["compose.yaml"])
    # Compose replaces variables; a doubled dollar sign is one.
    assert service["services"]["serving"]["volumes"][0]["source"].replace("$$", "$") == str(odd)


@pytest.mark.parametrize(
    ("target", "address", "message"),
    [
        ("kubernetes", None, "pods do not see this machine's folders"),
        ("kubernetes", "s3://bucket/registry", "folders and gs:// only"),
        ("compose", "pvc://claim/path", "folders and gs:// only"),
    ],
)
def test_refuses_an_address_that_servers_cannot_read(
    registry: str, target: Target, address: str | None, message: str
) -> None:
    with pytest.raises(Refused, match=message):
        describe(target, registry, name="tickets", address=address)


def test_refuses_an_empty_registry_and_a_name_that_kubernetes_refuses(registry: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="push a model first"):
        describe("compose", str(tmp_path / "none"), name="tickets")
    with pytest.raises(Refused, match="lower-case letters"):
        describe("compose", registry, name="My_Model")
