"""Trial of an installation of Kubeflow Pipelines with the bundled sample, for `make test-kubeflow`.

A run that pushes, a second one that the cache answers, and a schedule that starts a third, which finds nothing new.
Everything goes through the product's own runner. Afterwards, nothing of it is left on the installation.
"""

import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kfp
import yaml

from components import registry
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from runners.kubeflow import runner as kubeflow
from runners.kubeflow.api import connected, name_filter
from runners.remote import remote
from runners.remote.remote import RemoteRun, RunState
from tests.support.hook import Hook

_REPOSITORY = Path(__file__).parents[3]
_MOUNT = "/mnt/models"
# Where the API server lists what launchers have entered in the cache's table: each step that ran and may be cached
# (kubeflow/pipelines at 2.16.1, backend/api/v1beta1/task.proto:65, backend/src/v2/component/launcher_v2.go:275-292).
_CACHE = "/apis/v1alpha1/tasks"
_EVERY_MINUTE = "* * * * *"
CACHED = (
    "TextExampleGen", "StatisticsGen", "SchemaImport", "ExampleValidator", "Transform", "Trainer", "BehaviouralTests",
)  # fmt: skip
"""Steps that the cache answers in a run on unchanged data: their inputs do not change with the registry."""


@dataclass(frozen=True)
class Installation:
    """An installation, and what it has for the trial.

    Attributes:
        endpoint: Address of the API server.
        image: Image of this project, as the cluster pulls it.
        claim: PersistentVolumeClaim for the registry and the data.
        volume: Folder of this machine that has what the volume has.
        host: Address of this machine as pods reach it; None: the one that it has in its network.
        namespace: Namespace to run in, where Kubeflow has several users.
        token_from: Environment variable that holds the bearer token.
        poll_s: Seconds between two requests of a state.
        patience_s: Seconds to wait for a message of the webhook, or for a run of the schedule.
    """

    endpoint: str
    image: str
    claim: str
    volume: Path
    host: str | None = None
    namespace: str | None = None
    token_from: str | None = None
    poll_s: float = 15
    patience_s: float = 300


def try_installation(installation: Installation, folder: Path, say: Callable[[str], object]) -> None:
    """Try an installation with the sample.

    Args:
        installation: The installation.
        folder: Folder for the configuration.
        say: Called with a line after each step.

    Raises:
        AssertionError: Something is not as documented; the message says what.
        Refused: The installation refuses a request.
    """
    name = f"bert-multilabel-test-{uuid.uuid4().hex[:8]}"
    with Hook(host="0.0.0.0") as hook, _sample(installation, folder, name, hook) as trial:
        trial.run_first(say)
        trial.run_again(say)
        trial.run_on_schedule(say)


