"""Kubeflow Pipelines' backend as far as a step can see it: runs a compiled pipeline's containers as processes.

What its compiler, driver, launcher and metadata store do is done here as they do it (kubeflow/pipelines,
backend/src/v2): DAGs in DAGs, conditions, and tasks that run however those before them ended; inputs come without
types, with the store's numbers as names; the placeholders become the ExecutorInput or parts of it; the folder around
an output is made, but not the output; what a step says of its outputs is merged into what was known of them; what its
cache knows is not run again. Images, nodes, retries and the object store are left out. Two containers run at a time.
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
_RUN_LABEL = "metadata.labels['pipeline/runid']"
_LAST = "ALL_UPSTREAM_TASKS_COMPLETED"
_ALONGSIDE = 2
_PARSED: Mapping[str, Any] = {"STRING": str, "BOOLEAN": json.loads}

Json = dict[str, Any]


class ContainerFailedError(Exception):
    """A container ended with another exit status than 0.

    Attributes:
        step: Its task.
        status: How it ended.
        log: What it wrote to stderr.
    """

    def __init__(self, step: str, status: int, log: str) -> None:
        super().__init__(f"{step} ended with {status}: {log[-3000:]}")
        self.step, self.status, self.log = step, status, log


@dataclass
class Run:
    """What became of a run.

    Attributes:
        id: Kubeflow's.
        executed: The steps whose container ran, in the order in which they ended.
        cached: Those that the cache answered for.
        failed: Those whose container failed.
        outputs: Of each step, each output artifact as the metadata store has it.
        parameters: Likewise each output parameter.
        inputs: Of each step, what its container was told.
        printed: Of each step that ran, what it wrote to stdout.
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
        root: Stands for the object store, the pods' disks and the metadata store.
        secrets: Kubernetes' Secrets: name -> key -> value.
    """

    root: Path
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _cache: dict[str, tuple[dict[str, Json], Json]] = field(default_factory=dict)
    _ids: int = 0
    _runs: int = 0

    def run(self, package: Path, *until: str) -> Run:
        """Runs a compiled pipeline: the steps that `until` needs, and these; all of them where none is named."""
        self._runs += 1
        run = Run(f"run-{self._runs}")
        _Pipeline(self, package, run, until).run()
        return run

    def run_again(self, package: Path, run: Run, step: str) -> None:
        """Runs a step of a run once more, told the same, its outputs in the same places; as a retry does.

        Raises:
            ContainerFailedError: It failed.
        """
        _Pipeline(self, package, run, ()).execute(step, run.inputs[step])

    def launch(self, command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Runs a container's command, as a process of this machine."""
        home = self.root / "home"
        home.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(_REPOSITORY), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            # The image has this project installed, and this Python as its python.
            [sys.executable if command[0] == "python" else command[0], *command[1:]],
            cwd=home, capture_output=True, text=True, errors="replace", check=False,
            env=os.environ | {"PYTHONPATH": path} | dict(environment),
        )  # fmt: skip

    def new_id(self) -> str:
        """Of an artifact."""
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
        self._places = threading.Semaphore(_ALONGSIDE)

    def run(self) -> None:
        self._run_dag(self._spec["root"]["dag"], {})

    # === The compiler: which tasks run when ===

    def _run_dag(self, dag: Json, given: Json) -> bool:
        """Runs a DAG with its input parameters; whether nothing in it failed."""
        tasks = self._wanted(dag["tasks"])
        ended = {name: threading.Event() for name in tasks}
        well: dict[str, bool] = {}

        def run_task(name: str) -> None:
            before = [task for task in _before(tasks[name]) if task in tasks]
            for task in before:
                ended[task].wait()
            try:
                if _is_last(tasks[name]) or all(well[task] for task in before):
                    well[name] = self._run_task(name, tasks[name], given)
                else:
                    well[name] = False
            finally:
                well.setdefault(name, False)
                ended[name].set()

        threads = [threading.Thread(target=run_task, args=(name,)) for name in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return all(well.values())

    def _wanted(self, tasks: Json) -> Json:
        """Of a DAG's tasks, those that `until` needs; of a DAG that has none of it, all but what runs last."""
        asked = [step for step in self._until if step in tasks]
        if asked:
            needed = set(asked).union(*(_all_before(tasks, step) for step in asked))
            return {name: task for name, task in tasks.items() if name in needed}
        return {name: task for name, task in tasks.items() if not self._until or not _is_last(task)}

    def _run_task(self, name: str, task: Json, given: Json) -> bool:
        component = self._spec["components"][task["componentRef"]["name"]]
        parameters = self._parameters(task, component, given)
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

    # === The driver: what a container is told, and whether the cache knows the answer ===

    def _run_step(self, name: str, task: Json, component: Json, parameters: Json) -> None:
        told = self._executor_input(name, task, component, parameters)
        fingerprint = self._fingerprint(component, told)
        cache = task.get("cachingOptions", {}).get("enableCache", False)
        with self._lock:
            self._run.inputs[name] = told
            known = self._backend._cache.get(fingerprint) if cache else None
            if known is not None:
                self._run.outputs[name], self._run.parameters[name] = known
                self._run.cached.append(name)
                return
        with self._places:
            printed = self.execute(name, told)
        with self._lock:
            self._run.executed.append(name)
            self._run.printed[name] = printed
            self._run.outputs[name], self._run.parameters[name] = self._published(component, told)
            if cache:
                self._backend._cache[fingerprint] = self._run.outputs[name], self._run.parameters[name]

    def _parameters(self, task: Json, component: Json, given: Json) -> Json:
        values: Json = {}
        for name, source in task.get("inputs", {}).get("parameters", {}).items():
            if "runtimeValue" in source:
                values[name] = source["runtimeValue"]["constant"]
            elif "componentInputParameter" in source:
                values[name] = given[source["componentInputParameter"]]
            else:
                output = source["taskOutputParameter"]
                values[name] = self._run.parameters[output["producerTask"]][output["outputParameterKey"]]
        kinds = component.get("inputDefinitions", {}).get("parameters", {})
        assert set(values) == set(kinds), "each parameter is declared, and each that is declared is given"
        python = {"STRING": str, "BOOLEAN": bool, "NUMBER_INTEGER": int | float, "NUMBER_DOUBLE": int | float}
        for name, value in values.items():
            assert isinstance(value, python[kinds[name]["parameterType"]]), (name, value)
        return values

    def _executor_input(self, step: str, task: Json, component: Json, parameters: Json) -> Json:
        inputs = {
            name: self._run.outputs[source["taskOutputArtifact"]["producerTask"]][
                source["taskOutputArtifact"]["outputArtifactKey"]
            ]
            for name, source in task.get("inputs", {}).get("artifacts", {}).items()
        }
        folder = self._backend.root / self._run.id / step
        made = component.get("outputDefinitions", {})
        outputs = {
            name: {"type": spec["artifactType"], "uri": str(folder / name), "metadata": spec.get("metadata", {})}
            for name, spec in made.get("artifacts", {}).items()
        }
        files = {name: {"outputFile": str(folder / "parameters" / name)} for name in made.get("parameters", {})}
        return {
            "inputs": {
                "parameterValues": parameters,
                "artifacts": {name: {"artifacts": [artifact]} for name, artifact in inputs.items()},
            },
            "outputs": {
                "artifacts": {name: {"artifacts": [artifact]} for name, artifact in outputs.items()},
                "parameters": files,
                "outputFile": str(folder / "kfp_outputs" / "output_metadata.json"),
            },
        }

    def _fingerprint(self, component: Json, told: Json) -> str:
        """As backend/src/v2/cacheutils: of what goes in by its name in the store, of what comes out not where it is."""
        container = self._spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        volumes = self._kubernetes.get(component["executorLabel"], {}).get("pvcMount", [])
        key = {
            "inputs": {name: artifact["name"] for name, artifact in _single(told["inputs"])},
            "parameters": told["inputs"]["parameterValues"],
            "outputs": {name: [each["type"], each["metadata"]] for name, each in _single(told["outputs"])},
            "output_parameters": component.get("outputDefinitions", {}).get("parameters", {}),
            "container": [container["image"], container["command"], container["args"], container.get("env")],
            "volumes": sorted(volume["constant"] for volume in volumes),
        }
        return sha256(json.dumps([self._spec["pipelineInfo"]["name"], key], sort_keys=True).encode()).hexdigest()

    # === The launcher ===

    def execute(self, step: str, told: Json) -> str:
        """Runs a container; returns what it printed.

        Raises:
            ContainerFailedError: It failed.
        """
        for _, artifact in _single(told["outputs"]):
            Path(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
        for parameter in told["outputs"]["parameters"].values():
            Path(parameter["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
        label = self._spec["components"][step]["executorLabel"]
        container = self._spec["deploymentSpec"]["executors"][label]["container"]
        filled = [_filled(word, told) for word in [*container["command"], *container["args"]]]
        assert not any("{{$" in word for word in filled if word != json.dumps(told)), "a placeholder that nobody fills"
        assert max(map(len, filled)) < 128 * 1024, "more than Linux takes in one argument"
        ended = self._backend.launch(filled, self._environment(label, container))
        if ended.returncode:
            raise ContainerFailedError(step, ended.returncode, ended.stderr)
        return ended.stdout

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

    def _published(self, component: Json, told: Json) -> tuple[dict[str, Json], Json]:
        """As the launcher publishes it and the driver of a later step reads it: artifacts without their types."""
        made = Path(told["outputs"]["outputFile"])
        said = json.loads(made.read_text()) if made.exists() else {}
        artifacts = {
            name: self._merged(artifact, said.get("artifacts", {}).get(name))
            for name, artifact in _single(told["outputs"])
        }
        kinds = component.get("outputDefinitions", {}).get("parameters", {})
        parameters = {
            name: _PARSED[kinds[name]["parameterType"]](Path(parameter["outputFile"]).read_text())
            for name, parameter in told["outputs"]["parameters"].items()
        }
        return artifacts, parameters

    def _merged(self, artifact: Json, said: Json | None) -> Json:
        news = said["artifacts"][0] if said else {}
        return {
            "name": self._backend.new_id(),
            "uri": news.get("uri") or artifact["uri"],
            "metadata": artifact["metadata"] | news.get("metadata", {}),
        }


def _before(task: Json) -> set[str]:
    """The tasks that it waits for: those that it names, and those whose outputs it gets."""
    inputs = task.get("inputs", {})
    sources = [*inputs.get("artifacts", {}).values(), *inputs.get("parameters", {}).values()]
    outputs = [source.get("taskOutputArtifact") or source.get("taskOutputParameter") for source in sources]
    return {*task.get("dependentTasks", ()), *(output["producerTask"] for output in outputs if output)}


def _is_last(task: Json) -> bool:
    """Whether it runs however those before it ended."""
    return bool(task.get("triggerPolicy", {}).get("strategy") == _LAST)


def _all_before(tasks: Json, step: str) -> set[str]:
    direct = _before(tasks[step])
    return direct.union(*(_all_before(tasks, name) for name in direct))


def _filled(word: str, told: Json) -> str:
    if word == _EXECUTOR_INPUT:
        return json.dumps(told)
    word = _OUTPUT.sub(lambda match: told["outputs"]["parameters"][match[1]]["outputFile"], word)
    return _INPUT.sub(lambda match: _as_text(told["inputs"]["parameterValues"][match[1]]), word)


def _as_text(value: Any) -> str:
    """As the launcher has it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _single(part: Json) -> Iterator[tuple[str, Json]]:
    for name, listed in part["artifacts"].items():
        (artifact,) = listed["artifacts"]
        yield name, artifact
