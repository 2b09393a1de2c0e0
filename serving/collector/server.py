"""The collector's HTTP server: `POST /` for events, `/healthz`, and `/metrics` for Prometheus."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial

import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.collector.collector import Collector, Result
from serving.collector.events import read_event
from serving.collector.pairs import Pairs
from serving.collector.settings import CollectorSettings
from serving.collector.versions import Versions, available_version
from serving.request_log.writer import RequestLog
from serving.server.body import read_body
from serving.server.errors import RequestError
from serving.server.listening import HttpServer, address, listen
from serving.server.metrics import CONTENT_TYPE, PREFIX, Collected, log_metrics


def collect(settings: CollectorSettings, started: Callable[[str], None] = lambda _: None) -> None:
    """Collect until SIGTERM or SIGINT; then log what was accepted, and return.

    Args:
        settings: What is collected, and where it arrives.
        started: Called with the address, `host:port`, when the collector listens.

    Raises:
        Refused: The port or the folder of the request log cannot be used.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        log = stack.enter_context(RequestLog(settings.request_log))
        answering = None if settings.status_url is None else partial(available_version, settings.status_url)
        pairs = Pairs(settings.pair_s, int(settings.waiting_mb * (1 << 20)))
        collector = Collector(settings.name, pairs, Versions(settings.model, answering), log)
        app = collector_app(collector, log, settings.max_request_bytes)
        uvloop.run(_run(collector, HttpServer(app, settings.grace_s), listener, settings.poll_s, started))


def collector_app(collector: Collector, log: RequestLog, max_bytes: int) -> Starlette:
    """Return the application.

    Args:
        collector: Takes the events.
        log: The request log, for the metrics.
        max_bytes: Size of the largest payload that is read.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(Collected(lambda: _metrics(collector)))
    registry.register(Collected(lambda: log_metrics(log)))

    async def take(request: Request) -> Response:
        try:
            collector.add(read_event(request.headers, await read_body(request, max_bytes)))
        except RequestError as error:
            return JSONResponse({"error": error.message}, status_code=error.http_status)
        except ClientDisconnect:
            return Response(status_code=400)
        return Response(status_code=200)  # KServe's logger takes any other status for an error: worker.go, line 160

    async def live(request: Request) -> Response:  # noqa: ARG001
        return JSONResponse({"live": True})

    async def metrics(request: Request) -> Response:  # noqa: ARG001
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE})

    return Starlette(
        routes=[
            Route("/", take, methods=["POST"]),
            Route("/healthz", live),
            Route("/metrics", metrics),
        ]
    )


async def _run(
    collector: Collector,
    http: HttpServer,
    listener: socket.socket,
    poll_s: float,
    started: Callable[[str], None],
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving, watching = (
        asyncio.create_task(http.serve(sockets=[listener])),
        asyncio.create_task(collector.watch(poll_s)),
    )
    started(address(listener))
    await asyncio.wait([asyncio.create_task(stop.wait()), serving], return_when=asyncio.FIRST_COMPLETED)
    http.should_exit = True
    await serving
    watching.cancel()


def _metrics(collector: Collector) -> Iterator[Metric]:
    requests = CounterMetricFamily(f"{PREFIX}_collected_requests", "Requests by their result.", labels=["result"])
    for result in Result:
        requests.add_metric([result], collector.results[result])
    yield requests
    unmatched = CounterMetricFamily(
        f"{PREFIX}_unmatched_events", "Requests without an answer in time, and answers without a request."
    )
    unmatched.add_metric([], collector.pairs.dropped)
    yield unmatched
    waiting = GaugeMetricFamily(f"{PREFIX}_waiting_events", "Requests and answers that wait for the other half.")
    waiting.add_metric([], len(collector.pairs))
    yield waiting
