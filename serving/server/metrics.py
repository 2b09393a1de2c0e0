"""Metrics for Prometheus."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.request_log.writer import RequestLog
from serving.server.live_model import LiveModel

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "bert_multilabel"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counters of the server.

    Args:
        live: The version that answers.
        log: The request log; None if there is none.
    """

    def __init__(self, live: LiveModel, log: RequestLog | None) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(Collected(lambda: _live_metrics(live)))
        if log is not None:
            self._registry.register(Collected(lambda: log_metrics(log)))
        self._by_request: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._requests = Counter(
            f"{PREFIX}_requests", "Requests by interface and status.", ["api", "code"], registry=self._registry
        )
        self._seconds = Histogram(
            f"{PREFIX}_request_seconds",
            "Time from a request's arrival to its answer.",
            ["api"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batch_rows = Histogram(
            f"{PREFIX}_batch_rows",
            "Texts in one call of the model.",
            ["signature"],
            buckets=_ROWS,
            registry=self._registry,
        )
        self._batch_seconds = Histogram(
            f"{PREFIX}_batch_seconds",
            "Time of one call of the model.",
            ["signature"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def request(self, api: str, code: str, seconds: float) -> None:
        """Count a request that was answered."""
        counter, histogram = self._of_request(api, code)
        counter.inc()
        histogram.observe(seconds)

    def _of_request(self, api: str, code: str) -> tuple[Counter, Histogram]:
        found = self._by_request.get((api, code))  # prometheus_client takes a lock to look them up
        if found is None:
            found = self._by_request[api, code] = self._requests.labels(api, code), self._seconds.labels(api)
        return found

    def batch(self, signature: str, rows: int, seconds: float) -> None:
        """Count a call of the model."""
        self._batch_rows.labels(signature).observe(rows)
        self._batch_seconds.labels(signature).observe(seconds)

    def page(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)


class Collected(Collector):
    """Metrics that are read from the server's state when somebody asks."""

    def __init__(self, read: Callable[[], Iterator[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        return self._read()


def _live_metrics(live: LiveModel) -> Iterator[Metric]:
    version = GaugeMetricFamily(f"{PREFIX}_model_version", "Version that answers; 0 before the first is loaded.")
    version.add_metric([], live.served.version.number if live.served else 0)
    yield version
    waiting = GaugeMetricFamily(f"{PREFIX}_queue_rows", "Texts that wait for the model.")
    waiting.add_metric([], live.served.batcher.waiting_rows if live.served else 0)
    yield waiting
    loads = CounterMetricFamily(f"{PREFIX}_model_loads", "Versions that were loaded.")
    loads.add_metric([], live.loads)
    yield loads
    failures = CounterMetricFamily(
        f"{PREFIX}_model_load_failures", "Attempts to load a version that failed; the former one goes on answering."
    )
    failures.add_metric([], live.failures)
    yield failures


def log_metrics(log: RequestLog) -> Iterator[Metric]:
    """Yield the metrics of a request log."""
    counts = log.counts
    rows = CounterMetricFamily(f"{PREFIX}_request_log_rows", "Rows of the request log.", labels=["result"])
    rows.add_metric(["written"], counts.written)
    rows.add_metric(["dropped"], counts.dropped)
    yield rows
    size = GaugeMetricFamily(f"{PREFIX}_request_log_bytes", "Size of the request log's files.")
    size.add_metric([], counts.bytes)
    yield size
