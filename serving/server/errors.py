"""Errors of requests, with the status codes that TensorFlow Serving answers with."""

from grpc import StatusCode

# ToHTTPStatusCode in model_servers/http_server.cc of TensorFlow Serving 2.19.1, lines 44-90.
_HTTP_STATUS = {
    StatusCode.CANCELLED: 499,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.DEADLINE_EXCEEDED: 504,
    StatusCode.NOT_FOUND: 404,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.INTERNAL: 500,
    StatusCode.UNAVAILABLE: 503,
}
_TOO_LARGE = 413


class RequestError(Exception):
    """Error that a client is told of.

    Args:
        code: Status code of gRPC, which REST's is derived from.
        message: What is wrong.
        too_large: Whether the request exceeds a limit on its size, which is 413 over HTTP.
    """

    def __init__(self, code: StatusCode, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.http_status = _TOO_LARGE if too_large else _HTTP_STATUS.get(code, 500)


def invalid(message: str) -> RequestError:
    """Return the error of a request that cannot be understood."""
    return RequestError(StatusCode.INVALID_ARGUMENT, message)