@dataclass(frozen=True)
class _Trial:
    """The sample on an installation.

    Attributes:
        installation: The installation.
        config: Configuration of the sample.
        hook: The webhook.
        registry: The registry, as this machine sees it.
    """

    installation: Installation
    config: Configuration
    hook: Hook
    registry: Path

    def run_first(self, say: Callable[[str], object]) -> None:
        """Run it: a model is pushed."""
        run = self._submit(self.config, say)
        message = self._message(run)
        assert message["outcome"] == "blessed", f"run {run.name}: {message['outcome']}: {message['reasons']}"
        found = [str(version.number) for version in registry.versions(str(self.registry))]
        pushed = Path(message["summary"]["pushed"]).name
        assert found == [pushed], f"{self.registry}: has the versions {found}, and the webhook says {pushed}"
        say(f"run {run.name}: blessed, pushed as version {pushed}; the webhook was told so")

    def run_again(self, say: Callable[[str], object]) -> None:
        """Run it again on the same data: nothing is trained, and the same model stays."""
        first, *_ = kubeflow.runs(self.config)
        before = registry.versions(str(self.registry))
        trains_anyway = _with(self.config, only_new=False)
        run = self._submit(trains_anyway, say)
        message = self._message(run)
        assert message["outcome"] == "blessed", f"run {run.name}: {message['outcome']}: {message['reasons']}"
        assert registry.versions(str(self.registry)) == before, f"{self.registry}: the same model was pushed twice"
        ran, ran_first = self._cacheable(run), self._cacheable(first)
        assert len(ran_first) - len(ran) == len(CACHED), (
            f"run {run.name}: of the steps that may be cached, {len(ran)} ran, and {len(ran_first)} in the first run; "
            f"the cache should have answered {', '.join(CACHED)}"
        )
        say(f"run {run.name}: the cache has answered {len(CACHED)} steps")

    def run_on_schedule(self, say: Callable[[str], object]) -> None:
        """Schedule it, wait for a run, which finds nothing new, and delete the schedule."""
        known = {run.name for run in kubeflow.runs(self.config)}
        schedule = kubeflow.set_schedule(self.config, _EVERY_MINUTE)
        assert not schedule.paused
        new = self._waited(
            lambda: next((run for run in kubeflow.runs(self.config) if run.name not in known), None),
            "the schedule has started no run",
        )
        # Another minute, another run: it is deleted before the one that it has started has ended.
        assert kubeflow.delete_schedule(self.config)
        assert kubeflow.find_schedule(self.config) is None, "the schedule is still there after it was deleted"
        say(f"schedule: has started run {new.name}, and was deleted")
        message = self._message(self._ended(new, say))
        assert message["outcome"] == "no_new_data", f"run {new.name}: {message['outcome']}: {message['reasons']}"
        say(f"run {new.name}: {message['reasons'][0]}")

    def _submit(self, config: Configuration, say: Callable[[str], object]) -> RemoteRun:
        run = remote.submit(kubeflow, config, say, self.installation.poll_s)
        say(f"run {run.name}: {run.page}")
        return self._ended(run, say)

    def _ended(self, run: RemoteRun, say: Callable[[str], object]) -> RemoteRun:
        def say_state(run: RemoteRun) -> None:
            say(f"run {run.name}: {run.state}")

        run = remote.wait(kubeflow, self.config, run, say_state, self.installation.poll_s)
        assert run.state is RunState.SUCCEEDED, f"run {run.name}: {run.state}: {run.error}"
        return run

    def _message(self, run: RemoteRun) -> dict[str, Any]:
        """Return what the webhook was told about a run."""
        message: dict[str, Any] = self._waited(
            lambda: next((each for each in self.hook.received if each["run"].endswith(run.name)), None),
            f"the webhook was told nothing about run {run.name}; can pods reach this machine? HOST= gives its address",
        )
        return message

    def _cacheable(self, run: RemoteRun) -> list[Any]:
        """Return what a run has entered in the cache's table: steps that ran and that may be cached."""
        # What the driver asks for too: backend/src/v2/cacheutils/cache.go:105-139.
        predicate = {"op": "EQUALS", "key": "pipelineName", "stringValue": f"pipeline/{self.config.name}"}
        query = [("filter", json.dumps({"predicates": [predicate]})), ("page_size", 200)]
        with self._client() as client:
            api = client._healthz_api.api_client
            answer = api.call_api(
                _CACHE, "GET", query_params=query, response_type="object", auth_settings=["Bearer"],
                _return_http_data_only=True,
            )  # fmt: skip
        return [task for task in answer.get("tasks", ()) if task["run_id"] == run.name]

    def _waited(self, find: Callable[[], Any], problem: str) -> Any:
        until = time.monotonic() + self.installation.patience_s
        while (found := find()) is None:
            assert time.monotonic() < until, problem
            time.sleep(min(1, self.installation.poll_s))
        return found

    def _client(self) -> Any:
        settings = self.config.runner.kubeflow
        assert settings is not None
        return connected(settings)

    def remove(self) -> None:
        """Delete what the trial has left on the installation."""
        kubeflow.delete_schedule(self.config)
        for run in kubeflow.runs(self.config):
            kubeflow.cancel(self.config, run.name)
        with self._client() as client:
            _remove(client, self.config.name, self.installation.namespace)


def _remove(client: kfp.Client, name: str, namespace: str | None) -> None:
    """Delete the pipeline and the experiment of a name, with what they have."""
    experiment = None
    with suppress(ValueError):  # kfp raises it where there is none
        experiment = client.get_experiment(experiment_name=name, namespace=namespace).experiment_id
    if experiment is not None:
        for run in client.list_runs(page_size=200, experiment_id=experiment).runs or ():
            client.delete_run(run.run_id)
        client.delete_experiment(experiment)
    for pipeline in client.list_pipelines(filter=name_filter(name), namespace=namespace).pipelines or ():
        for version in client.list_pipeline_versions(pipeline.pipeline_id, page_size=200).pipeline_versions or ():
            client.delete_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
        client.delete_pipeline(pipeline.pipeline_id)


