"""A version in Vertex AI's Model Registry, and its place behind an endpoint; each made once, however often asked for.

What is there is told by names: a version of the model by its alias, registry-NUMBER, after the version directory in the
pipeline's own registry; the endpoint by its display name.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.vertex_push.service import TIMEOUT_S, again, connect, find_credentials, finished, refusing
from components.vertex_push.settings import EndpointSettings, VertexPlace, VertexPushSettings
from schema.errors import Refused

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.services.endpoint_service import EndpointServiceClient
    from google.cloud.aiplatform_v1.types import DeployedModel, Endpoint, Model, ModelContainerSpec

_PORT = 8080
_NEW = "0"  # DeployModel's word for what is being deployed


def alias_of(number: int) -> str:
    """Of the version of the model that a version of the registry became."""
    return f"registry-{number}"


def find_version(settings: VertexPushSettings, place: VertexPlace, number: int) -> "Model | None":
    """The version of the model that a version of the registry became already.

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    return _get_model(place, f"{_model_name(settings, place)}@{alias_of(number)}")


def upload(settings: VertexPushSettings, place: VertexPlace, number: int, folder: str) -> "Model":
    """Makes a version of the model, the default one from now on.

    Args:
        settings: Of the model.
        place: Where.
        number: Of the version in the pipeline's registry.
        folder: gs:// address, as the container wants it.

    Returns:
        It, as Vertex AI keeps it.

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    from google.cloud import aiplatform_v1
    from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient

    name = _model_name(settings, place)
    there = _get_model(place, name)
    model = aiplatform_v1.Model(
        display_name=settings.model,
        artifact_uri=folder,
        container_spec=_container(settings),
        version_aliases=["default", alias_of(number)],
        labels=place.labels,
    )
    if place.kms_key:
        model.encryption_spec.kms_key_name = place.kms_key
    # A version names its model; the first one makes it.
    whose: dict[str, str] = {"parent_model": name} if there else {"model_id": settings.model}
    request = aiplatform_v1.UploadModelRequest(parent=place.parent, model=model, **whose)
    with refusing(place, f"model {settings.model}"):
        client = connect(ModelServiceClient, place, find_credentials(place))
        made = finished(client.upload_model(request, timeout=TIMEOUT_S), settings.timeout_s)
        return client.get_model(name=f"{made.model}@{made.model_version_id}", retry=again(), timeout=TIMEOUT_S)


def deploy(settings: VertexPushSettings, place: VertexPlace, model: "Model") -> str:
    """Has an endpoint serve a version of the model, and takes from it those that serve nothing any more.

    What serves already stays as it is: who has changed the traffic since keeps it so.

    Returns:
        Resource name of the endpoint.

    Raises:
        Refused: Vertex AI refuses, or does not answer; or two endpoints have the name.
    """
    from google.cloud.aiplatform_v1.services.endpoint_service import EndpointServiceClient

    wanted = settings.endpoint
    assert wanted is not None
    with refusing(place, f"endpoint {wanted.name}"):
        client = connect(EndpointServiceClient, place, find_credentials(place))
        endpoint = _find_endpoint(client, place, wanted.name) or _make_endpoint(client, settings, place)
        if not any(_is_of(each, model) for each in endpoint.deployed_models):
            _deploy(client, endpoint, settings, model)
            endpoint = client.get_endpoint(name=endpoint.name, retry=again(), timeout=TIMEOUT_S)
        for each in endpoint.deployed_models:
            ours = _without_version(each.model) == _without_version(model.name)
            if ours and not _is_of(each, model) and not endpoint.traffic_split.get(each.id):
                gone = client.undeploy_model(endpoint=endpoint.name, deployed_model_id=each.id, timeout=TIMEOUT_S)
                finished(gone, settings.timeout_s)
        return str(endpoint.name)


def split_traffic(now: Mapping[str, int], percent: int) -> dict[str, int]:
    """Of an endpoint, after a deployment.

    Args:
        now: Percent by the ID of what is deployed.
        percent: For what is being deployed.

    Returns:
        The same, adding up to 100: the rest is for the one that had most.
    """
    most = max(now, key=lambda each: now[each], default=None)
    if most is None or percent == 100:
        return {_NEW: 100}
    return {_NEW: percent, most: 100 - percent}


def _get_model(place: VertexPlace, name: str) -> "Model | None":
    from google.api_core.exceptions import NotFound
    from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient

    with refusing(place, f"model {name.rpartition('/')[2]}"):
        try:
            return connect(ModelServiceClient, place, find_credentials(place)).get_model(
                name=name, retry=again(), timeout=TIMEOUT_S
            )
        except NotFound:
            return None


def _container(settings: VertexPushSettings) -> "ModelContainerSpec":
    from google.cloud.aiplatform_v1.types import EnvVar, ModelContainerSpec, Port

    serving = settings.serving
    env = [EnvVar(name=name, value=value) for name, value in serving.env.items()]
    if serving.kind == "prebuilt":
        return ModelContainerSpec(image_uri=serving.image, env=env)
    # https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements: the variable is Vertex AI's.
    return ModelContainerSpec(
        image_uri=serving.image,
        command=["/usr/bin/tensorflow_model_server"],
        args=[f"--rest_api_port={_PORT}", f"--model_name={settings.model}", "--model_base_path=$(AIP_STORAGE_URI)"],
        env=env,
        ports=[Port(container_port=_PORT)],
        health_route=f"/v1/models/{settings.model}",
        predict_route=f"/v1/models/{settings.model}:predict",
    )


def _find_endpoint(client: "EndpointServiceClient", place: VertexPlace, name: str) -> "Endpoint | None":
    request: dict[str, Any] = {"parent": place.parent, "filter": f'display_name="{name}"'}
    found = list(client.list_endpoints(request, retry=again(), timeout=TIMEOUT_S))
    if len(found) > 1:
        numbers = ", ".join(each.name.rpartition("/")[2] for each in found)
        raise Refused(f"Vertex AI, endpoint {name}: there are {len(found)} of the name ({numbers}); delete all but one")
    return found[0] if found else None


def _make_endpoint(client: "EndpointServiceClient", settings: VertexPushSettings, place: VertexPlace) -> "Endpoint":
    from google.cloud.aiplatform_v1.types import Endpoint

    assert settings.endpoint is not None
    endpoint = Endpoint(display_name=settings.endpoint.name, labels=place.labels)
    if place.kms_key:
        endpoint.encryption_spec.kms_key_name = place.kms_key
    made: Endpoint = finished(
        client.create_endpoint(parent=place.parent, endpoint=endpoint, timeout=TIMEOUT_S), settings.timeout_s
    )
    return made


def _deploy(
    client: "EndpointServiceClient", endpoint: "Endpoint", settings: VertexPushSettings, model: "Model"
) -> None:
    from google.cloud.aiplatform_v1.types import DedicatedResources, DeployedModel, MachineSpec

    wanted = settings.endpoint
    assert wanted is not None
    machine = MachineSpec(machine_type=wanted.machine_type, **_accelerator(wanted))
    deployed = DeployedModel(
        model=f"{_without_version(model.name)}@{model.version_id}",
        display_name=f"{settings.model}-{model.version_id}",
        dedicated_resources=DedicatedResources(
            machine_spec=machine, min_replica_count=wanted.min_replicas, max_replica_count=wanted.max_replicas
        ),
        service_account=wanted.service_account or "",
    )
    operation = client.deploy_model(
        endpoint=endpoint.name,
        deployed_model=deployed,
        traffic_split=split_traffic(dict(endpoint.traffic_split), wanted.traffic),
        timeout=TIMEOUT_S,
    )
    finished(operation, settings.timeout_s)


def _accelerator(wanted: EndpointSettings) -> dict[str, Any]:
    if wanted.accelerator_type is None:
        return {}
    return {"accelerator_type": wanted.accelerator_type, "accelerator_count": wanted.accelerator_count}


def _is_of(deployed: "DeployedModel", model: "Model") -> bool:
    return (
        _without_version(deployed.model) == _without_version(model.name)
        and deployed.model_version_id == model.version_id
    )


def _model_name(settings: VertexPushSettings, place: VertexPlace) -> str:
    return f"{place.parent}/models/{settings.model}"


def _without_version(name: str) -> str:
    return name.partition("@")[0]
