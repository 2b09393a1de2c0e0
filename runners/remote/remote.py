"""Runs and schedules on other machines: what every runner that has them does, whatever runs there."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pipeline.config.configuration import Configuration
from schema.errors import Refused

_POLL_S = 15.0


class RunState(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def ended(self) -> bool:
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


@dataclass(frozen=True)
class RemoteRun:
    """A run, as its service knows it.

    Attributes:
        name: What `status` and `cancel` take.
        state: Where it stands.
        created: When it was submitted, in UTC.
        page: Where a person can watch it.
        error: Why it failed, on one line; None: it did not, or the service does not say.
    """

    name: str
    state: RunState
    created: datetime | None = None
    page: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class RemoteSchedule:
    """The recurring run of a pipeline: there is at most one, named as the pipeline.

    Attributes:
        name: The pipeline's.
        cron: Five fields: minute, hour, day of month, month, day of week.
        paused: Whether it starts nothing for now.
        time_zone: Which the fields are in.
        next_run: When it comes next, if the service says.
        page: Where a person can watch it.
    """

    name: str
    cron: str
    paused: bool
    time_zone: str
    next_run: datetime | None = None
    page: str | None = None


class RemoteRunner(Protocol):
    """What a module of runners/ for another machine has. Each raises Refused, in one line, if the service refuses."""

    def compile(self, config: Configuration, output: Path) -> None:
        """Writes what the service takes."""

    def submit(self, config: Configuration) -> RemoteRun:
        """Starts a run of what the configuration says now."""

    def runs(self, config: Configuration) -> Sequence[RemoteRun]:
        """The pipeline's, the newest first, at most twenty."""

    def status(self, config: Configuration, run: str) -> RemoteRun:
        """Where a run stands."""

    def cancel(self, config: Configuration, run: str) -> RemoteRun:
        """Ends a run; one that has ended stays as it is."""

    def set_schedule(self, config: Configuration, cron: str) -> RemoteSchedule:
        """Makes the recurring run, or has the one that is there run what the configuration says now."""

    def find_schedule(self, config: Configuration) -> RemoteSchedule | None:
        """The recurring run, if there is one."""

    def pause_schedule(self, config: Configuration, paused: bool) -> RemoteSchedule:
        """Pauses or resumes it."""

    def delete_schedule(self, config: Configuration) -> bool:
        """Deletes it; False if there was none."""


def submit(
    runner: RemoteRunner, config: Configuration, say: Callable[[str], object], poll_s: float = _POLL_S
) -> RemoteRun:
    """Starts a run where no other one of its pipeline is at work; else waits or stops, as `concurrency` says.

    Of two that are submitted at once the one that was made later is cancelled.

    Args:
        runner: Where.
        config: What.
        say: Told, in a line, what is waited for.
        poll_s: Seconds between two looks.

    Raises:
        Refused: Another run is at work, or the service refused.
    """
    until = time.monotonic() + config.concurrency.longest_wait_s
    while True:
        _await_others(runner, config, say, until, poll_s)
        run = runner.submit(config)
        before = [other for other in _unfinished(runner, config) if _order(other) < _order(run)]
        if not before:
            return run
        runner.cancel(config, run.name)
        if config.concurrency.when_busy == "stop":
            raise Refused(_busy(config, before[0]))


def wait(
    runner: RemoteRunner,
    config: Configuration,
    run: RemoteRun,
    say: Callable[[RemoteRun], None],
    poll_s: float = _POLL_S,
) -> RemoteRun:
    """Waits until a run has ended, telling of each change.

    Raises:
        Refused: The service refused to say.
    """
    while not run.state.ended:
        time.sleep(poll_s)
        latest = runner.status(config, run.name)
        if latest.state is not run.state:
            say(latest)
        run = latest
    return run


def _await_others(
    runner: RemoteRunner, config: Configuration, say: Callable[[str], object], until: float, poll_s: float
) -> None:
    limit = config.concurrency.longest_wait_s
    said = False
    while others := _unfinished(runner, config):
        if config.concurrency.when_busy == "stop":
            raise Refused(_busy(config, others[0]))
        if time.monotonic() >= until:
            raise Refused(f"pipeline {config.name}: run {others[0].name} is at work still, after {limit:g} s")
        if not said:
            say(f"Waiting for run {others[0].name} of {config.name}, {limit:g} s at most ...")
            said = True
        time.sleep(min(poll_s, max(0.0, until - time.monotonic())))


def _unfinished(runner: RemoteRunner, config: Configuration) -> list[RemoteRun]:
    return [run for run in runner.runs(config) if not run.state.ended]


def _order(run: RemoteRun) -> tuple[float, str]:
    return (run.created.timestamp() if run.created else 0.0, run.name)


def _busy(config: Configuration, run: RemoteRun) -> str:
    hint = "wait, cancel it, or set concurrency.when_busy to wait"
    return f"pipeline {config.name}: run {run.name} is at work there; {hint}"
