"""The runners by name: the one table that commands choose from.

A runner is a folder of this package and an entry here. Loading one imports TFX, which takes seconds, so an entry loads
its runner when it is asked for.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.common.garbage import paused_collection
from components.common.stderr import quiet
from pipeline.check import check_without_data
from pipeline.config.configuration import Configuration
from pipeline.errors import StepFailed
from pipeline.running import Observer, RunResult, RunSteps
from runners.remote.remote import RemoteRunner
from schema.errors import Refused
from schema.nearest import nearest


def _local() -> RunSteps:
    from runners.local.runner import run

    return run


def _beam() -> RunSteps:
    from runners.beam.runner import run

    return run


def _kubeflow() -> RemoteRunner:
    from runners.kubeflow import runner

    return runner


def _vertex() -> RemoteRunner:
    from runners.vertex import runner

    return runner


LOCAL_RUNNERS: dict[str, Callable[[], RunSteps]] = {"local": _local, "beam": _beam}
"""Runners that start the steps on this machine."""

REMOTE_RUNNERS: dict[str, Callable[[], RemoteRunner]] = {"kubeflow": _kubeflow, "vertex": _vertex}
"""Runners that hand the compiled pipeline to a service."""


@dataclass(frozen=True)
class LocalRunner:
    """Runner on this machine whose Beam jobs may go to a Flink cluster.

    Attributes:
        name: A key of `LOCAL_RUNNERS`.
    """

    name: str

    def check(self, config: Configuration) -> None:
        """Check that the cluster which the Beam jobs go to can take them.

        Raises:
            Refused: It cannot; the message says what to do.
        """
        if config.beam.runner == "flink":
            from runners.beam.flink import check_cluster

            check_cluster(config.beam)

    def run(self, config: Configuration, observer: Observer, *, until: str | None = None) -> RunResult:
        """Run the pipeline to its end.

        Raises:
            Refused: A component refused the data.
            StepFailed: A component failed; a failed Flink job is explained in Flink's own words.
        """
        try:
            with paused_collection():
                run_steps = LOCAL_RUNNERS[self.name]()
            return run_steps(config, observer, until=until)
        except StepFailed as failure:
            from runners.beam.flink import explained

            raise explained(config, failure) from failure


@contextmanager
def remote_runner(name: str) -> Iterator[RemoteRunner]:
    """Load a runner for another machine and keep what its libraries write off the terminal.

    Raises:
        Refused: There is no remote runner of this name.
    """
    if name not in REMOTE_RUNNERS:
        raise Refused(f"--runner {name}: runs nothing elsewhere; {nearest(name, list(REMOTE_RUNNERS))}")
    with quiet():
        yield REMOTE_RUNNERS[name]()


def compile_pipeline(config: Configuration, runner: str, output: Path) -> None:
    """Write the pipeline as a runner takes it; the data need not be within reach.

    Args:
        config: The configuration.
        runner: A key of `REMOTE_RUNNERS`.
        output: The file; replaced if it exists.

    Raises:
        Refused: There is no such runner, or the configuration does not fit it.
    """
    if runner not in REMOTE_RUNNERS:
        known = list(REMOTE_RUNNERS)
        raise Refused(f"--runner {runner}: there is no such runner to compile for; {nearest(runner, known)}")
    check_without_data(config)
    with quiet():
        REMOTE_RUNNERS[runner]().compile(config, output)


def check_schedulable(name: str) -> None:
    """Check that a runner can run the pipeline on a schedule.

    Raises:
        Refused: It cannot; the message names the nearest that can.
    """
    known = ["local", *REMOTE_RUNNERS]
    if name not in known:
        raise Refused(f"--runner {name}: there is no such runner to schedule on; {nearest(name, known)}")