@contextmanager
def _sample(installation: Installation, folder: Path, name: str, hook: Hook) -> Iterator[_Trial]:
    """Configure the sample for an installation; afterwards remove what the trial has left."""
    shared = installation.volume / name
    data = shared / "data"
    try:
        for part in ("train", "test"):
            shutil.copytree(_REPOSITORY / "data" / "sample" / part, data / "span-1" / part)
        (shared / "registry").mkdir()
        (shared / "registry").chmod(0o777)  # the image's user is another one
        configuration = folder / f"{name}.yaml"
        configuration.write_text(yaml.safe_dump(_configuration(installation, name, hook)))
        trial = _Trial(installation, load_configuration(configuration), hook, shared / "registry")
        try:
            yield trial
        finally:
            trial.remove()
    finally:
        shutil.rmtree(shared, ignore_errors=True)
        assert not shared.exists(), f"{shared}: has files of the image's user; delete it"


def _configuration(installation: Installation, name: str, hook: Hook) -> dict[str, Any]:
    sample: dict[str, Any] = yaml.safe_load((_REPOSITORY / "configs" / "sample.yaml").read_text())
    inputs = [each | {"pattern": f"span-{{SPAN}}/{each['pattern']}"} for each in sample["examples"]["inputs"]]
    address, host = urlsplit(hook.url), installation.host or _own_address()
    return sample | {
        "name": name,
        "work_dir": str(installation.volume / name / "work"),
        "schema_file": str(_REPOSITORY / "schema" / "sample.pbtxt"),
        "behaviour": str(_REPOSITORY / "data" / "sample" / "behaviour.yaml"),
        "registry": f"{_MOUNT}/{name}/registry",
        "examples": sample["examples"] | {"input_base": f"{_MOUNT}/{name}/data", "inputs": inputs},
        "notify": {"url_from": "HOOK"},
        "runner": {"kubeflow": {
            "endpoint": installation.endpoint,
            "image": installation.image,
            "namespace": installation.namespace,
            "token_from": installation.token_from,
            "volumes": [{"claim": installation.claim, "mount_path": _MOUNT}],
            "steps": {"Notify": {"env": {"HOOK": f"http://{host}:{address.port}{address.path}"}}},
        }},
    }  # fmt: skip


def _with(config: Configuration, **changes: Any) -> Configuration:
    """Return a configuration with other settings of Kubeflow."""
    assert config.runner.kubeflow is not None
    settings = config.runner.kubeflow.model_copy(update=changes)
    return config.model_copy(update={"runner": config.runner.model_copy(update={"kubeflow": settings})})


def _own_address() -> str:
    """Return the address of this machine in the network that leads to others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("192.0.2.1", 9))  # sends nothing
        return str(udp.getsockname()[0])


def installation_of_environment() -> Installation | None:
    """Return the installation that the variables of `make test-kubeflow` describe; None without an endpoint."""
    given = {name: os.environ.get(f"TEST_KUBEFLOW_{name}") or None for name in _VARIABLES}
    if given["ENDPOINT"] is None:
        return None
    assert given["IMAGE"] is not None, "make test-kubeflow: give IMAGE=, the image of this project"
    volume = Path(given["VOLUME"] or _REPOSITORY / "build" / "kubeflow-volume").resolve()
    assert volume.is_dir(), f"{volume}: there is no such folder; VOLUME= names one that the volume of CLAIM shows"
    return Installation(
        given["ENDPOINT"], given["IMAGE"], given["CLAIM"] or "models", volume, given["HOST"], given["NAMESPACE"],
        "KUBEFLOW_TOKEN" if os.environ.get("KUBEFLOW_TOKEN") else None,
    )  # fmt: skip


_VARIABLES = ("ENDPOINT", "IMAGE", "CLAIM", "VOLUME", "HOST", "NAMESPACE")
