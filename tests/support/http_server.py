"""Base of the HTTP servers that tests start on this machine in the place of services."""

import json
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        method: GET, POST, ...
        path: Path, still quoted, without the query.
        query: Parameters of the query; of several of one name the last.
        headers: Headers.
        body: Body, empty if there is none.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes

    @classmethod
    def parse(cls, method: str, target: str, headers: Message, body: bytes) -> Self:
        """Build a request from its target: path and query."""
        url = urlsplit(target)
        return cls(method, url.path, dict(parse_qsl(url.query, keep_blank_values=True)), headers, body)

    def json(self) -> Json:
        """Return the body as JSON; empty if there is none."""
        return dict(json.loads(self.body)) if self.body else {}


@dataclass(frozen=True)
class Reply:
    """An answer; a body that is not bytes is sent as JSON."""

    status: int = 200
    body: Json | bytes = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers as they are sent."""
        kind = "application/octet-stream" if isinstance(self.body, bytes) else "application/json"
        return {"Content-Type": kind, "Content-Length": str(len(self.content))} | dict(self.headers)


class HttpServer(ABC):
    """HTTP server on a free port, which runs from `with` to its end.

    Args:
        host: Address to listen on.

    Attributes:
        PROTOCOL: Version of HTTP: with HTTP/1.1, clients keep their connections.
    """

    PROTOCOL: ClassVar[str] = "HTTP/1.1"

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._http = ThreadingHTTPServer((host, 0), type("Handler", (_Handler,), {"server_of_test": self}))

    @property
    def url(self) -> str:
        """Address, without a slash at its end."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._http.socket = context.wrap_socket(self._http.socket, server_side=True)

    @abstractmethod
    def answer(self, request: Request) -> Reply | None:
        """Answer a request; None closes the connection without an answer."""


class _Handler(BaseHTTPRequestHandler):
    wbufsize = -1  # one packet an answer; of two, the second would wait for the acknowledgement of the first
    server_of_test: HttpServer

    def setup(self) -> None:
        self.protocol_version = self.server_of_test.PROTOCOL
        super().setup()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.server_of_test.answer(Request.parse(self.command, self.path, self.headers, body))
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.all_headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Log nothing: tests check what was requested."""
