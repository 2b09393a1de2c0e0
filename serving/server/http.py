"""HTTP side of the server: what all its interfaces share, health, metrics, and the routes."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.request_log.slices import HEADER
from serving.server import open_inference, page, rest
from serving.server.body import read_body
from serving.server.errors import RequestError
from serving.server.metrics import CONTENT_TYPE
from serving.server.service import Origin, Service

_LOG = logging.getLogger(__name__)
_MOST_ID_CHARACTERS = 200

Handler = Callable[[Service, Request, bytes, Origin], Awaitable[Response]]


def http_app(service: Service, max_bytes: int) -> Starlette:
    """Return the application.

    Args:
        service: The model.
        max_bytes: Size of the largest body of a request that is read.
    """

    def route(path: str, handler: Handler, api: str, method: str) -> Route:
        return Route(path, _endpoint(service, handler, api, max_bytes), methods=[method])

    async def live(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse({"live": True, "ready": service.is_ready})

    async def ready(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse({"ready": service.is_ready}, status_code=200 if service.is_ready else 503)

    async def metrics(request: Request) -> Response:  # noqa: ARG001
        return Response(service.metrics.page(), headers={"content-type": CONTENT_TYPE})

    model = "/v2/models/{name}"
    version = f"{model}/versions/{{version}}"
    return Starlette(
        exception_handlers={HTTPException: _refuse},
        # Each request is compared with one after the other, so those that are asked for most come first.
        routes=[
            *(
                each
                for base in (model, version)
                for each in (
                    route(f"{base}/infer", open_inference.infer, "v2", "POST"),
                    route(base, open_inference.metadata, "v2", "GET"),
                    route(f"{base}/ready", open_inference.ready, "v2", "GET"),
                )
            ),
            # TensorFlow Serving matches addresses in either case.
            *(
                route(f"/{prefix}/{{path:path}}", handler, "rest", method)
                for prefix in ("v1", "V1")
                for handler, method in ((rest.post, "POST"), (rest.get, "GET"))
            ),
            Route("/healthz", live),
            Route("/readyz", ready),
            Route("/metrics", metrics),
            Route("/v2/health/live", live),
            Route("/v2/health/ready", ready),
            route("/v2", open_inference.server, "v2", "GET"),
            route("/v2/", open_inference.server, "v2", "GET"),
            route("/", page.show, "page", "GET"),
            route("/page/model", page.describe, "page", "GET"),
            route("/page/classify", page.classify, "page", "POST"),
            route("/page/explain", page.explain, "page", "POST"),
        ],
    )


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer what no route is for."""
    assert isinstance(error, HTTPException)
    message = f"Malformed request: {request.method} {request.url.path}"
    return JSONResponse({"error": message}, status_code=error.status_code, headers=error.headers)


def _endpoint(service: Service, handler: Handler, api: str, max_bytes: int) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
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

    return endpoint
