"""Requests and their answers, brought together: they come as two events, in any order."""

import time
from collections import OrderedDict
from collections.abc import Callable

from serving.collector.events import Event, Kind


class Pairs:
    """Events that wait for their other half.

    Args:
        wait_s: Time that an event waits, in seconds.
        max_bytes: Size of all bodies that wait; above it, the oldest are dropped.
        clock: Seconds of a monotonic clock.

    Attributes:
        dropped: Number of events whose other half did not come in time, or for which there was no room.
    """

    def __init__(self, wait_s: float, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._wait_s, self._max_bytes, self._clock = wait_s, max_bytes, clock
        self._waiting: OrderedDict[str, tuple[float, Event]] = OrderedDict()
        self._bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> tuple[Event, Event] | None:
        """Return a request and its answer if the event completes them; None if it has to wait."""
        found = self._waiting.get(event.key)
        if found is not None:
            self._remove(event.key)
            other = found[1]
            if other.kind is not event.kind:
                return (event, other) if event.kind is Kind.REQUEST else (other, event)
            self.dropped += 1  # a client has used its id twice
        self._waiting[event.key] = (self._clock() + self._wait_s, event)
        self._bytes += len(event.body)
        self.expire()
        return None

    def expire(self) -> None:
        """Drop what has waited too long, and what there is no room for, the oldest first."""
        now = self._clock()
        while self._waiting:
            key, (until, _) = next(iter(self._waiting.items()))
            if until > now and self._bytes <= self._max_bytes:
                return
            self._remove(key)
            self.dropped += 1

    def _remove(self, key: str) -> None:
        self._bytes -= len(self._waiting.pop(key)[1].body)
