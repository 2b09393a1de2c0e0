"""On this machine, one component after the other, with ML Metadata in sqlite."""

import datetime
import time
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration.local import runner_utils
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import Metadata
from tfx.orchestration.pipeline import RunOptions
from tfx.orchestration.portable import launcher, partial_run_utils, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from pipeline.config import Configuration
from pipeline.create import create_pipeline
from pipeline.outcome import Observer, PipelineOutcome, StepFailed
from schema.errors import Refused


def run(config: Configuration, observer: Observer, *, until: str | None = None) -> PipelineOutcome:
    """Runs the pipeline to its end.

    Args:
        config: The configuration.
        observer: Told of each component as it starts and ends.
        until: Run only what this component needs, and itself; None: everything. A whole run takes that from the cache.

    Returns:
        Where the outputs lie, and how long each component took.

    Raises:
        Refused: A component refused the data.
        StepFailed: A component failed for any other reason; the cause is chained.
    """
    runner = _ObservedDagRunner(observer)
    runner.run(create_pipeline(config), RunOptions(to_nodes=[until]) if until else None)
    return PipelineOutcome(artifacts=runner.artifacts, durations_s=runner.durations_s)


class _ObservedDagRunner(LocalDagRunner):  # type: ignore[misc]
    """TFX's LocalDagRunner, which tells an observer of each component and keeps what came of it."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer
        self.durations_s: dict[str, float] = {}
        self.artifacts: dict[str, dict[str, str]] = {}

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        if run_options is not None:
            partial_run_utils.mark_pipeline(pipeline, to_nodes=run_options.partial_run.to_nodes)
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
        )
        deployment = runner_utils.extract_local_deployment_config(pipeline)
        connection = deployment.metadata_connection_config
        metadata = Metadata(getattr(connection, connection.WhichOneof("connection_config")))
        nodes = [node for node in pipeline.nodes if not node.pipeline_node.execution_options.HasField("skip")]
        for position, node in enumerate(nodes, start=1):
            name = node.pipeline_node.node_info.id
            self._observer.step_started(name, position, len(nodes))
            started = time.monotonic()
            execution_id = self._launch(node.pipeline_node, pipeline, deployment, metadata)
            cached = self._finish(name, execution_id, metadata)
            self.durations_s[name] = round(time.monotonic() - started, 2)
            self._observer.step_finished(name, self.durations_s[name], cached, self.artifacts[name])

    def _launch(
        self,
        node: pipeline_pb2.PipelineNode,
        pipeline: pipeline_pb2.Pipeline,
        deployment: Any,
        metadata: Metadata,
    ) -> int:
        name = node.node_info.id
        try:
            execution = launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=metadata,
                pipeline_info=pipeline.pipeline_info,
                pipeline_runtime_spec=pipeline.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(deployment, name),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
            ).launch()
        except Refused:
            raise
        except Exception as error:
            raise StepFailed(name, error) from error
        if execution is None or execution.execution_id is None:
            raise StepFailed(name, RuntimeError("its inputs were not made"))
        return int(execution.execution_id)

    def _finish(self, name: str, execution_id: int, metadata: Metadata) -> bool:
        """Whether the execution came from the cache; remembers where its outputs lie."""
        with metadata as handle:
            (execution,) = handle.store.get_executions_by_id([execution_id])
            outputs = execution_lib.get_output_artifacts(handle, execution_id)
            self.artifacts[name] = {key: artifacts[0].uri for key, artifacts in outputs.items()}
        if execution.last_known_state not in (
            metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED,
        ):  # fmt: skip
            raise StepFailed(name, RuntimeError("it did not complete"))
        return bool(execution.last_known_state == metadata_store_pb2.Execution.CACHED)
