"""A webhook: a real HTTP server that keeps what it is told, and answers as a test wants it to."""

import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG = -1


class Hook:
    """Answers each request with the next of `statuses`, then with 200; `HANG` is no answer at all.

    Attributes:
        told: The bodies that came, as JSON.
        headers: The headers of each.
    """

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self.told: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._statuses = list(statuses)
        self._ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """With a secret in its path, as chats have it."""
        return f"http://127.0.0.1:{self._server.server_port}/services/T0SECRET"

    def __enter__(self) -> "Hook":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.told.append(json.loads(body))
                hook.headers.append(dict(self.headers))
                status = hook._statuses.pop(0) if hook._statuses else 200
                if status == HANG:
                    hook._ended.wait(30)
                    return
                self.send_response(status)
                self.send_header("Location", hook.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                """Tests say what they expect; no log is needed."""

        return Handler
