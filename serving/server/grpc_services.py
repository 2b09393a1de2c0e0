"""TensorFlow Serving's gRPC services.

Predict and GetModelMetadata of PredictionService, and GetModelStatus of ModelService. Their other methods answer
UNIMPLEMENTED.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from grpc import StatusCode
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.request_log.slices import HEADER
from serving.server.errors import RequestError, invalid
from serving.server.live_model import Served
from serving.server.model_protos import signature_map, status_response
from serving.server.service import DEFAULT_SIGNATURE, Origin, Service
from serving.server.signatures import Array

_LOG = logging.getLogger(__name__)
_SIGNATURE_FIELD = "signature_def"
_MOST_MESSAGE = 1024  # kErrorMessageLimit in model_servers/grpc_status_util.cc of 2.19.1
_MOST_ID_CHARACTERS = 200


def add_services(server: Any, service: Service) -> None:
    """Add the services to a server of grpc.aio."""
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_PredictionService(service), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(service), server)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    def __init__(self, service: Service) -> None:
        self._service = service

    async def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 - the proto's name
        async def answer(origin: Origin) -> Any:
            served = _find(self._service, request.model_spec)
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            signature = served.model.signatures.get(name)
            if signature is None:  # servables/tensorflow/predict_util.cc of 2.19.1, line 91
                raise RequestError(StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
            columns = {alias: _strings(alias, tensor) for alias, tensor in request.inputs.items()}
            outputs = await self._service.predict(served, signature, columns, origin, list(request.output_filter))
            response = predict_pb2.PredictResponse()
            _fill(response.model_spec, self._service, served)
            response.model_spec.signature_name = name
            for alias, values in outputs.items():
                response.outputs[alias].CopyFrom(_tensor(values))
            return response

        return await _answered(self._service, context, answer)

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802 - the proto's name
        async def answer(origin: Origin) -> Any:  # noqa: ARG001
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            if not request.metadata_field:
                raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
            for field in request.metadata_field:
                if field != _SIGNATURE_FIELD:
                    raise invalid(f"Metadata field {field} is not supported")
            served = _find(self._service, request.model_spec)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            _fill(response.model_spec, self._service, served)
            response.metadata[_SIGNATURE_FIELD].Pack(signature_map(served))
            return response

        return await _answered(self._service, context, answer)


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):  # type: ignore[misc]
    def __init__(self, service: Service) -> None:
        self._service = service

    async def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802 - the proto's name
        async def answer(origin: Origin) -> Any:  # noqa: ARG001
            if not request.HasField("model_spec"):
                raise invalid("Missing ModelSpec")
            spec = request.model_spec
            version = spec.version.value if spec.HasField("version") else None
            return status_response(self._service, spec.name, version)

        return await _answered(self._service, context, answer)


async def _answered(service: Service, context: Any, answer: Callable[[Origin], Awaitable[Any]]) -> Any:
    metadata = dict(context.invocation_metadata() or ())
    request_id = str(metadata.get("x-request-id", ""))[:_MOST_ID_CHARACTERS]
    slices = metadata.get(HEADER)
    origin = Origin("grpc", request_id or None, time.monotonic(), slices if isinstance(slices, str) else None)
    try:
        with service.counted(origin):
            return await answer(origin)
    except RequestError as error:
        message = (
            error.message if len(error.message) <= _MOST_MESSAGE else f"{error.message[:_MOST_MESSAGE]}...TRUNCATED"
        )
        await context.abort(error.code, message)
    except Exception as error:
        if isinstance(error, grpc.aio.AbortError):
            raise
        _LOG.exception("a gRPC request failed")
        await context.abort(StatusCode.INTERNAL, "internal error; the server's log has the details")


def _find(service: Service, spec: Any) -> Served:
    version = spec.version.value if spec.HasField("version") else None
    return service.find(spec.name, version, spec.version_label or None)


def _fill(spec: Any, service: Service, served: Served) -> None:
    spec.name = service.name
    spec.version.value = served.version.number


def _strings(name: str, tensor: Any) -> list[bytes]:
    """Return the strings of a tensor [n].

    Raises:
        RequestError: It is of another type or shape.
    """
    if tensor.dtype != types_pb2.DT_STRING:
        raise invalid(f"input {name}: must be a tensor of strings")
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if len(shape) != 1 or tensor.tensor_shape.unknown_rank:
        raise invalid(f"input {name}: must have the shape [n], got {shape}")
    if len(tensor.string_val) == shape[0]:
        return list(tensor.string_val)
    try:
        values: list[bytes] = tf.make_ndarray(tensor).tolist()  # one value may stand for many
    except ValueError as error:
        raise invalid(f"input {name}: {error}") from None
    return values


def _tensor(values: Array) -> Any:
    """Return an array as a proto, its values in the field of their type, as TensorFlow Serving sends them."""
    tensor = tensor_pb2.TensorProto()
    for size in values.shape:
        tensor.tensor_shape.dim.add(size=size)
    flat = values.ravel().tolist()
    if values.dtype == object:
        tensor.dtype = types_pb2.DT_STRING
        tensor.string_val.extend(flat)
    elif values.dtype == np.float32:
        tensor.dtype = types_pb2.DT_FLOAT
        tensor.float_val.extend(flat)
    else:
        return tf.make_tensor_proto(values)
    return tensor
