"""Bodies of HTTP requests, bounded."""

from grpc import StatusCode
from starlette.requests import Request

from serving.server.errors import RequestError


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request; refuse it as soon as it is known to be too large.

    Raises:
        RequestError: It is larger than `max_bytes`.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
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
