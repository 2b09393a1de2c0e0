"""Descriptions of the model in TensorFlow Serving's protos, for REST and gRPC."""

from grpc import StatusCode
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, status_pb2

from serving.server.errors import RequestError
from serving.server.live_model import Served
from serving.server.service import Service

_STATE = get_model_status_pb2.ModelVersionStatus.State


def status_response(service: Service, name: str, version: int | None) -> get_model_status_pb2.GetModelStatusResponse:
    """Return the state of one version, or of all that were met.

    Raises:
        RequestError: There is none. Messages: model_servers/get_model_status_impl.cc of 2.19.1, lines 89 and 100.
    """
    known = service.live.status if name == service.name else {}
    if version is not None and version not in known:
        raise RequestError(StatusCode.NOT_FOUND, f"Could not find version {version} of model {name}")
    if not known:
        raise RequestError(StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
    response = get_model_status_pb2.GetModelStatusResponse()
    for number in sorted(known, reverse=True) if version is None else [version]:
        status = known[number]
        added = response.model_version_status.add(version=number, state=_STATE.Value(status.state.value))
        code = StatusCode.UNKNOWN.value[0] if status.error else StatusCode.OK.value[0]
        added.status.CopyFrom(status_pb2.StatusProto(error_code=code, error_message=status.error))
    return response


def signature_map(served: Served) -> get_model_metadata_pb2.SignatureDefMap:
    """Return the signatures of a version as its SavedModel describes them."""
    return get_model_metadata_pb2.SignatureDefMap(signature_def=served.model.signature_defs)
