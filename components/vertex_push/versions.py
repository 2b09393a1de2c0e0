"""Versions of the pipeline's registry as Vertex AI has them: which were uploaded, and which one serves."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from components.common.record import Value
from components.registry import Version, originals
from components.vertex_push.service import TIMEOUT_S, connect, find_credentials, refusing, retry
from components.vertex_push.settings import VertexPushSettings, VertexTarget
from components.vertex_push.upload import (
    alias_of,
    find_endpoint,
    find_version,
    is_version_of,
    model_name,
    take_traffic,
    upload,
    version_name,
)

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1.types import Model

_DEFAULT = "default"


class UploadedVersion(Value):
    """A version in Vertex AI's Model Registry.

    Attributes:
        version_id: Its ID there.
        number: Number of the version in the pipeline's registry; None if another tool uploaded it.
        is_default: Whether it is the model's default version.
        traffic: Percentage of the endpoint's traffic; None if it is not deployed there.
    """

    version_id: str
    number: int | None
    is_default: bool
    traffic: int | None


def uploaded_versions(settings: VertexPushSettings, target: VertexTarget) -> Sequence[UploadedVersion]:
    """Return the versions of the model, as the Model Registry and the endpoint have them.

    Raises:
        Refused: Vertex AI refuses, or does not answer; or two endpoints have the name.
    """
    traffic = _traffic(settings, target)
    return [
        UploadedVersion(
            version_id=model.version_id,
            number=_number(model),
            is_default=_DEFAULT in model.version_aliases,
            traffic=traffic.get(model.version_id),
        )
        for model in _models(settings, target)
    ]


def numbers_in_use(settings: VertexPushSettings, target: VertexTarget) -> set[int]:
    """Return the numbers of the versions of the pipeline's registry that Vertex AI serves, or would serve next.

    They must stay in the registry: whether Vertex AI reads a model there again, for a further replica, is not known.

    Raises:
        Refused: As `uploaded_versions`.
    """
    uploaded = uploaded_versions(settings, target)
    return {each.number for each in uploaded if each.number and (each.is_default or each.traffic is not None)}


def serve(settings: VertexPushSettings, target: VertexTarget, base: str, version: Version, serving_root: str) -> str:
    """Make a version of the pipeline's registry the default one, and give it the traffic of the endpoint's others.

    A version that was never uploaded is uploaded. Nothing changes where it serves already, so a call that failed half
    way can be repeated.

    Args:
        settings: Settings of the upload.
        target: Project and location.
        base: The pipeline's registry.
        version: The version, or a copy of it.
        serving_root: gs:// address for the copies that TensorFlow Serving needs.

    Returns:
        Resource name of the version.

    Raises:
        Refused: Vertex AI refuses, or does not answer; or two endpoints have the name.
    """
    found = (find_version(settings, target, number) for number in originals(base, version))
    model = next(filter(None, found), None)
    if model is None:
        model = upload(settings, target, version.number, version.path, serving_root)
    elif _DEFAULT not in model.version_aliases:
        _make_default(target, model)
    if settings.endpoint is not None:
        take_traffic(settings, target, model)
    return version_name(model)


def _make_default(target: VertexTarget, model: "Model") -> None:
    from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient

    name = version_name(model)
    with refusing(target, f"model {name.rpartition('/')[2]}"):
        client = connect(ModelServiceClient, target, find_credentials(target))
        client.merge_version_aliases(name=name, version_aliases=[_DEFAULT], timeout=TIMEOUT_S)


def _models(settings: VertexPushSettings, target: VertexTarget) -> Iterator["Model"]:
    from google.api_core.exceptions import NotFound
    from google.cloud.aiplatform_v1.services.model_service import ModelServiceClient

    with refusing(target, f"model {settings.model}"):
        client = connect(ModelServiceClient, target, find_credentials(target))
        try:
            yield from client.list_model_versions(name=model_name(settings, target), retry=retry(), timeout=TIMEOUT_S)
        except NotFound:
            return


def _traffic(settings: VertexPushSettings, target: VertexTarget) -> dict[str, int]:
    """Return the percentage of the traffic of each deployed version, by its ID."""
    from google.cloud.aiplatform_v1.services.endpoint_service import EndpointServiceClient

    if settings.endpoint is None:
        return {}
    with refusing(target, f"endpoint {settings.endpoint.name}"):
        client = connect(EndpointServiceClient, target, find_credentials(target))
        endpoint = find_endpoint(client, target, settings.endpoint.name)
    if endpoint is None:
        return {}
    ours = [each for each in endpoint.deployed_models if is_version_of(each.model, model_name(settings, target))]
    return {each.model_version_id: endpoint.traffic_split.get(each.id, 0) for each in ours}


def _number(model: "Model") -> int | None:
    prefix = alias_of(0).removesuffix("0")
    numbers = [alias.removeprefix(prefix) for alias in model.version_aliases if alias.startswith(prefix)]
    return next((int(number) for number in numbers if number.isdecimal()), None)
