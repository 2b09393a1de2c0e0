"""Stand-in for the backend of Kubeflow Pipelines: runs the containers of a compiled pipeline as local processes.

It does what the compiler, driver and launcher of kubeflow/pipelines 2.16.1 do (backend/src/v2, cited below by file and
line) as far as a step can notice, with a real metadata store and a real S3 API. Each container has a disk of its own,
which is gone with it. Images, nodes and retries are left out. Two containers run at a time.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from tests.runners.kubeflow import metadata
from tests.runners.kubeflow.metadata import RunContext, runtime_artifact
from tests.runners.kubeflow.objects import DEFAULT_ROOT, local_path, session_info
from tests.runners.kubeflow.services import Services

_REPOSITORY = Path(__file__).parents[3]
_EXECUTOR_INPUT = "{{$}}"
_INPUT = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")
_OUTPUT = re.compile(r"\{\{\$\.outputs\.parameters\['([^']+)'\]\.output_file\}\}")
_PATH = re.compile(r"\{\{\$\.outputs\.artifacts\['([^']+)'\]\.path\}\}")
_URI = re.compile(r"\{\{\$\.outputs\.artifacts\['([^']+)'\]\.uri\}\}")
_CONDITION = re.compile(r"inputs\.parameter_values\['([^']+)'\] == (.+)")
_VARIABLE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_RUN_LABEL = "metadata.labels['pipeline/runid']"
_LAST = "ALL_UPSTREAM_TASKS_COMPLETED"
_LOGS = "executor-logs"
_MAX_CONTAINERS = 2
_PARSED: Mapping[str, Any] = {"STRING": str, "BOOLEAN": json.loads}
# Folders of a container that the launcher writes to: copies of artifacts, and parameters (driver/driver.go:748-752).
DISK = ("gcs", "minio", "s3", "tmp/kfp", "tmp/kfp_outputs")
_PARAMETERS = "/tmp/kfp/outputs"
_OUTPUT_FILE = "/tmp/kfp_outputs/output_metadata.json"  # component/launcher_v2.go:494

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
        outputs: Output artifacts by step and key, as a driver reads them from the metadata store.
        executions: ID of the execution of each step in the metadata store.
        inputs: ExecutorInput by step.
        printed: What a step wrote to stdout, by step.
        attempts: How many containers a step has had.
        context: The run in the metadata store, once it has begun.
    """

    id: str
    executed: list[str] = field(default_factory=list)
    cached: list[str] = field(default_factory=list)
    failed: dict[str, ContainerFailedError] = field(default_factory=dict)
    outputs: dict[str, dict[str, Json]] = field(default_factory=dict)
    executions: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, Json] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    context: RunContext | None = None


