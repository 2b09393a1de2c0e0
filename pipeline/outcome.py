"""What pipelines, runners and whoever watches them exchange."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pipeline.config.configuration import Configuration


class Observer(Protocol):
    """Whoever wants to know how far a run is."""

    def step_started(self, name: str, position: int, total: int) -> None:
        """Component `name`, the `position`-th of `total`, begins."""

    def step_finished(self, name: str, seconds: float, cached: bool, outputs: Mapping[str, str]) -> None:
        """Component `name` is done; `cached`: its outputs, URIs by key, are those of an earlier run."""


class Observers:
    """Several of them as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def step_started(self, name: str, position: int, total: int) -> None:
        for observer in self._observers:
            observer.step_started(name, position, total)

    def step_finished(self, name: str, seconds: float, cached: bool, outputs: Mapping[str, str]) -> None:
        for observer in self._observers:
            observer.step_finished(name, seconds, cached, outputs)


@dataclass(frozen=True)
class PipelineOutcome:
    """What a run that came to its end leaves.

    Attributes:
        artifacts: URIs of the outputs, by component and key.
        durations_s: Seconds by component, in the order they ran.
    """

    artifacts: dict[str, dict[str, str]]
    durations_s: dict[str, float]


class RunSteps(Protocol):
    """Function that starts the steps of a pipeline on this machine."""

    def __call__(self, config: Configuration, observer: Observer, *, until: str | None = None) -> PipelineOutcome:
        """Run the pipeline to its end, or as far as the component `until`."""


class Runner(Protocol):
    """Runner on this machine."""

    def check(self, config: Configuration) -> None:
        """Refuse, in one line, what could not run."""

    def run(self, config: Configuration, observer: Observer, *, until: str | None = None) -> PipelineOutcome:
        """Run the pipeline to its end, or as far as the component `until`."""


class StepFailed(Exception):  # noqa: N818 - it reads as what happened
    """A component raised something that is not the user's to mend in the data or the configuration."""

    def __init__(self, step: str, cause: Exception) -> None:
        super().__init__(f"{step} failed: {type(cause).__name__}: {_last_line(str(cause))}")
        self.step = step


def _last_line(message: str) -> str:
    """Tracebacks inside messages, as TensorFlow and Beam write them, say only at their end what was wrong."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not line.startswith("[[")), "no message")
