"""TensorFlow Serving's REST API: predict, model status and metadata.

    POST /v1/models/NAME[/versions/N]:predict
    GET /v1/models/NAME[/versions/N][/metadata]

Addresses are matched as model_servers/http_rest_api_util.cc of release 2.19.1 does, lines 31-34.
"""

import re
from urllib.parse import unquote

from google.protobuf.json_format import MessageToJson
from grpc import StatusCode
from starlette.requests import Request
from starlette.responses import Response

from serving.server.errors import RequestError, invalid
from serving.server.json_tensors import parse_predict, render
from serving.server.model_protos import signature_map, status_response
from serving.server.service import DEFAULT_SIGNATURE, Origin, Service

_WHICH = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
_PREDICT = re.compile(rf"(?i)/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)")
_STATUS = re.compile(rf"(?i)/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<part>metadata))?")
_GREATEST = 2**63 - 1


async def post(service: Service, request: Request, body: bytes, origin: Origin) -> Response:
    """Answer a predict request."""
    match = _match(_PREDICT, request)
    served = service.find(*_which(match))
    if match["method"].lower() != "predict":
        raise RequestError(
            StatusCode.UNIMPLEMENTED, f"{match['method']} is not served; the model's signatures are for predict"
        )
    parsed = parse_predict(body)
    name = parsed.signature or DEFAULT_SIGNATURE
    signature = served.model.signatures.get(name)
    if signature is None:  # model_servers/http_rest_api_handler.cc, line 237
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    columns = parsed.columns(list(signature.inputs))
    outputs = await service.predict(served, signature, columns, origin)
    return _json(render(outputs, is_row_format=parsed.is_row_format))


async def get(service: Service, request: Request, body: bytes, origin: Origin) -> Response:  # noqa: ARG001
    """Return the state of versions, or the signatures of one."""
    match = _match(_STATUS, request)
    name, version, label = _which(match)
    if not name:
        raise invalid("Missing model name in request.")
    if not match["part"]:
        return _json(MessageToJson(status_response(service, name, version), always_print_fields_with_no_presence=True))
    served = service.find(name, version, label)
    options = {"always_print_fields_with_no_presence": True, "preserving_proto_field_name": True}
    signatures = MessageToJson(signature_map(served), **options)
    number = served.version.number
    spec = f'{{"name": "{service.name}", "signature_name": "", "version": "{number}"}}'
    return _json(f'{{"model_spec": {spec}, "metadata": {{"signature_def": {signatures}}}}}')


def _match(pattern: re.Pattern[str], request: Request) -> re.Match[str]:
    path = request.scope.get("raw_path", b"").partition(b"?")[0].decode("latin-1")
    match = pattern.fullmatch(path)
    if match is None:
        raise invalid(f"Malformed request: {request.method} {path}")
    return match


def _which(match: re.Match[str]) -> tuple[str, int | None, str | None]:
    version = int(match["version"]) if match["version"] else None
    if version is not None and version > _GREATEST:
        raise invalid(f"Failed to convert version: {match['version']} to numeric.")
    return unquote(match["name"] or ""), version, unquote(match["label"]) if match["label"] else None


def _json(text: str) -> Response:
    return Response(text.encode("utf-8", "replace"), media_type="application/json")
