"""Stand-in for the backend of Kubeflow Pipelines: runs the containers of a compiled pipeline as local processes.

It does what the compiler, driver, launcher and metadata store of kubeflow/pipelines 2.16.1 do (backend/src/v2, cited
below by file and line) as far as a step can notice. Images, nodes, retries and the object store are left out: every
container sees one disk. Two containers run at a time.
"""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

_REPOSITORY = Path(__file__).parents[3]
_EXECUTOR_INPUT = "{{$}}"
_INPUT = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")
_OUTPUT = re.compile(r"\{\{\$\.outputs\.parameters\['([^']+)'\]\.output_file\}\}")
_CONDITION = re.compile(r"inputs\.parameter_values\['([^']+)'\] == (.+)")
_VARIABLE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_RUN_LABEL = "metadata.labels['pipeline/runid']"
_LAST = "ALL_UPSTREAM_TASKS_COMPLETED"
_LOGS = "executor-logs"
_MAX_CONTAINERS = 2
_PARSED: Mapping[str, Any] = {"STRING": str, "BOOLEAN": json.loads}

Json = dict[str, Any]


class ContainerFailedError(Exception):
    """A container failed.

    Attributes:
        step: Name of its task.
        status: Exit status of the pod: the launcher exits with 1 whatever the container's own status was
            (cmd/launcher-v2/main.go:58).
        container_status: Exit status of the container's own command.
        log: What the container wrote to stderr.
    """

    def __init__(self, step: str, container_status: int, log: str) -> None:
        super().__init__(f"{step} exited with {container_status}: {log[-3000:]}")
        self.step, self.status, self.container_status, self.log = step, 1, container_status, log


@dataclass
class Run:
    """What happened in a run.

    Attributes:
        id: Kubeflow's ID of the run.
        executed: The steps whose container succeeded, in the order in which they ended.
        cached: The steps that were answered from the cache.
        failed: The steps whose container failed.
        outputs: Output artifacts by step and key, as the metadata store has them.
        parameters: Output parameters by step and name.
        inputs: ExecutorInput by step.
        printed: What a step wrote to stdout, by step.
    """

    id: str
    executed: list[str] = field(default_factory=list)
    cached: list[str] = field(default_factory=list)
    failed: dict[str, ContainerFailedError] = field(default_factory=dict)
    outputs: dict[str, dict[str, Json]] = field(default_factory=dict)
    parameters: dict[str, Json] = field(default_factory=dict)
    inputs: dict[str, Json] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)


