"""A webhook: an HTTP server that keeps what it receives and answers as a test wants it to."""

import json
import threading
from collections.abc import Sequence
from typing import Any

from tests.support.http_server import HttpServer, Reply, Request

HANG = -1
"""Instead of a status: no answer at all."""


class Hook(HttpServer):
    """Webhook that answers each request with the next of `statuses`, then with 200.

    Args:
        statuses: Statuses of the first answers.
        host: Address to listen on.

    Attributes:
        received: The bodies that it received, as JSON.
        headers: The headers of each request.
    """

    PROTOCOL = "HTTP/1.0"

    def __init__(self, statuses: Sequence[int] = (), host: str = "127.0.0.1") -> None:
        super().__init__(host)
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._statuses = list(statuses)
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        """Address with a secret in its path, like those of chats."""
        return f"{super().url}/services/T0SECRET"

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        super().__exit__(*error)

    def answer(self, request: Request) -> Reply | None:
        """Keep what was posted."""
        self.received.append(json.loads(request.body))
        self.headers.append(dict(request.headers))
        status = self._statuses.pop(0) if self._statuses else 200
        if status == HANG:
            self._ended.wait(30)
            return None
        return Reply(status, b"", {"Location": self.url})
