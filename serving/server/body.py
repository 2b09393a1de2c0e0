"""Bodies of HTTP requests, bounded."""

import asyncio

from grpc import StatusCode
from starlette.requests import Request

from serving.server.errors import RequestError

_MOST_S = 60
_REQUEST_TIMEOUT = 408


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request; refuse it as soon as it is known to be too large.

    Raises:
        RequestError: It is larger than `max_bytes`, or it did not arrive in time.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(_MOST_S):
            return await _read(request, max_bytes)
    except TimeoutError:
        error = RequestError(StatusCode.DEADLINE_EXCEEDED, f"the request did not arrive within {_MOST_S} s")
        error.http_status = _REQUEST_TIMEOUT
        raise error from None


async def _read(request: Request, max_bytes: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
    return b"".join(parts)


def _too_large(max_bytes: int) -> RequestError:
    message = f"the request is larger than {max_bytes} bytes; send fewer texts at a time"
    return RequestError(StatusCode.RESOURCE_EXHAUSTED, message, too_large=True)
