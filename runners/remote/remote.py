"""Runs and schedules on other machines: the protocol of remote runners, and what holds for all of them."""

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
    """State of a run."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def ended(self) -> bool:
        """Whether the run has ended, one way or another."""
        return self in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED)


@dataclass(frozen=True)
class RemoteRun:
    """A run of a remote service.

    Attributes:
        name: Identifier that `status` and `cancel` take.
        state: Its state.
        created: Time of its submission, in UTC.
        page: Address of its page.
        error: Why it failed, in one line; None if it did not fail, or the service does not say.
    """

    name: str
    state: RunState
    created: datetime | None = None
    page: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class RemoteSchedule:
    """The recurring run of a pipeline, which has at most one.

    Attributes:
        name: Name of the pipeline.
        cron: Five fields: minute, hour, day of month, month, day of week.
        paused: Whether it starts nothing until it is resumed.
        time_zone: Time zone of the fields.
        next_run: Time of the next run, if the service says.
        page: Address of its page.
    """

    name: str
    cron: str
    paused: bool
    time_zone: str
    next_run: datetime | None = None
    page: str | None = None


class RemoteRunner(Protocol):
    """Remote runner: a module of these functions. Each raises Refused, in one line, if the service refuses."""

    def compile(self, config: Configuration, output: Path) -> None:
        """Write the file that the service takes."""

    def submit(self, config: Configuration) -> RemoteRun:
        """Start a run of what the configuration says now."""

    def runs(self, config: Configuration) -> Sequence[RemoteRun]:
        """Return the pipeline's runs: the newest first, at most twenty."""

    def status(self, config: Configuration, run: str) -> RemoteRun:
        """Return the state of a run."""

    def cancel(self, config: Configuration, run: str) -> RemoteRun:
        """Cancel a run; one that has ended stays as it is."""

    def set_schedule(self, config: Configuration, cron: str) -> RemoteSchedule:
        """Create the recurring run, or change the existing one to what the configuration says now."""

    def find_schedule(self, config: Configuration) -> RemoteSchedule | None:
        """Return the recurring run, if there is one."""

    def pause_schedule(self, config: Configuration, paused: bool) -> RemoteSchedule:
        """Pause the recurring run, or resume it."""

    def delete_schedule(self, config: Configuration) -> bool:
        """Delete the recurring run; return whether there was one."""


def submit(
    runner: RemoteRunner, config: Configuration, say: Callable[[str], object], poll_s: float = _POLL_S
) -> RemoteRun:
    """Start a run unless another run of the pipeline is in progress; then wait or refuse, as `concurrency` says.

    Of two runs that are submitted at the same moment, the later one is cancelled.

    Args:
        runner: The remote runner.
        config: The configuration.
        say: Called with one line that says what is waited for.
        poll_s: Seconds between two requests of the runs' states.

    Raises:
        Refused: Another run is in progress, or the service refuses.
    """
    until = time.monotonic() + config.concurrency.longest_wait_s
    while True:
        _wait_for_others(runner, config, say, until, poll_s)
        run = runner.submit(config)
        earlier = [other for other in _unfinished(runner, config) if _order(other) < _order(run)]
        if not earlier:
            return run
        runner.cancel(config, run.name)
        if config.concurrency.when_busy == "stop":
            raise Refused(_busy(config, earlier[0]))


def wait(
    runner: RemoteRunner,
    config: Configuration,
    run: RemoteRun,
    say: Callable[[RemoteRun], None],
    poll_s: float = _POLL_S,
) -> RemoteRun:
    """Wait until a run has ended.

    Args:
        runner: The remote runner.
        config: The configuration.
        run: The run, as submitted.
        say: Called with the run after each change of its state.
        poll_s: Seconds between two requests of the state.

    Raises:
        Refused: The service refuses.
    """
    while not run.state.ended:
        time.sleep(poll_s)
        latest = runner.status(config, run.name)
        if latest.state is not run.state:
            say(latest)
        run = latest
    return run


def _wait_for_others(
    runner: RemoteRunner, config: Configuration, say: Callable[[str], object], until: float, poll_s: float
) -> None:
    limit = config.concurrency.longest_wait_s
    announced = False
    while others := _unfinished(runner, config):
        if config.concurrency.when_busy == "stop":
            raise Refused(_busy(config, others[0]))
        if time.monotonic() >= until:
            raise Refused(f"pipeline {config.name}: run {others[0].name} is still in progress after {limit:g} s")
        if not announced:
            say(f"Waiting for run {others[0].name} of {config.name}, {limit:g} s at most ...")
            announced = True
        time.sleep(min(poll_s, max(0.0, until - time.monotonic())))


def _unfinished(runner: RemoteRunner, config: Configuration) -> list[RemoteRun]:
    return [run for run in runner.runs(config) if not run.state.ended]


def _order(run: RemoteRun) -> tuple[float, str]:
    return (run.created.timestamp() if run.created else 0.0, run.name)


def _busy(config: Configuration, run: RemoteRun) -> str:
    hint = "wait, cancel it, or set concurrency.when_busy to wait"
    return f"pipeline {config.name}: run {run.name} is in progress; {hint}"