@dataclass
class Backend:
    """A cluster.

    Attributes:
        root: Folder in the place of the object store, the pods' disks and the metadata store.
        secrets: Kubernetes Secrets: name -> key -> value.
        publish_logs: Whether the driver adds an output artifact for the log to each step, as it does by default.
    """

    root: Path
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    publish_logs: bool = True
    _cache: dict[str, tuple[dict[str, Json], Json]] = field(default_factory=dict)
    _ids: int = 0
    _runs: int = 0

    def run(self, package: Path, *until: str) -> Run:
        """Run a compiled pipeline: the steps `until` and those that they need; all steps where none is named."""
        self._runs += 1
        run = Run(f"run-{self._runs}")
        _Pipeline(self, package, run, until).run()
        return run

    def run_again(self, package: Path, run: Run, step: str) -> None:
        """Run a step of a run once more with the same input and the same output locations, as a retry does.

        Raises:
            ContainerFailedError: The container failed.
        """
        _Pipeline(self, package, run, ()).execute(step, run.inputs[step])

    def launch(self, command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run the command of a container as a process of this machine."""
        home = self.root / "home"
        home.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(_REPOSITORY), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            # In the image, `python` is a Python that has this project installed.
            [sys.executable if command[0] == "python" else command[0], *command[1:]],
            cwd=home, capture_output=True, text=True, errors="replace", check=False,
            env=os.environ | {"PYTHONPATH": path} | dict(environment),
        )  # fmt: skip

    def new_id(self) -> str:
        """Return the ID of a new artifact."""
        self._ids += 1
        return str(self._ids)


class _Pipeline:
    """One package in one run."""

    def __init__(self, backend: Backend, package: Path, run: Run, until: tuple[str, ...]) -> None:
        self._backend, self._run, self._until = backend, run, until
        self._spec, *platform = yaml.safe_load_all(package.read_text(encoding="utf-8"))
        self._kubernetes: Json = (
            platform[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if platform else {}
        )
        self._lock = threading.RLock()
        self._free = threading.Semaphore(_MAX_CONTAINERS)

    def run(self) -> None:
        self._run_dag(self._spec["root"]["dag"], {})

    # === The compiler and Argo: which tasks run when ===

    def _run_dag(self, dag: Json, inputs: Json) -> bool:
        """Run a DAG with its input parameters; return whether nothing in it failed.

        After a failure, nothing starts that has not started yet: Argo's `failFast` is on by default, and the compiler
        leaves it so (compiler/argocompiler/dag.go). Only exit hooks run.
        """
        tasks = self._wanted(dag["tasks"])
        ended = {name: threading.Event() for name in tasks}
        succeeded: dict[str, bool] = {}

        def run_task(name: str) -> None:
            for task in _upstream(tasks[name]).intersection(tasks):
                ended[task].wait()
            try:
                if _is_exit_hook(tasks[name]) or all(succeeded.values()):
                    succeeded[name] = self._run_task(name, tasks[name], inputs)
            finally:
                succeeded.setdefault(name, False)
                ended[name].set()

        threads = [threading.Thread(target=run_task, args=(name,)) for name in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return all(succeeded.values())

    def _wanted(self, tasks: Json) -> Json:
        """Return the tasks that `until` needs; of a DAG that has none of them, all but the exit hook."""
        named = [step for step in self._until if step in tasks]
        if named:
            needed = set(named).union(*(_all_upstream(tasks, step) for step in named))
            return {name: task for name, task in tasks.items() if name in needed}
        return {name: task for name, task in tasks.items() if not self._until or not _is_exit_hook(task)}

    def _run_task(self, name: str, task: Json, inputs: Json) -> bool:
        component = self._spec["components"][task["componentRef"]["name"]]
        parameters = self._parameters(task, component, inputs)
        condition = task.get("triggerPolicy", {}).get("condition")
        if condition is not None:
            match = _CONDITION.fullmatch(" ".join(condition.split()))
            assert match is not None, condition
            if parameters[match[1]] != yaml.safe_load(match[2]):
                return True  # skipped
        if "dag" in component:
            return self._run_dag(component["dag"], parameters)
        try:
            self._run_step(name, task, component, parameters)
        except ContainerFailedError as error:
            self._run.failed[name] = error
            return False
        return True

    # === The driver: what a container gets, and whether the cache has the answer ===

    def _run_step(self, name: str, task: Json, component: Json, parameters: Json) -> None:
        executor_input = self._executor_input(name, task, component, parameters)
        fingerprint = self._fingerprint(component, executor_input)
        cache = task.get("cachingOptions", {}).get("enableCache", False)
        with self._lock:
            self._run.inputs[name] = executor_input
            cached = self._backend._cache.get(fingerprint) if cache else None
            if cached is not None:
                self._run.outputs[name], self._run.parameters[name] = cached
                self._run.cached.append(name)
                return
        with self._free:
            printed = self.execute(name, executor_input)
        with self._lock:
            self._run.executed.append(name)
            self._run.printed[name] = printed
            self._run.outputs[name], self._run.parameters[name] = self._published(component, executor_input)
            if cache:
                self._backend._cache[fingerprint] = self._run.outputs[name], self._run.parameters[name]

    def _parameters(self, task: Json, component: Json, inputs: Json) -> Json:
        values: Json = {}
        for name, source in task.get("inputs", {}).get("parameters", {}).items():
            if "runtimeValue" in source:
                values[name] = source["runtimeValue"]["constant"]
            elif "componentInputParameter" in source:
                values[name] = inputs[source["componentInputParameter"]]
            else:
                output = source["taskOutputParameter"]
                values[name] = self._run.parameters[output["producerTask"]][output["outputParameterKey"]]
        declared = component.get("inputDefinitions", {}).get("parameters", {})
        assert set(values) == set(declared), "each parameter is declared, and each declared one has a value"
        types = {"STRING": str, "BOOLEAN": bool, "NUMBER_INTEGER": int | float, "NUMBER_DOUBLE": int | float}
        for name, value in values.items():
            assert isinstance(value, types[declared[name]["parameterType"]]), (name, value)
        return values

    def _executor_input(self, step: str, task: Json, component: Json, parameters: Json) -> Json:
        inputs = {
            name: self._run.outputs[source["taskOutputArtifact"]["producerTask"]][
                source["taskOutputArtifact"]["outputArtifactKey"]
            ]
            for name, source in task.get("inputs", {}).get("artifacts", {}).items()
        }
        folder = self._backend.root / self._run.id / step
        definitions = component.get("outputDefinitions", {})
        artifacts = dict(definitions.get("artifacts", {}))
        if self._backend.publish_logs:  # driver/driver.go:703-715
            artifacts[_LOGS] = {"artifactType": {"schemaTitle": "system.Artifact"}}
        outputs = {  # driver/driver.go:725-740
            name: {
                "name": name, "uri": str(folder / name), "type": artifact["artifactType"],
                "metadata": artifact.get("metadata", {}),
            }
            for name, artifact in artifacts.items()
        }  # fmt: skip
        files = {name: {"outputFile": str(folder / "parameters" / name)} for name in definitions.get("parameters", {})}
        return {
            "inputs": {
                "parameterValues": parameters,
                "artifacts": {name: {"artifacts": [artifact]} for name, artifact in inputs.items()},
            },
            "outputs": {
                "artifacts": {name: {"artifacts": [artifact]} for name, artifact in outputs.items()},
                "parameters": files,
                "outputFile": str(folder / "output_metadata.json"),  # driver/driver.go:751
            },
        }

    def _fingerprint(self, component: Json, executor_input: Json) -> str:
        """Return the key of the cache: neither locations nor environment (cacheutils/cache.go:193-250)."""
        container = self._container(component["executorLabel"])
        volumes = self._kubernetes.get(component["executorLabel"], {}).get("pvcMount", [])
        outputs = {
            name: [artifact["name"], artifact["type"], artifact["metadata"]]
            for name, artifact in _single(executor_input["outputs"])
        }
        key = {
            "inputs": {name: artifact["name"] for name, artifact in _single(executor_input["inputs"])},
            "parameters": executor_input["inputs"]["parameterValues"],
            "outputs": outputs,
            "output_parameters": component.get("outputDefinitions", {}).get("parameters", {}),
            "container": [container["image"], container["command"], container["args"]],
            "volumes": sorted({volume["constant"] for volume in volumes}),
        }
        return sha256(json.dumps([self._spec["pipelineInfo"]["name"], key], sort_keys=True).encode()).hexdigest()

    # === Kubernetes and the launcher ===

    def execute(self, step: str, executor_input: Json) -> str:
        """Run the container of a step; return what it printed.

        Raises:
            ContainerFailedError: The container failed.
        """
        for _, artifact in _single(executor_input["outputs"]):
            Path(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
        for parameter in executor_input["outputs"]["parameters"].values():
            Path(parameter["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
        label = self._spec["components"][step]["executorLabel"]
        container = self._container(label)
        environment = self._environment(label, container)
        # The ExecutorInput and the container's words are the command of a pod, so Kubernetes expands variables in them
        # (driver/driver.go:283-304, 413-421), before the launcher fills placeholders.
        text = expand_variables(json.dumps(executor_input), environment)
        expanded = json.loads(text)
        words = [expand_variables(word, environment) for word in [*container["command"], *container["args"]]]
        filled = [text if word == _EXECUTOR_INPUT else _filled(word, expanded) for word in words]
        assert not any("{{$" in word for word in filled if word != text), "a placeholder that nothing fills"
        assert max(map(len, filled)) < 128 * 1024, "more than Linux takes in one argument"
        ended = self._backend.launch(filled, environment)
        for name, artifact in _single(executor_input["outputs"]):
            if name == _LOGS:  # component/launcher_v2.go, getLogWriter
                Path(artifact["uri"]).write_text(ended.stdout + ended.stderr, encoding="utf-8")
            _remove_empty_folders(Path(artifact["uri"]))
        if ended.returncode:
            raise ContainerFailedError(step, ended.returncode, ended.stderr)
        return ended.stdout

    def _container(self, label: str) -> Json:
        return dict(self._spec["deploymentSpec"]["executors"][label]["container"])

    def _environment(self, label: str, container: Json) -> dict[str, str]:
        variables = {each["name"]: each["value"] for each in container.get("env", ())}
        pod = self._kubernetes.get(label, {})
        for each in pod.get("fieldPathAsEnv", ()):
            assert each["fieldPath"] == _RUN_LABEL
            variables[each["name"]] = self._run.id
        for secret in pod.get("secretAsEnv", ()):
            for key in secret["keyToEnv"]:
                variables[key["envVar"]] = self._backend.secrets[secret["secretName"]][key["secretKey"]]
        return variables

    def _published(self, component: Json, executor_input: Json) -> tuple[dict[str, Json], Json]:
        """Return outputs as the launcher publishes them and the driver of a later step reads them."""
        file = Path(executor_input["outputs"]["outputFile"])
        executor_output = json.loads(file.read_text()) if file.exists() else {}
        artifacts = {
            name: self._stored(name, artifact, executor_output.get("artifacts", {}).get(name))
            for name, artifact in _single(executor_input["outputs"])
        }
        declared = component.get("outputDefinitions", {}).get("parameters", {})
        parameters = {
            name: _PARSED[declared[name]["parameterType"]](Path(parameter["outputFile"]).read_text())
            for name, parameter in executor_input["outputs"]["parameters"].items()
        }
        return artifacts, parameters

    def _stored(self, key: str, artifact: Json, reported: Json | None) -> Json:
        """Return an artifact as ML Metadata stores it: without a type, its name an ID (metadata/converter.go:182)."""
        update = reported["artifacts"][0] if reported and key != _LOGS else {}
        metadata = {
            name: _stored_value(value) for name, value in (artifact["metadata"] | update.get("metadata", {})).items()
        }
        return {
            "name": self._backend.new_id(),
            "uri": update.get("uri") or artifact["uri"],
            # metadata/client.go:1151-1166
            "metadata": {"display_name": key, "store_session_info": "{}"} | metadata,
        }


def _upstream(task: Json) -> set[str]:
    """Return the tasks that a task waits for: those that it names, and those whose outputs it gets."""
    inputs = task.get("inputs", {})
    sources = [*inputs.get("artifacts", {}).values(), *inputs.get("parameters", {}).values()]
    outputs = [source.get("taskOutputArtifact") or source.get("taskOutputParameter") for source in sources]
    return {*task.get("dependentTasks", ()), *(output["producerTask"] for output in outputs if output)}


def _is_exit_hook(task: Json) -> bool:
    """Return whether a task runs however those before it ended."""
    return bool(task.get("triggerPolicy", {}).get("strategy") == _LAST)


def _all_upstream(tasks: Json, step: str) -> set[str]:
    direct = _upstream(tasks[step])
    return direct.union(*(_all_upstream(tasks, name) for name in direct))


def expand_variables(word: str, environment: Mapping[str, str]) -> str:
    """Expand variables as Kubernetes does in the command and args of a container; unknown ones stay as they are."""
    return _VARIABLE.sub(lambda match: "$" if match[1] is None else environment.get(match[1], match[0]), word)


def _filled(word: str, executor_input: Json) -> str:
    word = _OUTPUT.sub(lambda match: executor_input["outputs"]["parameters"][match[1]]["outputFile"], word)
    return _INPUT.sub(lambda match: _as_text(executor_input["inputs"]["parameterValues"][match[1]]), word)


def _as_text(value: Any) -> str:
    """Return a value as the launcher writes it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _stored_value(value: Any) -> Any:
    """Return a value of an artifact's metadata as ML Metadata returns it (metadata/converter.go:130-170, 197-220)."""
    match value:
        case bool() | int():
            return float(value)
        case list():
            return {"list": value}
        case dict():
            return {"struct": value}
    return value


def _remove_empty_folders(path: Path) -> None:
    """Remove what an object store cannot hold: folders without files (objectstore/object_store.go:96-127)."""
    for folder, _, _ in os.walk(path, topdown=False):
        if not os.listdir(folder):  # noqa: PTH208 - os.walk's strings
            Path(folder).rmdir()


def _single(part: Json) -> Iterator[tuple[str, Json]]:
    for name, listed in part["artifacts"].items():
        (artifact,) = listed["artifacts"]
        yield name, artifact
