"""Listening for HTTP: a socket that is open before anything is loaded, and a server that leaves signals alone."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from schema.errors import Refused

_BACKLOG = 2048


class HttpServer(uvicorn.Server):
    """Server of an application; whoever runs it ends it by `should_exit`.

    Args:
        app: The application.
        grace_s: Time that accepted requests have after `should_exit`, in seconds.
    """

    def __init__(self, app: Starlette, grace_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",  # which bounds the head of a request, to 64 KiB; httptools does not
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                timeout_graceful_shutdown=max(1, round(grace_s)),
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process, which may have more to end than this server."""
        yield


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Open a socket, and close it after the block.

    Raises:
        Refused: Nobody can listen there.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise Refused(
            f"{bracketed(host)}:{port}: cannot listen there ({reason.lower()}); choose another --port"
        ) from None
    with listener:
        yield listener


def address(listener: socket.socket) -> str:
    """Return where a socket listens, as `host:port`."""
    host, port = listener.getsockname()[:2]
    return f"{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """Return a host as addresses have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
