"""ML Metadata as the driver and the launcher of Kubeflow Pipelines use it, with the real C++ store.

What is recorded and returned is that of kubeflow/pipelines 2.16.1, backend/src/v2/metadata: `client.go` and
`converter.go`, cited below by line. The store is that of ml-metadata 1.17.0: later releases answer no filter queries,
which the driver needs. It is installed into a virtual environment of its own, below build/, once.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format, struct_pb2
from ml_metadata.metadata_store import ListOptions, MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from tests.support.environments import python_of

_FOLDER = Path(__file__).parent
_LOCK = _FOLDER / "ml_metadata.lock"
_PIPELINE, _RUN = "system.Pipeline", "system.PipelineRun"
DAG, CONTAINER = "system.DAGExecution", "system.ContainerExecution"
COMPLETE, CACHED, FAILED = mlmd.Execution.COMPLETE, mlmd.Execution.CACHED, mlmd.Execution.FAILED
RUNNING, CANCELED = mlmd.Execution.RUNNING, mlmd.Execution.CANCELED

Json = dict[str, Any]


@dataclass(frozen=True)
class RunContext:
    """A run, as the store knows it.

    Attributes:
        contexts: Contexts of the pipeline and of the run.
        root: Address below which the outputs of the run are.
        session: How the object store is opened, as JSON.
        execution: ID of the execution of the root DAG.
    """

    contexts: tuple[Any, Any]
    root: str
    session: str
    execution: int


class Metadata:
    """Client of the store.

    Args:
        store: A connected client of ml-metadata.
        port: Port of the store on this machine.
    """

    def __init__(self, store: MetadataStore, port: int) -> None:
        self._store = store
        self._port = port

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that every pod of a step has (compiler/argocompiler/container.go:560)."""
        return {"METADATA_GRPC_SERVICE_HOST": "127.0.0.1", "METADATA_GRPC_SERVICE_PORT": str(self._port)}

    def artifacts(self, run: str) -> list[Any]:
        """Return the artifacts of a run, those that came from the cache included."""
        context = self._store.get_context_by_type_and_name(_RUN, run)
        return list(self._store.get_artifacts_by_context(context.id))

    def start_run(self, pipeline: str, run: str, pipeline_root: str, session: str, inputs: Json) -> RunContext:
        """Record a run and the execution of its root DAG (client.go:369-430, driver/root_dag.go:84-170)."""
        root = f"{pipeline_root.rstrip('/')}/{pipeline}/{run}"
        properties = {
            "namespace": "kubeflow", "resource_name": "run-resource", "pipeline_root": root,
            "store_session_info": session,
        }  # fmt: skip
        contexts = (self._context(_PIPELINE, pipeline, {}), self._context(_RUN, run, properties))
        parent = mlmd.ParentContext(child_id=contexts[1].id, parent_id=contexts[0].id)
        self._store.put_parent_contexts([parent])
        execution = mlmd.Execution(
            type_id=self._store.put_execution_type(mlmd.ExecutionType(name=DAG)), name=f"run/{run}",
            last_known_state=RUNNING,
        )  # fmt: skip
        _set_struct(execution.custom_properties["inputs"], inputs["parameterValues"])
        number, *_ = self._store.put_execution(execution, [], contexts)
        return RunContext(contexts, root, session, number)

    def start_task(self, run: RunContext, kind: str, name: str, parent: int, inputs: Json) -> int:
        """Record the execution of a task that a driver has decided about (client.go:597-732).

        Args:
            run: The run.
            kind: `DAG` or `CONTAINER`.
            name: Name of the task.
            parent: ID of the execution of the DAG that it belongs to.
            inputs: Inputs, as in an ExecutorInput.

        Returns:
            The ID of the execution.
        """
        execution = mlmd.Execution(
            type_id=self._store.put_execution_type(mlmd.ExecutionType(name=kind)), last_known_state=RUNNING
        )
        for key in ("display_name", "task_name"):
            execution.custom_properties[key].string_value = name
        execution.custom_properties["parent_dag_id"].int_value = parent
        _set_struct(execution.custom_properties["inputs"], inputs["parameterValues"])
        events = [
            (None, _event(mlmd.Event.INPUT, key, int(artifact["name"])))
            for key, listed in inputs["artifacts"].items()
            for artifact in listed["artifacts"]
        ]
        number, *_ = self._store.put_execution(execution, events, run.contexts)
        return int(number)

    def tasks(self, run: RunContext, dag: int) -> dict[str, Any]:
        """Return the executions of a DAG's tasks by name (client.go:900-985)."""
        query = f"custom_properties.parent_dag_id.int_value = {dag}"
        found = self._store.get_executions_by_context(run.contexts[1].id, ListOptions(filter_query=query))
        by_name = {each.custom_properties["task_name"].string_value: each for each in found}
        assert len(by_name) == len(found), "two tasks have the same name"
        return by_name

    def inputs(self, execution: int) -> Json:
        """Return the input parameters of an execution (model.go:32-54)."""
        return _parameters(self._execution(execution), "inputs")

    def outputs(self, execution: int) -> Json:
        """Return the output parameters of an execution (model.go:32-54)."""
        return _parameters(self._execution(execution), "outputs")

    def output_artifacts(self, execution: int) -> dict[str, Any]:
        """Return the output artifacts of an execution by key (client.go:1030-1064)."""
        keys = {
            event.artifact_id: event.path.steps[0].key
            for event in self._store.get_events_by_execution_ids([execution])
            if event.type == mlmd.Event.OUTPUT
        }
        return {keys[artifact.id]: artifact for artifact in self._store.get_artifacts_by_id(list(keys))}

    def record_artifact(self, key: str, artifact: Json, session: str) -> Any:
        """Record an output artifact, and return it as it is stored (client.go:1131-1191)."""
        kind = artifact["type"].get("schemaTitle") or _title(artifact["type"]["instanceSchema"])
        stored = mlmd.Artifact(
            type_id=self._store.put_artifact_type(mlmd.ArtifactType(name=kind)), uri=artifact["uri"],
            state=mlmd.Artifact.LIVE,
        )  # fmt: skip
        for name, value in artifact["metadata"].items():
            _set(stored.custom_properties[name], value)
        for name, text in (("display_name", key), ("store_session_info", session)):
            if name not in stored.custom_properties:
                stored.custom_properties[name].string_value = text
        (number,) = self._store.put_artifacts([stored])
        (recorded,) = self._store.get_artifacts_by_id([number])
        return recorded

    def publish(self, run: RunContext, execution: int, state: int, outputs: Json, artifacts: Mapping[str, Any]) -> None:
        """Record how the execution of a task ended, and what it has put out (client.go:517-570)."""
        ended = self._execution(execution)
        ended.last_known_state = state
        _set_struct(ended.custom_properties["outputs"], outputs)
        events = [(None, _event(mlmd.Event.OUTPUT, key, artifact.id)) for key, artifact in artifacts.items()]
        self._store.put_execution(ended, events, run.contexts)

    def _execution(self, number: int) -> Any:
        (execution,) = self._store.get_executions_by_id([number])
        return execution

    def _context(self, kind: str, name: str, properties: Mapping[str, str]) -> Any:
        """Return a context, which is created if there is none (client.go:1307-1348)."""
        if self._store.get_context_by_type_and_name(kind, name) is None:
            context = mlmd.Context(type_id=self._store.put_context_type(mlmd.ContextType(name=kind)), name=name)
            for key, value in properties.items():
                context.custom_properties[key].string_value = value
            self._store.put_contexts([context])
        return self._store.get_context_by_type_and_name(kind, name)


