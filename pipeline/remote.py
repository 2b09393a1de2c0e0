"""Runs and schedules on other machines: what every runner that has them does, whatever runs there."""

import difflib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Protocol

from pipeline.compile import quiet
from pipeline.config import Configuration
from schema.errors import Refused

RUNNERS = ("kubeflow", "vertex")
_POLL_S = 15.0


class RunState(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
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


@contextmanager
def remote_runner(name: str) -> Iterator[RemoteRunner]:
    """A runner for another machine; what its libraries write is kept off the terminal meanwhile.

    Raises:
        Refused: There is none of this name.
    """
    if name not in RUNNERS:
        near = difflib.get_close_matches(name, RUNNERS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(RUNNERS)}"
        raise Refused(f"--runner {name}: runs nothing elsewhere; {hint}")
    with quiet():
        runner: RemoteRunner = import_module(f"runners.{name}")
        yield runner


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
