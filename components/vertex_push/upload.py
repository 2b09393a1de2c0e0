"""Upload of a version to Vertex AI's Model Registry, and its deployment to an endpoint; both idempotent.

What exists already is recognized by name: a version of the model by its alias, registry-NUMBER, after the version
directory in the pipeline's own registry; the endpoint by its display name.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from components.registry import copy_model
from components.vertex_push.service import TIMEOUT_S, connect, find_credentials, refusing, retry, wait_for
from components.vertex_push.settings import EndpointSettings, VertexPushSettings, VertexTarget
from schema.errors import Refused

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.services.endpoint_service import EndpointServiceClient
    from google.cloud.aiplatform_v1.types import DeployedModel, Endpoint, Model, ModelContainerSpec

_PORT = 8080
_NEW = "0"  # the ID that DeployModel uses for the model being deployed


def alias_of(number: int) -> str:
    """Return the alias in the Model Registry of a version of the pipeline's registry.

    Example:
        >>> alias_of(1764000000)
        'registry-1764000000'
    """
    return f"registry-{number}"


def find_version(settings: VertexPushSettings, target: VertexTarget, number: int) -> "Model | None":
    """Return the uploaded model of a version of the registry; None if it was not uploaded yet.

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    return _get_model(target, f"{model_name(settings, target)}@{alias_of(number)}")


