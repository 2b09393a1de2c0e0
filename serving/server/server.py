"""The server: HTTP and gRPC in one process, on one event loop; the model computes in threads."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import grpc
import uvloop

from schema.errors import Refused
from serving.examples import rows_of_examples
from serving.request_log.writer import RequestLog
from serving.server.batching import Batcher
from serving.server.grpc_services import add_services
from serving.server.http import http_app
from serving.server.listening import HttpServer, address, bracketed, listen
from serving.server.live_model import LiveModel, find_source
from serving.server.metrics import Metrics
from serving.server.saved_model import load_version
from serving.server.service import Service
from serving.server.settings import ServerSettings
from serving.server.signatures import Model

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Addresses:
    """Where the server listens, as `host:port`."""

    http: str
    grpc: str


def serve(settings: ServerSettings, started: Callable[[Addresses], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT; then answer what was accepted, and return.

    Args:
        settings: What is served, where, and within which limits.
        started: Called when the server listens; a model may still be loading then.

    Raises:
        Refused: The model, a port or the folder of the request log cannot be used.
    """
    source = find_source(settings.model)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        log = None if settings.request_log is None else stack.enter_context(RequestLog(settings.request_log))
        executor = stack.enter_context(ThreadPoolExecutor(settings.workers, thread_name_prefix="model"))
        server = _Server(settings, executor, log)
        live = LiveModel(source, partial(load_version, name=settings.name), server.queue)
        uvloop.run(server.run(live, listener, started))


class _Server:
    def __init__(self, settings: ServerSettings, executor: ThreadPoolExecutor, log: RequestLog | None) -> None:
        self._settings, self._executor, self._log = settings, executor, log
        self._metrics: Metrics | None = None

    def queue(self, model: Model) -> Batcher:
        """Return the queue of a model."""
        settings = self._settings
        return Batcher(
            model,
            self._executor,
            workers=settings.workers,
            max_batch=settings.max_batch,
            max_rows=settings.queue,
            max_wait_s=settings.max_wait_ms / 1e3,
            observe=self._observe,
        )

    async def run(self, live: LiveModel, listener: socket.socket, started: Callable[[Addresses], None]) -> None:
        settings = self._settings
        self._metrics = Metrics(live, self._log)
        service = Service(settings.name, live, self._metrics, self._log, rows_of_examples)
        http = HttpServer(http_app(service, settings.max_request_bytes), settings.grace_s)
        options = [
            ("grpc.max_receive_message_length", settings.max_request_bytes),
            ("grpc.so_reuseport", 0),  # otherwise a second server on the port would take a part of the requests
        ]
        rpc = grpc.aio.server(options=options)
        add_services(rpc, service)
        grpc_port = _add_port(rpc, settings)
        await rpc.start()

        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        tasks = [
            asyncio.create_task(http.serve(sockets=[listener])),
            asyncio.create_task(live.watch(settings.poll_s)),
        ]
        started(Addresses(address(listener), f"{bracketed(settings.host)}:{grpc_port}"))
        await asyncio.wait([asyncio.create_task(stop.wait()), tasks[0]], return_when=asyncio.FIRST_COMPLETED)
        _LOG.info("stopping: answering what was accepted")
        service.is_stopping = True
        http.should_exit = True
        await asyncio.gather(tasks[0], rpc.stop(settings.grace_s))
        tasks[1].cancel()
        await live.close()

    def _observe(self, signature: str, rows: int, seconds: float) -> None:
        if self._metrics is not None:
            self._metrics.batch(signature, rows, seconds)


def _add_port(rpc: grpc.aio.Server, settings: ServerSettings) -> int:
    wanted = f"{bracketed(settings.host)}:{settings.grpc_port}"
    try:
        port = rpc.add_insecure_port(wanted)
    except RuntimeError:
        port = 0
    if port == 0:
        raise Refused(f"{wanted}: cannot listen there; choose another --grpc-port")
    return int(port)
