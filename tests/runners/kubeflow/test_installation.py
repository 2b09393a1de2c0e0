"""The trial of an installation: on a real one with `make test-kubeflow`, and here against the stand-in of the API."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from components import registry
from pipeline.config.configuration import Configuration
from runners.kubeflow import runner as kubeflow
from tests.runners.kubeflow.installation import Installation, installation_of_environment, try_installation
from tests.runners.kubeflow.server import KubeflowServer

_INSTALLATION = installation_of_environment()
_CACHEABLE = 11


@pytest.mark.skipif(
    _INSTALLATION is None,
    reason="needs an installation: make test-kubeflow ENDPOINT=... IMAGE=... (docs/kubeflow.md has one in ten minutes)",
)
def test_the_sample_runs_on_a_real_installation(tmp_path: Path) -> None:
    assert _INSTALLATION is not None
    try_installation(_INSTALLATION, tmp_path, print)


@dataclass
class Cluster:
    """Plays what runs on an installation: the outcomes of runs, and what they leave.

    Attributes:
        server: Stand-in of the API.
        volume: Folder of the claim.
        fault: What goes wrong, if anything.
    """

    server: KubeflowServer
    volume: Path
    fault: str = ""
    _ended: threading.Event = field(default_factory=threading.Event)

    def play(self) -> None:
        while not self._ended.wait(0.02):
            for recurring in list(self.server.recurring):
                if self.fault != "no schedule" and not any(
                    run.get("recurring_run_id") == recurring for run in self.server.runs.values()
                ):
                    self.server.tick(recurring)
            for name, run in list(self.server.runs.items()):
                if run["state"] == "PENDING":
                    self._end(name, run)

    def stop(self) -> None:
        self._ended.set()

    def _end(self, name: str, run: dict[str, Any]) -> None:
        version = self.server.versions[run["pipeline_version_reference"]["pipeline_version_id"]]["pipeline_spec"]
        if self.fault == "failed":
            run["state"] = "FAILED"
            return
        pipeline = version["pipelineInfo"]["name"]
        executors = version["deploymentSpec"]["executors"]
        (hook,) = [each["value"] for each in executors["Notify_executor"]["container"]["env"] if each["name"] == "HOOK"]
        outcome = self._run(name, pipeline, only_new=_only_new(version))
        content = {"run": f"{self.server.url}/#/runs/details/{name}", "outcome": outcome, "reasons": ["nothing new"]}
        pushed = [found.path for found in registry.versions(str(self.volume / pipeline / "registry"))][-1]
        if self.fault != "no message":
            requests.post(hook, json=content | {"summary": {"pushed": pushed}}, timeout=10)
        run["state"] = "SUCCEEDED"

    def _run(self, name: str, pipeline: str, *, only_new: bool) -> str:
        """Do what the steps of a run do, and return its outcome."""
        base = self.volume / pipeline / "registry"
        first = not registry.versions(str(base))
        if first or self.fault == "pushed twice":
            folder = base / str(len(registry.versions(str(base))) + 1)
            folder.mkdir()
            (folder / "saved_model.pb").touch()
        elif only_new:
            return "no_new_data"
        ran = _CACHEABLE if first or self.fault == "no cache" else 4
        entry = {"pipeline_name": f"pipeline/{pipeline}", "run_id": name}
        self.server.tasks += [entry | {"fingerprint": str(number)} for number in range(ran)]
        return "blessed"


def small_specification(config: Configuration) -> bytes:
    """Return what `Cluster` reads of a specification, without compiling, which takes seconds."""
    settings = config.runner.kubeflow
    assert settings is not None
    variables = [{"name": name, "value": value} for name, value in settings.of_step("Notify").env.items()]
    only_new = {"only_new": {"runtimeValue": {"constant": settings.only_new}}}
    specification = {
        "pipelineInfo": {"name": config.name},
        "schemaVersion": "2.1.0",
        "components": {},
        "deploymentSpec": {"executors": {"Notify_executor": {"container": {"env": variables}}}},
        "root": {"dag": {"tasks": {"NewData": {"inputs": {"parameters": only_new}}}}},
    }
    return yaml.safe_dump(specification).encode()


def _only_new(specification: dict[str, Any]) -> bool:
    (task,) = [
        dag["dag"]["tasks"]["NewData"]
        for dag in (specification["root"], *specification["components"].values())
        if "NewData" in dag.get("dag", {}).get("tasks", {})
    ]
    return bool(task["inputs"]["parameters"]["only_new"]["runtimeValue"]["constant"])


@pytest.fixture
def server() -> Iterator[KubeflowServer]:
    with KubeflowServer() as server:
        yield server


def attempt(server: KubeflowServer, folder: Path, fault: str = "") -> list[str]:
    """Try the stand-in; return what was told."""
    (folder / "volume").mkdir()
    cluster = Cluster(server, folder / "volume", fault)
    told: list[str] = []
    thread = threading.Thread(target=cluster.play)
    thread.start()
    installation = Installation(
        server.url, "registry.example/bert-multilabel:1", "models", folder / "volume", host="127.0.0.1",
        poll_s=0.05, patience_s=2,
    )  # fmt: skip
    try:
        try_installation(installation, folder, told.append)
    finally:
        cluster.stop()
        thread.join()
    return told


def remaining(server: KubeflowServer) -> int:
    """Return how many objects a server has."""
    return sum(map(len, (server.runs, server.recurring, server.versions, server.pipelines, server.experiments)))


def test_leaves_nothing_behind(server: KubeflowServer, tmp_path: Path) -> None:
    told = attempt(server, tmp_path)
    assert told[-1].endswith("nothing new")
    assert [line.partition(": ")[2] for line in told if "cache" in line] == ["the cache has answered 7 steps"]
    assert remaining(server) == 0
    assert not list((tmp_path / "volume").iterdir())


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("failed", "failed"),
        ("no message", "the webhook was told nothing about run"),
        ("no cache", "the cache should have answered TextExampleGen"),
        ("pushed twice", "the same model was pushed twice"),
        ("no schedule", "the schedule has started no run"),
    ],
)
def test_reports_what_is_not_as_documented(
    server: KubeflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, message: str
) -> None:
    monkeypatch.setattr(kubeflow, "_specification", small_specification)
    with pytest.raises(AssertionError, match=message):
        attempt(server, tmp_path, fault)
    assert remaining(server) == 0