def runtime_artifact(artifact: Any) -> Json:
    """Return a stored artifact as a driver passes it on: its name an ID, its type empty (converter.go:181-221)."""
    metadata = {name: _value(value) for name, value in artifact.custom_properties.items()}
    # client.go:224-240: the schema of an artifact is not known when it is read back.
    return {"name": str(artifact.id), "uri": artifact.uri, "type": {"instanceSchema": ""}, "metadata": metadata}


def _set(stored: Any, value: Any) -> None:
    """Set a value of the store (converter.go:138-174)."""
    match value:
        case str():
            stored.string_value = value
        case bool():
            stored.int_value = int(value)
        case int() | float():
            stored.double_value = value
        case list():
            _set_struct(stored, {"list": value})
        case dict():
            _set_struct(stored, {"struct": value})
        case _:
            raise AssertionError(f"the launcher has no type for {value!r}")


def _set_struct(stored: Any, values: Json) -> None:
    stored.struct_value.SetInParent()  # also where there are no values
    stored.struct_value.update(values)


def _value(stored: Any) -> Any:
    """Return a value of the store as JSON has it (converter.go:197-214)."""
    kind = stored.WhichOneof("value")
    if kind == "struct_value":
        return json_format.MessageToDict(stored.struct_value)
    value = getattr(stored, kind)
    return float(value) if kind == "int_value" else value


def _parameters(execution: Any, key: str) -> Json:
    if key not in execution.custom_properties:
        return {}
    struct: struct_pb2.Struct = execution.custom_properties[key].struct_value
    return dict(json_format.MessageToDict(struct))


def _event(kind: int, key: str, artifact: int) -> Any:
    event = mlmd.Event(type=kind, artifact_id=artifact)
    event.path.steps.add().key = key
    return event


def _title(schema: str) -> str:
    """Return the title of a schema of TFX, which is YAML."""
    first, *_ = [line for line in schema.splitlines() if line.startswith("title:")]
    return first.removeprefix("title:").strip()


# === The store ===


@contextmanager
def serve_metadata() -> Iterator[Metadata]:
    """Start a store; skip the test where it cannot be had."""
    with subprocess.Popen(
        [python_of("ml-metadata-1.17.0", _LOCK), str(_FOLDER / "metadata_server.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield Metadata(MetadataStore(mlmd.MetadataStoreClientConfig(host="127.0.0.1", port=port)), port)
        process.stdin.close()