@dataclass
class Backend:
    """A cluster.

    Attributes:
        root: Folder for the disks of containers.
        services: The object store and the metadata store.
        secrets: Kubernetes Secrets: name -> key -> value.
        pipeline_root: Address below which artifacts are. Those below a path are left alone: nothing is copied.
        publish_logs: Whether the driver adds an output artifact for the log to each step, as it does by default.
        broken_drivers: Tasks whose driver fails, as it does where the API server or the metadata store is away.
        parameters: Parameters of the runs; those that are left out have their defaults.
    """

    root: Path
    services: Services
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pipeline_root: str = DEFAULT_ROOT
    publish_logs: bool = True
    broken_drivers: Collection[str] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    _cache: dict[str, int] = field(default_factory=dict)

    def run(self, package: Path, *until: str) -> Run:
        """Run a compiled pipeline: the steps `until` and those that they need; all steps where none is named."""
        run = Run(str(uuid.uuid4()))
        _Pipeline(self, package, run, until).run()
        return run

    def run_again(self, package: Path, run: Run, step: str) -> None:
        """Run a step of a run once more with the same input and the same output locations.

        So does a retry of a container that was killed after its uploads: nothing of it was recorded. Here the container
        that is recorded is the first one; later steps that run again get what the retry says of its outputs.

        Raises:
            ContainerFailedError: The container failed.
        """
        _Pipeline(self, package, run, ()).launch(step, record=False)

    def download(self, run: Run, step: str, output: str, folder: Path) -> Path:
        """Download an output artifact of a step; return where it is in a folder."""
        address = run.outputs[step][output]["uri"]
        path = folder / run.id / step / output
        self.services.objects.download(address, path)
        return path

    def launch(
        self, command: list[str], environment: Mapping[str, str], disk: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run the command of a container as a process of this machine.

        Args:
            command: Program and arguments.
            environment: Variables of the container.
            disk: Folder of the container's own files, which is its working directory.
        """
        path = os.pathsep.join([str(_REPOSITORY), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            # In the image, `python` is a Python that has this project installed.
            [sys.executable, *in_pod(command, disk)[1:]] if command[0] == "python" else command,
            cwd=disk, capture_output=True, text=True, errors="replace", check=False,
            env=os.environ | {"PYTHONPATH": path} | dict(environment),
        )  # fmt: skip

    def root_of(self, disk: Path) -> str:
        """Return what a process puts before paths of the container whose own files are in a folder."""
        return str(disk)


def in_pod(command: list[str], disk: Path) -> list[str]:
    """Return the command that runs a command of Python with a folder as the container's root."""
    assert command[:2] == ["python", "-m"], command
    return [*command[:2], "tests.runners.kubeflow.pod", str(disk), *command[2:]]


class _Pipeline:
    """One package in one run."""

    def __init__(self, backend: Backend, package: Path, run: Run, until: tuple[str, ...]) -> None:
        self._backend, self._run, self._until = backend, run, until
        self._spec, *platform = yaml.safe_load_all(package.read_text(encoding="utf-8"))
        self._kubernetes: Json = (
            platform[0]["platforms"]["kubernetes"]["deploymentSpec"]["executors"] if platform else {}
        )
        self._objects, self._metadata = backend.services.objects, backend.services.metadata
        if run.context is None:
            root, name = backend.pipeline_root, self._spec["pipelineInfo"]["name"]
            inputs = self._root_inputs()
            run.context = self._metadata.start_run(name, run.id, root, session_info(root), inputs)
        self._context = run.context
        self._lock = threading.RLock()
        self._free = threading.Semaphore(_MAX_CONTAINERS)

    def run(self) -> None:
        self._run_dag(self._spec["root"]["dag"], self._context.execution)

    def _root_inputs(self) -> Json:
        """Return the parameters of the run (compiler/argocompiler/argo.go:91-100, driver/root_dag.go:130-134)."""
        declared = self._spec["root"].get("inputDefinitions", {}).get("parameters", {})
        given = self._backend.parameters
        assert set(given) <= set(declared), "apiserver/template/v2_template.go:503: refuses others"
        defaults = {name: each["defaultValue"] for name, each in declared.items() if "defaultValue" in each}
        return {"parameterValues": {**defaults, **given}, "artifacts": {}}

    # === The compiler and Argo: which tasks run when ===

    def _run_dag(self, dag: Json, execution: int) -> bool:
        """Run a DAG, given its execution; return whether nothing in it failed.

        After a failure, nothing starts that has not started yet: Argo's `failFast` is on by default, and the compiler
        leaves it so (compiler/argocompiler/dag.go). Only exit hooks run. They are hooks of the task that is the exit
        handler's DAG (compiler/argocompiler/dag.go:61-120, 208), which does not start if its driver failed.
        """
        tasks = self._wanted(dag["tasks"])
        ended = {name: threading.Event() for name in tasks}
        succeeded: dict[str, bool] = {}
        errors: list[BaseException] = []  # of the harness itself

        def run_task(name: str) -> None:
            for task in _upstream(tasks[name]).intersection(tasks):
                ended[task].wait()
            try:
                started = not _upstream(tasks[name]).intersection(self._backend.broken_drivers)
                if all(succeeded.values()) or (_is_exit_hook(tasks[name]) and started):
                    succeeded[name] = self._run_task(name, tasks[name], execution)
            except BaseException as error:
                errors.append(error)
            finally:
                succeeded.setdefault(name, False)
                ended[name].set()

        threads = [threading.Thread(target=run_task, args=(name,)) for name in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for error in errors:
            raise error
        return all(succeeded.values())

    def _wanted(self, tasks: Json) -> Json:
        """Return the tasks that `until` needs; of a DAG that has none of them, all but the exit hook."""
        named = [step for step in self._until if step in tasks]
        if named:
            needed = set(named).union(*(_all_upstream(tasks, step) for step in named))
            return {name: task for name, task in tasks.items() if name in needed}
        return {name: task for name, task in tasks.items() if not self._until or not _is_exit_hook(task)}

    def _run_task(self, name: str, task: Json, dag: int) -> bool:
        """Run the driver of a task and what it starts; return whether nothing in it failed."""
        if name in self._backend.broken_drivers:
            return False
        component = self._spec["components"][task["componentRef"]["name"]]
        inputs = self._inputs(task, component, dag)
        kind = metadata.DAG if "dag" in component else metadata.CONTAINER
        condition = task.get("triggerPolicy", {}).get("condition")
        if condition is not None:
            match = _CONDITION.fullmatch(" ".join(condition.split()))
            assert match is not None, condition
            if inputs["parameterValues"][match[1]] != yaml.safe_load(match[2]):
                execution = self._metadata.start_task(self._context, kind, name, dag, inputs)
                self._metadata.publish(self._context, execution, metadata.CANCELED, {}, {})
                return True  # skipped
        if "dag" in component:
            execution = self._metadata.start_task(self._context, kind, name, dag, inputs)
            return self._run_dag(component["dag"], execution)
        try:
            self._run_step(name, task, component, dag, inputs)
        except ContainerFailedError as error:
            self._run.failed[name] = error
            return False
        return True

    # === The driver: what a container gets, and whether the cache has the answer ===

    def _inputs(self, task: Json, component: Json, dag: int) -> Json:
        """Return the inputs of a task, read from the metadata store (driver/resolve.go)."""
        given = task.get("inputs", {})
        tasks = self._metadata.tasks(self._context, dag)

        def parameter(source: Json) -> Any:
            if "runtimeValue" in source:
                return source["runtimeValue"]["constant"]
            if "componentInputParameter" in source:
                return self._metadata.inputs(dag)[source["componentInputParameter"]]
            output = source["taskOutputParameter"]
            return self._metadata.outputs(tasks[output["producerTask"]].id)[output["outputParameterKey"]]

        def artifact(source: Json) -> Json:
            output = source["taskOutputArtifact"]
            stored = self._metadata.output_artifacts(tasks[output["producerTask"]].id)
            return runtime_artifact(stored[output["outputArtifactKey"]])

        values = {name: parameter(source) for name, source in given.get("parameters", {}).items()}
        declared = component.get("inputDefinitions", {}).get("parameters", {})
        assert set(values) == set(declared), "each parameter is declared, and each declared one has a value"
        types = {"STRING": str, "BOOLEAN": bool, "NUMBER_INTEGER": int | float, "NUMBER_DOUBLE": int | float}
        for name, value in values.items():
            assert isinstance(value, types[declared[name]["parameterType"]]), (name, value)
        artifacts = {name: {"artifacts": [artifact(source)]} for name, source in given.get("artifacts", {}).items()}
        return {"parameterValues": values, "artifacts": artifacts}

    def _run_step(self, name: str, task: Json, component: Json, dag: int, inputs: Json) -> None:
        executor_input = {"inputs": inputs, "outputs": self._outputs(name, component)}
        fingerprint = self._fingerprint(component, executor_input)
        cache = task.get("cachingOptions", {}).get("enableCache", False)
        execution = self._metadata.start_task(self._context, metadata.CONTAINER, name, dag, inputs)
        with self._lock:
            self._run.inputs[name], self._run.executions[name] = executor_input, execution
            cached = self._backend._cache.get(fingerprint) if cache else None
        if cached is not None:
            self._reuse(name, execution, cached, executor_input)
            return
        with self._free:
            printed = self.launch(name)
        with self._lock:
            self._run.executed.append(name)
            self._run.printed[name] = printed
            if cache:
                self._backend._cache[fingerprint] = execution

    def _reuse(self, name: str, execution: int, cached: int, executor_input: Json) -> None:
        """Take the outputs of an earlier execution (driver/cache.go:33-80)."""
        stored = self._metadata.output_artifacts(cached)
        artifacts = {key: stored[key] for key in executor_input["outputs"]["artifacts"]}
        outputs = self._metadata.outputs(cached)
        self._metadata.publish(self._context, execution, metadata.CACHED, outputs, artifacts)
        with self._lock:
            self._run.outputs[name] = {key: runtime_artifact(artifact) for key, artifact in artifacts.items()}
            self._run.cached.append(name)

    def _outputs(self, step: str, component: Json) -> Json:
        """Return where a step is to leave its outputs (driver/driver.go:695-768, provisionOutputs)."""
        definitions = component.get("outputDefinitions", {})
        artifacts = dict(definitions.get("artifacts", {}))
        if self._backend.publish_logs:
            artifacts[_LOGS] = {"artifactType": {"schemaTitle": "system.Artifact"}}
        task_root = f"{self._context.root}/{step}/{uuid.uuid4()}"
        folder = local_path(task_root)
        return {
            "artifacts": {
                name: {"artifacts": [{
                    "name": name, "uri": f"{task_root}/{name}", "type": artifact["artifactType"],
                    "metadata": artifact.get("metadata", {}),
                }]}
                for name, artifact in artifacts.items()
            },
            "parameters": {
                name: {"outputFile": f"{_PARAMETERS}/{name}"} for name in definitions.get("parameters", {})
            },
            "outputFile": f"{folder}/output_metadata.json" if folder is not None else _OUTPUT_FILE,
        }  # fmt: skip

    def _fingerprint(self, component: Json, executor_input: Json) -> str:
        """Return the key of the cache: neither locations nor environment (cacheutils/cache.go:173-229)."""
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

    def launch(self, step: str, *, record: bool = True) -> str:
        """Run a container of a step whose inputs are known; return what it printed.

        Args:
            step: The step.
            record: Whether to record how it ended in the metadata store.

        Raises:
            ContainerFailedError: The container failed.
        """
        disk = self._new_disk()
        try:
            return self._launch(step, disk, record)
        finally:
            shutil.rmtree(disk)

    def _launch(self, step: str, disk: Path, record: bool) -> str:
        label = self._spec["components"][step]["executorLabel"]
        container = self._container(label)
        environment = self._environment(label, container)
        # The ExecutorInput and the container's words are the command of a pod, so Kubernetes expands variables in them
        # (driver/driver.go:283-304, 413-421), before the launcher fills placeholders.
        executor_input = json.loads(expand_variables(json.dumps(self._run.inputs[step]), environment))
        self._qualify_logs(step, executor_input)
        words = [expand_variables(word, environment) for word in [*container["command"], *container["args"]]]
        in_process = self._in_process(executor_input, disk)
        text = json.dumps(in_process)
        root = self._backend.root_of(disk)
        filled = [text if word == _EXECUTOR_INPUT else _filled(word, in_process, root) for word in words]
        assert not any("{{$" in word for word in filled if word != text), "a placeholder that nothing fills"
        assert max(map(len, filled)) < 128 * 1024, "more than Linux takes in one argument"
        for _, artifact in _single(executor_input["inputs"]):
            if local_path(artifact["uri"]) is not None:
                self._objects.download(artifact["uri"], self._on_disk(artifact["uri"], disk))
        self._prepare_output_folders(executor_input, disk)
        ended = self._backend.launch(*_without_env(filled, environment), disk)
        if self._backend.publish_logs:  # component/launcher_v2.go:601-624, getLogWriter
            ((_, logs),) = [each for each in _single(executor_input["outputs"]) if each[0] == _LOGS]
            self._on_disk(logs["uri"], disk).write_text(ended.stdout + ended.stderr, encoding="utf-8")
        uploaded = self._upload(executor_input, disk, failed=ended.returncode != 0)
        if record:
            self._record(step, executor_input, disk, uploaded, failed=ended.returncode != 0)
        else:
            self._hand_on(uploaded)
        if ended.returncode:
            raise ContainerFailedError(step, ended.returncode, ended.stderr)
        return ended.stdout

    def _new_disk(self) -> Path:
        self._backend.root.mkdir(parents=True, exist_ok=True)
        disk = Path(tempfile.mkdtemp(prefix="pod-", dir=self._backend.root))
        for folder in DISK:
            (disk / folder).mkdir(parents=True)
        return disk

    def _on_disk(self, address: str, disk: Path) -> Path:
        path = local_path(address)
        return Path(address if path is None else f"{disk}{path}")

    def _qualify_logs(self, step: str, executor_input: Json) -> None:
        """Give each attempt a log of its own (component/launcher_v2.go:507-562, qualifyExecutorLogsURI)."""
        for name, artifact in _single(executor_input["outputs"]):
            if name == _LOGS:
                artifact["uri"] += f"-{self._run.attempts[step]}"
        self._run.attempts[step] += 1

    def _in_process(self, executor_input: Json, disk: Path) -> Json:
        """Return an ExecutorInput with the paths that a process has for the container's."""
        changed = deepcopy(executor_input)
        root = self._backend.root_of(disk)
        for file in (changed["outputs"], *changed["outputs"]["parameters"].values()):
            file["outputFile"] = root + file["outputFile"]
        return changed

    def _prepare_output_folders(self, executor_input: Json, disk: Path) -> None:
        """Create the folders that outputs will be in, not the outputs (component/launcher_v2.go:1249-1280)."""
        for parameter in executor_input["outputs"]["parameters"].values():
            Path(f"{disk}{parameter['outputFile']}").parent.mkdir(parents=True, exist_ok=True)
        for _, artifact in _single(executor_input["outputs"]):
            self._on_disk(artifact["uri"], disk).parent.mkdir(parents=True, exist_ok=True)

    def _container(self, label: str) -> Json:
        return dict(self._spec["deploymentSpec"]["executors"][label]["container"])

    def _environment(self, label: str, container: Json) -> dict[str, str]:
        variables = self._metadata.environment | {each["name"]: each["value"] for each in container.get("env", ())}
        pod = self._kubernetes.get(label, {})
        for each in pod.get("fieldPathAsEnv", ()):
            assert each["fieldPath"] == _RUN_LABEL
            variables[each["name"]] = self._run.id
        for secret in pod.get("secretAsEnv", ()):
            for key in secret["keyToEnv"]:
                variables[key["envVar"]] = self._backend.secrets[secret["secretName"]][key["secretKey"]]
        return variables

    def _upload(self, executor_input: Json, disk: Path, *, failed: bool) -> dict[str, Json]:
        """Upload the outputs of a step, and return them; of one that failed, its log.

        As component/launcher_v2.go:747-825, uploadOutputArtifacts.
        """
        outputs = executor_input["outputs"]
        file = Path(f"{disk}{outputs['outputFile']}")
        reported = json.loads(file.read_text()).get("artifacts", {}) if file.exists() and not failed else {}
        uploaded = {name: artifact for name, artifact in _single(outputs) if name == _LOGS or not failed}
        for name, artifact in uploaded.items():
            if name in reported and name != _LOGS:
                _merge(reported[name]["artifacts"][0], artifact)
            if local_path(artifact["uri"]) is not None:
                self._objects.upload(self._on_disk(artifact["uri"], disk), artifact["uri"])
        return uploaded

    def _hand_on(self, uploaded: Mapping[str, Json]) -> None:
        """Give the outputs of a step that ran again to the steps that have them as inputs."""
        metadata_of = {artifact["uri"]: artifact["metadata"] for artifact in uploaded.values()}
        for executor_input in self._run.inputs.values():
            for _, artifact in _single(executor_input["inputs"]):
                artifact["metadata"] = metadata_of.get(artifact["uri"], artifact["metadata"])

    def _record(
        self, step: str, executor_input: Json, disk: Path, uploaded: Mapping[str, Json], *, failed: bool
    ) -> None:
        """Record the outputs of a step and how it ended (component/launcher_v2.go:344-372, 453-482)."""
        artifacts = {
            name: self._metadata.record_artifact(name, artifact, self._context.session)
            for name, artifact in uploaded.items()
        }
        declared = self._spec["components"][step].get("outputDefinitions", {}).get("parameters", {})
        parameters = {} if failed else {
            name: _PARSED[declared[name]["parameterType"]](Path(f"{disk}{parameter['outputFile']}").read_text())
            for name, parameter in executor_input["outputs"]["parameters"].items()
        }  # fmt: skip
        state = metadata.FAILED if failed else metadata.COMPLETE
        self._metadata.publish(self._context, self._run.executions[step], state, parameters, artifacts)
        if not failed:
            with self._lock:
                self._run.outputs[step] = {name: runtime_artifact(artifact) for name, artifact in artifacts.items()}


def _merge(reported: Json, artifact: Json) -> None:
    """Take what a step has reported of an artifact (component/launcher_v2.go:1157-1177, mergeRuntimeArtifacts)."""
    artifact["uri"] = reported.get("uri") or artifact["uri"]
    artifact["metadata"] = artifact["metadata"] | reported.get("metadata", {})


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


def _without_env(command: list[str], environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return a command without `env A=b` before it, and the variables with those that it sets."""
    variables = dict(environment)
    if command[0] == "env":
        command = command[1:]
        while "=" in command[0]:
            name, _, value = command[0].partition("=")
            variables[name] = value
            command = command[1:]
    return command, variables


def _filled(word: str, executor_input: Json, root: str) -> str:
    """Return a word with its placeholders filled (component/launcher_v2.go:1020-1145).

    Args:
        word: The word.
        executor_input: The ExecutorInput.
        root: What a process puts before paths of the container.
    """
    artifacts, outputs = dict(_single(executor_input["outputs"])), executor_input["outputs"]["parameters"]

    def path(name: str) -> str:
        address = artifacts[name]["uri"]
        in_container = local_path(address)
        return address if in_container is None else f"{root}{in_container}"

    word = _OUTPUT.sub(lambda match: str(outputs[match[1]]["outputFile"]), word)
    word = _PATH.sub(lambda match: path(match[1]), word)
    word = _URI.sub(lambda match: str(artifacts[match[1]]["uri"]), word)
    return _INPUT.sub(lambda match: _as_text(executor_input["inputs"]["parameterValues"][match[1]]), word)


def _as_text(value: Any) -> str:
    """Return a value as the launcher writes it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _single(part: Json) -> Iterator[tuple[str, Json]]:
    for name, listed in part["artifacts"].items():
        (artifact,) = listed["artifacts"]
        yield name, artifact
