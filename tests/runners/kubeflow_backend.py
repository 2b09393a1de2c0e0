"""Kubeflow Pipelines' backend as far as a step can see it: runs a compiled pipeline's containers as processes.

What its driver, launcher and metadata store do is done here as they do it (kubeflow/pipelines, backend/src/v2): inputs
come without types, with the store's numbers as names; the placeholder {{$}} becomes the ExecutorInput; the folder
around an output is made, but not the output; what a step says of its outputs is merged into what was known of them.
Images, pods, the object store and the cache are left out.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_REPOSITORY = Path(__file__).parents[2]
_PLACEHOLDER = "{{$}}"

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
class Backend:
    """A cluster with one pipeline.

    Attributes:
        package: The compiled YAML.
        root: Stands for the object store, the pods' disks and the metadata store.
        outputs: Of each step of the last run, each output artifact as the metadata store has it.
    """

    package: Path
    root: Path
    outputs: dict[str, dict[str, Json]] = field(default_factory=dict)
    _ids: int = 0
    _runs: int = 0

    def __post_init__(self) -> None:
        self._spec: Json = next(yaml.safe_load_all(self.package.read_text(encoding="utf-8")))
        self._tasks: Json = self._spec["root"]["dag"]["tasks"]

    def run(self, *until: str) -> None:
        """Runs the steps that `until` needs, and these; all of them where none is named.

        Raises:
            ContainerFailedError: A step failed; those after it are not run.
        """
        self._runs += 1
        self.outputs = {}
        for step in self._order(until or tuple(self._tasks)):
            self.outputs[step] = self.run_again(step)

    def run_again(self, step: str) -> dict[str, Json]:
        """Runs a step with the outputs that the last run made, into the same places; as a retry does."""
        component = self._spec["components"][self._tasks[step]["componentRef"]["name"]]
        executor_input = self._executor_input(step, component)
        container = self._spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        self._execute(step, [*container["command"], *container["args"]], executor_input)
        made = Path(executor_input["outputs"]["outputFile"])
        said = json.loads(made.read_text()).get("artifacts", {}) if made.exists() else {}
        return {name: self._merged(artifact, said.get(name)) for name, artifact in _single(executor_input["outputs"])}

    def _order(self, until: tuple[str, ...]) -> list[str]:
        order: list[str] = []

        def visit(step: str) -> None:
            for before in sorted(self._tasks[step].get("dependentTasks", [])):
                visit(before)
            if step not in order:
                order.append(step)

        for step in until:
            visit(step)
        return order

    def _executor_input(self, step: str, component: Json) -> Json:
        given = self._tasks[step].get("inputs", {})
        inputs = {
            name: self.outputs[source["taskOutputArtifact"]["producerTask"]][
                source["taskOutputArtifact"]["outputArtifactKey"]
            ]
            for name, source in given.get("artifacts", {}).items()
        }
        folder = self.root / f"run-{self._runs}" / step
        outputs = {
            name: {"type": spec["artifactType"], "uri": str(folder / name), "metadata": spec.get("metadata", {})}
            for name, spec in component.get("outputDefinitions", {}).get("artifacts", {}).items()
        }
        return {
            "inputs": {
                "parameterValues": {
                    name: value["runtimeValue"]["constant"] for name, value in given.get("parameters", {}).items()
                },
                "artifacts": {name: {"artifacts": [artifact]} for name, artifact in inputs.items()},
            },
            "outputs": {
                "artifacts": {name: {"artifacts": [artifact]} for name, artifact in outputs.items()},
                "outputFile": str(folder / "kfp_outputs" / "output_metadata.json"),
            },
        }

    def _execute(self, step: str, command: list[str], executor_input: Json) -> None:
        for _, artifact in _single(executor_input["outputs"]):
            Path(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
        told = json.dumps(executor_input)
        filled = [told if word == _PLACEHOLDER else word for word in command]
        assert not any(word.startswith("{{$") for word in filled), "a placeholder that nobody fills"
        assert max(map(len, filled)) < 128 * 1024, "more than Linux takes in one argument"
        home = self.root / "home"
        home.mkdir(parents=True, exist_ok=True)
        ended = subprocess.run(
            # The image has this project installed, and this Python as its python.
            [sys.executable if filled[0] == "python" else filled[0], *filled[1:]],
            cwd=home, capture_output=True, text=True, errors="replace", check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(_REPOSITORY), os.environ.get("PYTHONPATH", "")])},
        )  # fmt: skip
        if ended.returncode:
            raise ContainerFailedError(step, ended.returncode, ended.stderr)

    def _merged(self, artifact: Json, said: Json | None) -> Json:
        """As the launcher publishes it and the driver of a later step reads it: without its type."""
        self._ids += 1
        news = said["artifacts"][0] if said else {}
        return {
            "name": str(self._ids),
            "uri": news.get("uri") or artifact["uri"],
            "metadata": artifact["metadata"] | news.get("metadata", {}),
        }


def _single(part: Json) -> Iterator[tuple[str, Json]]:
    for name, listed in part["artifacts"].items():
        (artifact,) = listed["artifacts"]
        yield name, artifact
