"""Listening for HTTP: a socket that is open before anything is loaded, and a server that leaves signals alone.

Event loop and parser are those in C that uvicorn is fastest with, uvloop and httptools.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from schema.errors import Refused

_BACKLOG = 2048
_MOST_HEAD_BYTES = 1 << 16


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with httptools, with a bound and a saving.

    A request whose head is larger than 64 KiB is refused with 400; httptools reads any. An answer is written whole:
    uvicorn writes head and body one after the other, which is a system call more and wakes the client twice.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_head = False
        self._fields_bytes = self._unfinished_bytes = 0
        self._answers: _WholeAnswers

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self._answers = _WholeAnswers(transport)
        super().connection_made(cast("asyncio.Transport", self._answers))

    def on_response_complete(self) -> None:
        self._answers.flush()  # an answer without a body
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        # A line that does not end is in no callback before it does. The chunk in which the head begins may have the
        # end of the request before it.
        if self._is_in_head:
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > _MOST_HEAD_BYTES:
                self.send_400_response("Invalid HTTP request received.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._is_in_head = True
        self._fields_bytes = self._unfinished_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()

    def _count(self, *fields: bytes) -> None:
        self._fields_bytes += sum(map(len, fields))
        if self._fields_bytes > _MOST_HEAD_BYTES:
            raise ValueError  # which uvicorn answers with 400, as everything that its parser refuses


class _WholeAnswers:
    """Transport that keeps the head of an answer until the first part of the body, or the end of the answer.

    Args:
        transport: The transport that it writes to, and that has all else.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Write a head that waits."""
        if self._head:
            data, self._head = self._head, b""
            self._transport.write(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class HttpServer(uvicorn.Server):
    """Server of an application; whoever runs it ends it by `should_exit`.

    Args:
        app: The application.
        grace_s: Time that accepted requests have after `should_exit`, in seconds.
    """

    def __init__(self, app: ASGIApp, grace_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=HttpProtocol,
                ws="none",
                lifespan="off",
                access_log=False,
                proxy_headers=False,  # nothing asks for the client's address
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
