"""The stand-in for Kubeflow's backend, where the tests of the pipeline depend on it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runners.kubeflow.backend import Backend, Run, expand_variables
from tests.runners.kubeflow.services import Services

_METADATA = {"n": 1, "flag": True, "list": ["a"], "struct": {"a": 1}}
_OUTPUTS = {"out": {"artifactType": {"instanceSchema": "title: tfx.Model"}, "metadata": _METADATA}}
_OUT_OF_FIRST = {"producerTask": "First", "outputArtifactKey": "out"}
_HOOK = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
# Prints the path, relative to the container's root, of the output `out` of the ExecutorInput in $0.
_FIND_OUT = 'echo "$0" | sed "s|.*\\"uri\\": \\"minio://\\([^\\"]*/out\\)\\".*|minio/\\1|"'


@dataclass(frozen=True)
class Cluster:
    """A cluster in a folder."""

    folder: Path
    services: Services

    def run(self, scripts: dict[str, str], tasks: dict[str, dict[str, Any]] | None = None) -> Run:
        """Run a pipeline of shell scripts.

        Args:
            scripts: Script by step.
            tasks: Further fields of a task, by step.
        """
        package = self.folder / "pipeline.yaml"
        package.write_text(yaml.safe_dump(_specification(scripts, tasks or {})))
        return Backend(self.folder / "disks", self.services).run(package)

    def files(self, run: Run, step: str, output: str) -> set[str]:
        """Return the names of an output's objects, relative to it."""
        return set(self.services.objects.digests(run.outputs[step][output]["uri"]))


@pytest.fixture
def cluster(tmp_path: Path, services: Services) -> Cluster:
    return Cluster(tmp_path, services)


def _specification(scripts: dict[str, str], tasks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "pipelineInfo": {"name": "scripts"},
        "components": {name: {"executorLabel": name, "outputDefinitions": {"artifacts": _OUTPUTS}} for name in scripts},
        "deploymentSpec": {
            "executors": {
                name: {"container": {"image": "i", "command": ["sh", "-c", script], "args": ["{{$}}"]}}
                for name, script in scripts.items()
            }
        },
        "root": {"dag": {"tasks": {name: {"componentRef": {"name": name}} | tasks.get(name, {}) for name in scripts}}},
    }


def test_after_a_failure_nothing_starts_but_exit_hooks(cluster: Cluster) -> None:
    ended = cluster.run(
        # Both of the first two have begun when one of them fails.
        {"Slow": "sleep 4", "Fails": "sleep 1; exit 2", "Later": "true", "Hook": "true"},
        {"Later": {"dependentTasks": ["Slow"]}, "Hook": {"dependentTasks": ["Later", "Fails"], "triggerPolicy": _HOOK}},
    )
    assert ended.executed == ["Slow", "Hook"]
    assert (ended.failed["Fails"].status, ended.failed["Fails"].container_status) == (1, 2)


def test_artifacts_come_back_as_the_metadata_store_has_them(cluster: Cluster) -> None:
    ended = cluster.run({"Step": "echo hello"})
    output = ended.outputs["Step"]["out"]
    assert output["name"].isdigit()
    assert output["type"] == {"instanceSchema": ""}
    session = output["metadata"].pop("store_session_info")
    assert json.loads(session)["Provider"] == "minio"
    assert output["metadata"] == {
        "n": 1.0, "flag": 1.0, "list": {"list": ["a"]}, "struct": {"struct": {"a": 1.0}}, "display_name": "out",
    }  # fmt: skip
    logs = ended.outputs["Step"]["executor-logs"]["uri"]
    assert logs.endswith("/executor-logs-0")  # of the first attempt
    cluster.services.objects.download(logs, cluster.folder / "logs")
    assert (cluster.folder / "logs").read_text() == "hello\n"


def test_a_disk_is_gone_with_its_container(cluster: Cluster) -> None:
    write = f"out=$$({_FIND_OUT}); mkdir -p $out; touch $out/a; touch left"
    given = {"inputs": {"artifacts": {"in": {"taskOutputArtifact": _OUT_OF_FIRST}}}}
    ended = cluster.run({"First": write, "Second": "find . -type f"}, {"Second": given})
    (file,) = ended.printed["Second"].split()
    assert file.startswith(f"./minio/mlpipeline/v2/artifacts/scripts/{ended.id}/First/")
    assert file.endswith("/out/a")
    assert not list((cluster.folder / "disks").iterdir())


def test_the_object_store_has_no_empty_folders(cluster: Cluster) -> None:
    ended = cluster.run({"Step": f"out=$$({_FIND_OUT}); mkdir -p $out/empty $out/full; touch $out/full/a"})
    assert cluster.files(ended, "Step", "out") == {"/full/a"}


def test_a_download_takes_what_has_the_address_as_a_prefix(cluster: Cluster) -> None:
    ended = cluster.run({"Step": f"out=$$({_FIND_OUT}); echo 1 > $out"})
    address = ended.outputs["Step"]["out"]["uri"]
    cluster.services.objects.upload(cluster.folder / "pipeline.yaml", f"{address}_more/a")
    cluster.services.objects.download(address, cluster.folder / "in" / "out")
    names = {path.name for path in (cluster.folder / "in").iterdir()}
    assert names == {"out", "out_more"}


def test_of_a_step_that_failed_only_the_log_is_kept(cluster: Cluster) -> None:
    ended = cluster.run({"Step": f"out=$$({_FIND_OUT}); echo 1 > $out; echo why; exit 1"})
    assert "Step" not in ended.outputs
    artifacts = cluster.services.metadata.output_artifacts(ended.executions["Step"])
    assert set(artifacts) == {"executor-logs"}
    cluster.services.objects.download(artifacts["executor-logs"].uri, cluster.folder / "logs")
    assert (cluster.folder / "logs").read_text() == "why\n"


@pytest.mark.parametrize(
    ("word", "expanded"),
    [("$(A)", "a"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$$", "$"), ("$A {{$}} $(", "$A {{$}} $(")],
)
def test_expands_variables_as_kubernetes_does(word: str, expanded: str) -> None:
    """Rules of k8s.io/kubernetes/third_party/forked/golang/expansion."""
    assert expand_variables(word, {"A": "a"}) == expanded
