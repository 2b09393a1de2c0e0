"""Launching of a pipeline's steps on this machine, with ML Metadata in sqlite."""

import datetime
import threading
import time

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration.local import runner_utils
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.pipeline import RunOptions
from tfx.orchestration.portable import partial_run_utils, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from components.common.digest import Digests
from components.common.outcome import Untried
from components.report.summary import StepCost
from pipeline.errors import StepFailed
from pipeline.meter import Meter
from pipeline.running import Observer, RunResult
from runners.local.launcher import CheckedLauncher
from schema.errors import Refused


def options_of(until: str | None) -> RunOptions | None:
    """Return the options of TFX's partial run: a component and those that it needs; None: all components."""
    return RunOptions(to_nodes=[until]) if until else None


class Steps:
    """Launcher of the steps of one run, which notifies an observer of each and keeps the outputs.

    Args:
        pipeline: A compiled pipeline that has its run ID, with the nodes marked that are not to run (see `prepare`).
        observer: Notified when a step starts and ends.
    """

    def __init__(self, pipeline: pipeline_pb2.Pipeline, observer: Observer) -> None:
        self._pipeline = pipeline
        self._observer = observer
        self._deployment = runner_utils.extract_local_deployment_config(pipeline)
        connection = self._deployment.metadata_connection_config
        self._metadata = Metadata(getattr(connection, connection.WhichOneof("connection_config")))
        self._digests = Digests()
        self._started = 0
        self._lock = threading.Lock()
        self._durations_s: dict[str, float] = {}
        self._costs: dict[str, StepCost] = {}
        self._artifacts: dict[str, dict[str, str]] = {}

    @property
    def nodes(self) -> list[pipeline_pb2.PipelineNode]:
        """The nodes to run, each after those that it needs."""
        nodes = [node.pipeline_node for node in self._pipeline.nodes]
        return [node for node in nodes if not node.execution_options.HasField("skip")]

    @property
    def outcome(self) -> RunResult:
        """URIs of the outputs so far, and what each step took."""
        return RunResult(artifacts=self._artifacts, durations_s=self._durations_s, costs=self._costs)

    def run(self, node: pipeline_pb2.PipelineNode) -> None:
        """Run a step, or take its outputs from the cache.

        Raises:
            Refused: The step refused the data.
            Untried: The step could not try something because of the machine's state.
            StepFailed: The step failed for any other reason; the cause is chained.
        """
        name = node.node_info.id
        with self._lock:
            self._started += 1
            position = self._started
        self._observer.step_started(name, position, len(self.nodes))
        started, meter = time.monotonic(), Meter()
        cached = self._finish(name, self._launch(node))
        self._durations_s[name] = round(time.monotonic() - started, 2)
        self._costs[name] = meter.cost()
        self._observer.step_finished(name, self._durations_s[name], cached, self._artifacts[name])

    def _launch(self, node: pipeline_pb2.PipelineNode) -> int:
        name = node.node_info.id
        try:
            execution = CheckedLauncher(
                self._digests,
                pipeline_node=node,
                mlmd_connection=self._metadata,
                pipeline_info=self._pipeline.pipeline_info,
                pipeline_runtime_spec=self._pipeline.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(self._deployment, name),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, name),
            ).launch()
        except (Refused, Untried):
            raise
        except Exception as error:
            raise StepFailed(name, error) from error
        if execution is None or execution.execution_id is None:
            raise StepFailed(name, RuntimeError("its inputs do not exist"))
        return int(execution.execution_id)

    def _finish(self, name: str, execution_id: int) -> bool:
        """Record the URIs of the outputs; return whether they came from the cache."""
        with self._metadata as handle:
            (execution,) = handle.store.get_executions_by_id([execution_id])
            outputs = execution_lib.get_output_artifacts(handle, execution_id)
            self._artifacts[name] = {key: artifacts[0].uri for key, artifacts in outputs.items()}
        if execution.last_known_state not in (
            metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED,
        ):  # fmt: skip
            raise StepFailed(name, RuntimeError("it did not complete"))
        return bool(execution.last_known_state == metadata_store_pb2.Execution.CACHED)


def prepare(pipeline: pipeline_pb2.Pipeline, options: pipeline_pb2.RunOptions | None) -> None:
    """Give a compiled pipeline its run ID, and mark the nodes that are not to run."""
    if options is not None:
        partial_run_utils.mark_pipeline(pipeline, to_nodes=options.partial_run.to_nodes)
    run_id = {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
    runtime_parameter_utils.substitute_runtime_parameter(pipeline, run_id)
