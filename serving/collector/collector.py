"""Collector: KServe's logged requests and answers in, rows of the request log out."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from serving.collector.events import Event
from serving.collector.pairs import Pairs
from serving.collector.payloads import Asked, read_request, read_response
from serving.collector.versions import Versions
from serving.request_log.rows import LoggedAnswer
from serving.request_log.slices import Slices, parse_slices
from serving.request_log.writer import RequestLog
from serving.server.errors import RequestError

_LOG = logging.getLogger(__name__)


class Result(StrEnum):
    """What became of a request and its answer."""

    LOGGED = "logged"
    NO_TEXTS = "no_texts"  # for health, status or metadata: it has no body
    NOT_SAMPLED = "not_sampled"
    UNREADABLE = "unreadable"
    UNKNOWN_VERSION = "unknown_version"
    WRONG_SHAPE = "wrong_shape"


class Collector:
    """Brings requests and answers together and logs them.

    Args:
        name: Name of the model, for events that do not say.
        pairs: Events that wait for their other half.
        versions: Labels and thresholds of the versions.
        log: The request log.

    Attributes:
        results: Number of requests with each result.
    """

    def __init__(self, name: str, pairs: Pairs, versions: Versions, log: RequestLog) -> None:
        self._name, self._versions, self._log = name, versions, log
        self.pairs = pairs
        self.results: Counter[Result] = Counter()

    def add(self, event: Event) -> None:
        """Take one half of an exchange; log the exchange if the other half is there."""
        found = self.pairs.add(event)
        if found is None:
            return
        if not found[0].body:
            self.results[Result.NO_TEXTS] += 1
            return
        if not self._log.takes():
            self.results[Result.NOT_SAMPLED] += 1
            return
        result, reason = self._offer(*found)
        if reason and not self.results[result]:  # once; the metrics count the others
            _LOG.warning("a request of %s is not logged: %s", found[0].model or self._name, reason)
        self.results[result] += 1

    async def watch(self, poll_s: float) -> None:
        """Look for new versions every `poll_s` seconds, for ever."""
        while True:
            try:
                await asyncio.to_thread(self._versions.update)
            except Exception as error:  # a registry that cannot be read for a while is no reason to stop
                _LOG.error("cannot look for new versions: %s", error)
            self.pairs.expire()
            await asyncio.sleep(poll_s)

    def _offer(self, request: Event, response: Event) -> tuple[Result, str]:
        """Queue a row for each text; return the result, and what is wrong if it is not logged."""
        try:
            asked, answered = read_request(request.body), read_response(response.body)
        except RequestError as error:
            return Result.UNREADABLE, error.message
        header = self._versions.header(answered.version, request.model or self._name)
        if header is None:
            version = "the version that answers now" if answered.version is None else f"version {answered.version}"
            return Result.UNKNOWN_VERSION, f"the registry does not have {version}"
        shape = (len(asked.texts), len(header.labels))
        if answered.probabilities.shape != shape:
            return Result.WRONG_SHAPE, f"{answered.probabilities.shape} probabilities instead of {shape}"
        self._log.offer(
            LoggedAnswer(
                header=header,
                time=response.time,
                api="kserve",
                request_id=asked.request_id or request.request_id,
                latency_ms=max(0.0, 1e3 * (response.time - request.time)),
                texts=asked.texts,
                pairs=asked.pairs,
                probabilities=answered.probabilities,
                slices=_slices(request, asked, header.slices) if self._log.keeps_slices else {},
            )
        )
        return Result.LOGGED, ""


def _slices(request: Event, asked: Asked, columns: Sequence[str]) -> Slices:
    """Return the slice columns of a request, from its examples or its header."""
    sent = parse_slices(request.slices, columns, len(asked.texts))
    if not asked.examples or not columns:
        return sent
    from serving.examples import slices_of_examples  # needs TensorFlow

    return {**slices_of_examples(asked.examples, columns), **sent}