def upload(settings: VertexPushSettings, target: VertexTarget, number: int, path: str, serving_root: str) -> "Model":
    """Upload a version of the model, and make it the default one.

    Args:
        settings: Settings of the upload.
        target: Project and location.
        number: Number of the version in the pipeline's registry.
        path: gs:// address of the version.
        serving_root: gs:// address for the copies that TensorFlow Serving needs.

    Returns:
        The version as Vertex AI returns it.

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    from google.cloud import aiplatform_v1
    from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient

    folder = path
    if settings.serving.kind == "tensorflow_serving":
        folder = f"{serving_root.rstrip('/')}/{number}"
        copy_model(path, f"{folder}/1")
    name = model_name(settings, target)
    existing = _get_model(target, name)
    model = aiplatform_v1.Model(
        display_name=settings.model,
        artifact_uri=folder,
        container_spec=_container(settings),
        version_aliases=["default", alias_of(number)],
        labels=target.labels,
    )
    if target.kms_key:
        model.encryption_spec.kms_key_name = target.kms_key
    # A further version names its parent model; the first one creates the model.
    parent: dict[str, str] = {"parent_model": name} if existing else {"model_id": settings.model}
    request = aiplatform_v1.UploadModelRequest(parent=target.parent, model=model, **parent)
    with refusing(target, f"model {settings.model}"):
        client = connect(ModelServiceClient, target, find_credentials(target))
        uploaded = wait_for(client.upload_model(request, timeout=TIMEOUT_S), settings.timeout_s)
        return client.get_model(name=f"{uploaded.model}@{uploaded.model_version_id}", retry=retry(), timeout=TIMEOUT_S)


def deploy(settings: VertexPushSettings, target: VertexTarget, model: "Model") -> str:
    """Deploy a version of the model to the endpoint, and undeploy versions that receive no more traffic.

    A version that is deployed already stays as it is, so that a traffic split that a person has changed is kept.

    Returns:
        Resource name of the endpoint.

    Raises:
        Refused: Vertex AI refuses, or does not answer; or two endpoints have the name.
    """
    chosen = settings.endpoint
    assert chosen is not None
    with _opened_endpoint(settings, target) as (client, endpoint):
        if _deployed(endpoint, model) is None:
            split = split_traffic(dict(endpoint.traffic_split), chosen.traffic)
            _deploy(client, endpoint, settings, model, split)
        _undeploy_idle(client, endpoint.name, settings, model)
        return str(endpoint.name)


def take_traffic(settings: VertexPushSettings, target: VertexTarget, model: "Model") -> str:
    """Give a version all traffic of the endpoint that does not go to other models, and undeploy the other versions.

    The version is deployed if it is not.

    Returns:
        Resource name of the endpoint.

    Raises:
        Refused: Vertex AI refuses, or does not answer; or two endpoints have the name.
    """
    from google.cloud.aiplatform_v1.types import Endpoint

    with _opened_endpoint(settings, target) as (client, endpoint):
        ours = {each.id for each in endpoint.deployed_models if is_version_of(each.model, model.name)}
        others = {key: percent for key, percent in endpoint.traffic_split.items() if key not in ours}
        deployed = _deployed(endpoint, model)
        split = others | {deployed.id if deployed else _NEW: 100 - sum(others.values())}
        if deployed is None:
            _deploy(client, endpoint, settings, model, split)
        elif split != dict(endpoint.traffic_split):
            changed = Endpoint(name=endpoint.name, traffic_split=split, etag=endpoint.etag)
            client.update_endpoint(endpoint=changed, update_mask={"paths": ["traffic_split"]}, timeout=TIMEOUT_S)
        _undeploy_idle(client, endpoint.name, settings, model)
        return str(endpoint.name)


@contextmanager
def _opened_endpoint(
    settings: VertexPushSettings, target: VertexTarget
) -> Iterator[tuple["EndpointServiceClient", "Endpoint"]]:
    """Yield a client and the configured endpoint, created if it does not exist; errors of Vertex AI become Refused."""
    from google.cloud.aiplatform_v1.services.endpoint_service import EndpointServiceClient

    assert settings.endpoint is not None
    name = settings.endpoint.name
    with refusing(target, f"endpoint {name}"):
        client = connect(EndpointServiceClient, target, find_credentials(target))
        yield client, find_endpoint(client, target, name) or _create_endpoint(client, settings, target)


def split_traffic(current: Mapping[str, int], percent: int) -> dict[str, int]:
    """Compute the traffic split of an endpoint after a deployment.

    Args:
        current: Percentage by ID of the deployed model.
        percent: Percentage for the model being deployed.

    Returns:
        The new split, adding up to 100: the rest goes to the model that had most.

    Example:
        >>> split_traffic({"1": 30, "2": 70}, 10)
        {'0': 10, '2': 90}
    """
    most = max(current, key=lambda each: current[each], default=None)
    if most is None or percent == 100:
        return {_NEW: 100}
    return {_NEW: percent, most: 100 - percent}


def _get_model(target: VertexTarget, name: str) -> "Model | None":
    from google.api_core.exceptions import NotFound
    from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient

    with refusing(target, f"model {name.rpartition('/')[2]}"):
        try:
            return connect(ModelServiceClient, target, find_credentials(target)).get_model(
                name=name, retry=retry(), timeout=TIMEOUT_S
            )
        except NotFound:
            return None


def _container(settings: VertexPushSettings) -> "ModelContainerSpec":
    from google.cloud.aiplatform_v1.types import EnvVar, ModelContainerSpec, Port

    serving = settings.serving
    env = [EnvVar(name=name, value=value) for name, value in serving.env.items()]
    if serving.kind == "prebuilt":
        return ModelContainerSpec(image_uri=serving.image, env=env)
    # Vertex AI sets AIP_STORAGE_URI, see
    # https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements.
    return ModelContainerSpec(
        image_uri=serving.image,
        command=["/usr/bin/tensorflow_model_server"],
        args=[f"--rest_api_port={_PORT}", f"--model_name={settings.model}", "--model_base_path=$(AIP_STORAGE_URI)"],
        env=env,
        ports=[Port(container_port=_PORT)],
        health_route=f"/v1/models/{settings.model}",
        predict_route=f"/v1/models/{settings.model}:predict",
    )


def find_endpoint(client: "EndpointServiceClient", target: VertexTarget, name: str) -> "Endpoint | None":
    """Return the endpoint with a display name; None if there is none.

    Raises:
        Refused: Two endpoints have the name.
    """
    request: dict[str, Any] = {"parent": target.parent, "filter": f'display_name="{name}"'}
    found = list(client.list_endpoints(request, retry=retry(), timeout=TIMEOUT_S))
    if len(found) > 1:
        numbers = ", ".join(each.name.rpartition("/")[2] for each in found)
        raise Refused(
            f"Vertex AI, endpoint {name}: {len(found)} endpoints have this name ({numbers}); delete all but one"
        )
    return found[0] if found else None


def _create_endpoint(client: "EndpointServiceClient", settings: VertexPushSettings, target: VertexTarget) -> "Endpoint":
    from google.cloud.aiplatform_v1.types import Endpoint

    assert settings.endpoint is not None
    endpoint = Endpoint(display_name=settings.endpoint.name, labels=target.labels)
    if target.kms_key:
        endpoint.encryption_spec.kms_key_name = target.kms_key
    created: Endpoint = wait_for(
        client.create_endpoint(parent=target.parent, endpoint=endpoint, timeout=TIMEOUT_S), settings.timeout_s
    )
    return created


def _deploy(
    client: "EndpointServiceClient",
    endpoint: "Endpoint",
    settings: VertexPushSettings,
    model: "Model",
    traffic_split: Mapping[str, int],
) -> None:
    from google.cloud.aiplatform_v1.types import DedicatedResources, DeployedModel, MachineSpec

    chosen = settings.endpoint
    assert chosen is not None
    machine = MachineSpec(machine_type=chosen.machine_type, **_accelerator(chosen))
    deployed = DeployedModel(
        model=f"{_without_version(model.name)}@{model.version_id}",
        display_name=f"{settings.model}-{model.version_id}",
        dedicated_resources=DedicatedResources(
            machine_spec=machine, min_replica_count=chosen.min_replicas, max_replica_count=chosen.max_replicas
        ),
        service_account=chosen.service_account or "",
    )
    operation = client.deploy_model(
        endpoint=endpoint.name,
        deployed_model=deployed,
        traffic_split=dict(traffic_split),
        timeout=TIMEOUT_S,
    )
    wait_for(operation, settings.timeout_s)


def _accelerator(chosen: EndpointSettings) -> dict[str, Any]:
    if chosen.accelerator_type is None:
        return {}
    return {"accelerator_type": chosen.accelerator_type, "accelerator_count": chosen.accelerator_count}


def _undeploy_idle(
    client: "EndpointServiceClient", endpoint_name: str, settings: VertexPushSettings, model: "Model"
) -> None:
    """Undeploy the versions of a model that receive no traffic, except for one of them."""
    endpoint = client.get_endpoint(name=endpoint_name, retry=retry(), timeout=TIMEOUT_S)
    for each in endpoint.deployed_models:
        is_kept = each == _deployed(endpoint, model) or endpoint.traffic_split.get(each.id)
        if is_version_of(each.model, model.name) and not is_kept:
            operation = client.undeploy_model(endpoint=endpoint.name, deployed_model_id=each.id, timeout=TIMEOUT_S)
            wait_for(operation, settings.timeout_s)


def _deployed(endpoint: "Endpoint", model: "Model") -> "DeployedModel | None":
    """Return the deployment of a version on an endpoint; None if it is not deployed."""
    of_model = (each for each in endpoint.deployed_models if is_version_of(each.model, model.name))
    return next((each for each in of_model if each.model_version_id == model.version_id), None)


def is_version_of(name: str, model: str) -> bool:
    """Return whether two resource names, with or without a version, name the same model."""
    return _without_version(name) == _without_version(model)


def version_name(model: "Model") -> str:
    """Return the resource name of a model's version."""
    return f"{_without_version(model.name)}@{model.version_id}"


def model_name(settings: VertexPushSettings, target: VertexTarget) -> str:
    """Return the resource name of the model, without a version."""
    return f"{target.parent}/models/{settings.model}"


def _without_version(name: str) -> str:
    return name.partition("@")[0]
