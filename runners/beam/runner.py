"""Local runner by TFX's BeamDagRunner: the pipeline is itself a Beam pipeline whose stages are the components."""

from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.options.pipeline_options import StandardOptions
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner, PipelineNodeAsDoFn
from tfx.proto.orchestration import pipeline_pb2

from components.common.outcome import Untried
from pipeline.config.configuration import Configuration
from pipeline.create import create_pipeline
from pipeline.errors import StepFailed
from pipeline.running import Observer, RunResult
from runners.local.steps import Steps, options_of
from schema.errors import Refused


def run(config: Configuration, observer: Observer, *, until: str | None = None) -> RunResult:
    """Run the pipeline to its end; arguments, result and errors are those of `runners.local.runner.run`."""
    runner = _ObservedBeamDagRunner()
    runner.observer = observer
    with _in_process():
        runner.run(create_pipeline(config), options_of(until))
    return runner.outcome


class _Run:
    """State that the DoFns of this process's one run share: Beam pickles them, so they cannot hold it."""

    steps: Steps | None = None
    failure: Refused | StepFailed | Untried | None = None


class _ObservedNode(PipelineNodeAsDoFn):  # type: ignore[misc]
    """DoFn of a component that is launched as on the local runner."""

    def _run_node(self) -> None:
        assert _Run.steps is not None
        try:
            _Run.steps.run(self._pipeline_node)
        except (Refused, StepFailed, Untried) as failure:
            _Run.failure = failure  # Beam turns it into text on its way up
            raise


class _ObservedBeamDagRunner(BeamDagRunner):  # type: ignore[misc]
    """TFX's BeamDagRunner, which notifies an observer of each component and keeps the outputs."""

    _PIPELINE_NODE_DO_FN_CLS = _ObservedNode
    observer: Observer
    outcome: RunResult

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        # The same object: the steps see the run ID and the marks that are set in the pipeline later.
        _Run.steps = steps = Steps(pipeline, self.observer)
        _Run.failure = None
        try:
            super().run_with_ir(pipeline, run_options)
        except Exception as error:
            raise _Run.failure or error from error
        finally:
            _Run.steps = None
        self.outcome = steps.outcome


@contextmanager
def _in_process() -> Iterator[None]:
    """Keep Beam's default runner, which TFX does not let us choose, from fetching a Go binary; see `pipeline.beam`."""
    default = StandardOptions.DEFAULT_RUNNER
    StandardOptions.DEFAULT_RUNNER = "FnApiRunner"
    try:
        yield
    finally:
        StandardOptions.DEFAULT_RUNNER = default
