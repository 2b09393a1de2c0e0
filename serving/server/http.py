"""HTTP side of the server: what all its interfaces share, health, metrics, and the routes.

It is Starlette's router with its requests and responses, without the middleware of a Starlette application, which took
a third of what a request costs besides the model.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from serving.request_log.slices import HEADER
from serving.server import open_inference, page, rest
from serving.server.body import read_body
from serving.server.errors import RequestError
from serving.server.metrics import CONTENT_TYPE
from serving.server.service import Origin, Service

_LOG = logging.getLogger(__name__)
_MOST_ID_CHARACTERS = 200

Handler = Callable[[Service, Request, bytes, Origin], Awaitable[Response]]
Answer = Callable[[Request], Awaitable[Response]]


def http_app(service: Service, max_bytes: int) -> Router:
    """Return the application.

    Args:
        service: The model.
        max_bytes: Size of the largest body of a request that is read.
    """

    def route(path: str, api: str, **handlers: Handler) -> Route:
        answers = {method: _counted(service, handler, api, max_bytes) for method, handler in handlers.items()}
        return Route(path, _Endpoint(**answers))

    async def live(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse({"live": True, "ready": service.is_ready})

    async def ready(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse({"ready": service.is_ready}, status_code=200 if service.is_ready else 503)

    async def metrics(request: Request) -> Response:  # noqa: ARG001
        return Response(service.metrics.page(), headers={"content-type": CONTENT_TYPE})

    model = "/v2/models/{name}"
    version = f"{model}/versions/{{version}}"
    return Router(
        # Each request is compared with one after the other, so those that are asked for most come first.
        routes=[
            *(
                each
                for base in (model, version)
                for each in (
                    route(f"{base}/infer", "v2", POST=open_inference.infer),
                    route(base, "v2", GET=open_inference.metadata),
                    route(f"{base}/ready", "v2", GET=open_inference.ready),
                )
            ),
            # TensorFlow Serving matches addresses in either case.
            *(route(f"/{prefix}/{{path:path}}", "rest", POST=rest.post, GET=rest.get) for prefix in ("v1", "V1")),
            Route("/healthz", _Endpoint(GET=live)),
            Route("/readyz", _Endpoint(GET=ready)),
            Route("/metrics", _Endpoint(GET=metrics)),
            Route("/v2/health/live", _Endpoint(GET=live)),
            Route("/v2/health/ready", _Endpoint(GET=ready)),
            route("/v2", "v2", GET=open_inference.server),
            route("/v2/", "v2", GET=open_inference.server),
            route("/", "page", GET=page.show),
            route("/page/model", "page", GET=page.describe),
            route("/page/classify", "page", POST=page.classify),
            route("/page/explain", "page", POST=page.explain),
        ],
        default=_refuse_path,
    )


class _Endpoint:
    """ASGI application of one path.

    Args:
        answers: What answers each method.
    """

    def __init__(self, **answers: Answer) -> None:
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        answer = self._answers.get("GET" if request.method == "HEAD" else request.method)
        if answer is None:
            response = _malformed(request, 405, {"allow": ", ".join(self._answers)})
        else:
            response = await answer(request)
        await response(scope, receive, send)


async def _refuse_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what no route is for."""
    await _malformed(Request(scope), 404)(scope, receive, send)


def _malformed(request: Request, status: int, headers: dict[str, str] | None = None) -> Response:
    message = f"Malformed request: {request.method} {request.url.path}"
    return JSONResponse({"error": message}, status_code=status, headers=headers)


def _counted(service: Service, handler: Handler, api: str, max_bytes: int) -> Answer:
    """Return what reads a request, lets a handler answer it, and counts it; every error becomes an answer."""

    async def answer(request: Request) -> Response:
        request_id = request.headers.get("x-request-id", "")[:_MOST_ID_CHARACTERS]
        origin = Origin(api, request_id or None, time.monotonic(), request.headers.get(HEADER))
        try:
            with service.counted(origin):
                return await handler(service, request, await read_body(request, max_bytes), origin)
        except RequestError as error:
            return JSONResponse({"error": error.message}, status_code=error.http_status)
        except ClientDisconnect:
            return Response(status_code=400)
        except asyncio.CancelledError:  # it took longer than a stop may
            return JSONResponse({"error": "the server has stopped"}, status_code=503)
        except Exception:
            _LOG.exception("%s %s: failed", request.method, request.url.path)
            return JSONResponse({"error": "internal error; the server's log has the details"}, status_code=500)

    return answer
