"""Interface between the pipeline, the runners that start its steps on this machine, and the observers of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from components.report.summary import StepCost
from pipeline.config.configuration import Configuration


class Observer(Protocol):
    """Observer of the progress of a run."""

    def step_started(self, name: str, position: int, total: int) -> None:
        """Handle the start of a component.

        Args:
            name: Name of the component.
            position: Its position in the run, from 1.
            total: Number of components in the run.
        """

    def step_finished(self, name: str, seconds: float, cached: bool, outputs: Mapping[str, str]) -> None:
        """Handle the end of a component.

        Args:
            name: Name of the component.
            seconds: Time it took.
            cached: Whether its outputs are those of an earlier run.
            outputs: URIs of its outputs, by key.
        """


class Observers:
    """Observer that passes each call on to several observers."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def step_started(self, name: str, position: int, total: int) -> None:
        for observer in self._observers:
            observer.step_started(name, position, total)

    def step_finished(self, name: str, seconds: float, cached: bool, outputs: Mapping[str, str]) -> None:
        for observer in self._observers:
            observer.step_finished(name, seconds, cached, outputs)


@dataclass(frozen=True)
class RunResult:
    """Result of a run whose components all completed.

    Attributes:
        artifacts: URIs of the outputs, by component and key.
        durations_s: Seconds by component, in the order they ran.
        costs: Processor time and memory by component.
    """

    artifacts: dict[str, dict[str, str]]
    durations_s: dict[str, float]
    costs: dict[str, StepCost] = field(default_factory=dict)


class RunSteps(Protocol):
    """Function that starts the steps of a pipeline on this machine."""

    def __call__(self, config: Configuration, observer: Observer, *, until: str | None = None) -> RunResult:
        """Run the pipeline to its end, or as far as the component `until`."""


class Runner(Protocol):
    """Runner on this machine."""

    def check(self, config: Configuration) -> None:
        """Refuse, in one line, what could not run."""

    def run(self, config: Configuration, observer: Observer, *, until: str | None = None) -> RunResult:
        """Run the pipeline to its end, or as far as the component `until`."""
