"""Open Inference Protocol, version 2, over REST.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md. The protocol has no
signatures: requests are answered by `serve_text`, or by the one that the parameter `signature_name` of a request names.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving.server.errors import RequestError, invalid
from serving.server.json_tensors import flat_json, parse_json, string_value
from serving.server.live_model import Served
from serving.server.service import TEXT_SIGNATURE, Origin, Service
from serving.server.signatures import STRING, Signature, TensorSpec

_TYPES = {STRING: "BYTES", "float32": "FP32", "int64": "INT64"}
_PLATFORM = "tensorflow_savedmodel"
_PACKAGE = "bert-multilabel"


async def server(service: Service, request: Request, body: bytes, origin: Origin) -> Response:  # noqa: ARG001
    """Return the metadata of the server."""
    try:
        release = version(_PACKAGE)
    except PackageNotFoundError:  # run from a checkout
        release = "0"
    return JSONResponse({"name": _PACKAGE, "version": release, "extensions": []})


async def ready(service: Service, request: Request, body: bytes, origin: Origin) -> Response:  # noqa: ARG001
    """Return whether a model answers."""
    try:
        _find(service, request)
    except RequestError as error:
        return JSONResponse({"name": request.path_params["name"], "ready": False}, status_code=error.http_status)
    return JSONResponse({"name": service.name, "ready": True})


async def metadata(service: Service, request: Request, body: bytes, origin: Origin) -> Response:  # noqa: ARG001
    """Return inputs and outputs of the model."""
    served = _find(service, request)
    signature = served.model.signatures[TEXT_SIGNATURE]
    return JSONResponse({
        "name": service.name,
        "versions": [str(served.version.number)],
        "platform": _PLATFORM,
        "inputs": [_tensor(name, spec) for name, spec in signature.inputs.items()],
        "outputs": [_tensor(name, spec) for name, spec in signature.outputs.items()],
    })  # fmt: skip


async def infer(service: Service, request: Request, body: bytes, origin: Origin) -> Response:
    """Answer an inference request."""
    served = _find(service, request)
    content = parse_json(body)
    signature = _signature(served, content)
    request_id = content.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise invalid("'id' must be a string")
    columns = dict(_column(each) for each in _objects(content, "inputs"))
    only = [_name(each) for each in _objects(content, "outputs")] if content.get("outputs") else []
    if request_id:
        origin = replace(origin, request_id=request_id)
    outputs = await service.predict(served, signature, columns, origin, only)
    tensors = ", ".join(
        f'{{"name": "{name}", "shape": {list(values.shape)}, "datatype": "{_TYPES[signature.outputs[name].dtype]}",'
        f' "data": {flat_json(values)}}}'
        for name, values in outputs.items()
    )
    named = "" if request_id is None else f' "id": {json.dumps(request_id)},'
    text = (
        f'{{"model_name": {json.dumps(service.name)}, "model_version": "{served.version.number}",{named}'
        f' "outputs": [{tensors}]}}'
    )
    return Response(text.encode("utf-8", "replace"), media_type="application/json")


def _find(service: Service, request: Request) -> Served:
    wanted = request.path_params.get("version")
    if wanted is not None and not (wanted.isascii() and wanted.isdigit()):
        raise invalid(f"{wanted}: versions are numbers")
    return service.find(request.path_params["name"], None if wanted is None else int(wanted))


def _signature(served: Served, content: Mapping[str, Any]) -> Signature:
    parameters = content.get("parameters") or {}
    name = parameters.get("signature_name", TEXT_SIGNATURE) if isinstance(parameters, dict) else TEXT_SIGNATURE
    signature = served.model.signatures.get(name) if isinstance(name, str) else None
    if signature is None:
        raise invalid(f"the model has no signature {name}")
    return signature


def _column(tensor: Mapping[str, Any]) -> tuple[str, list[bytes]]:
    name = _name(tensor)
    if tensor.get("datatype") != "BYTES":
        raise invalid(f"input {name}: datatype must be BYTES")
    data, shape = tensor.get("data"), tensor.get("shape")
    if not isinstance(data, list):
        raise invalid(f"input {name}: data must be a list")
    if shape != [len(data)]:
        raise invalid(f"input {name}: shape must be [{len(data)}], the number of strings in data")
    return name, [string_value(value) for value in data]


def _objects(content: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    values = content.get(key)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise invalid(f"'{key}' must be a list of objects")
    return values


def _name(tensor: Mapping[str, Any]) -> str:
    name = tensor.get("name")
    if not isinstance(name, str):
        raise invalid("every tensor needs a name")
    return name


def _tensor(name: str, spec: TensorSpec) -> dict[str, Any]:
    return {"name": name, "datatype": _TYPES[spec.dtype], "shape": list(spec.shape)}
