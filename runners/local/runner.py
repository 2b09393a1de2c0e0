"""Local runner: one component after the other on this machine, with ML Metadata in sqlite."""

from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto.orchestration import pipeline_pb2

from pipeline.config.configuration import Configuration
from pipeline.create import create_pipeline
from pipeline.running import Observer, RunResult
from runners.local.steps import Steps, options_of, prepare


def run(config: Configuration, observer: Observer, *, until: str | None = None) -> RunResult:
    """Run the pipeline to its end.

    Args:
        config: The configuration.
        observer: Notified when a component starts and ends.
        until: Run only this component and those that it needs; None: all. A later whole run takes them from the cache.

    Returns:
        URIs of the outputs, and how long each component took.

    Raises:
        Refused: A component refused the data.
        StepFailed: A component failed for any other reason; the cause is chained.
    """
    runner = _ObservedDagRunner(observer)
    runner.run(create_pipeline(config), options_of(until))
    return runner.outcome


class _ObservedDagRunner(LocalDagRunner):  # type: ignore[misc]
    """TFX's LocalDagRunner, which notifies an observer of each component and keeps the outputs."""

    outcome: RunResult

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        prepare(pipeline, run_options)
        steps = Steps(pipeline, self._observer)
        for node in steps.nodes:
            steps.run(node)
        self.outcome = steps.outcome
