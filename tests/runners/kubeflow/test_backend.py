"""The stand-in for Kubeflow's backend, where the tests of the pipeline depend on it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.runners.kubeflow.backend import Backend, Run, expand_variables

_HOOK = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


def run(folder: Path, scripts: dict[str, str], tasks: dict[str, dict[str, Any]], **container: Any) -> Run:
    """Run a pipeline of shell scripts.

    Args:
        folder: Folder of the backend.
        scripts: Script by step.
        tasks: Further fields of a task, by step.
        container: Further fields of each container.
    """
    spec = {
        "pipelineInfo": {"name": "scripts"},
        "components": {name: {"executorLabel": name, "outputDefinitions": {"artifacts": _OUTPUTS}} for name in scripts},
        "deploymentSpec": {
            "executors": {
                name: {"container": {"image": "i", "command": ["sh", "-c", script], "args": ["{{$}}"], **container}}
                for name, script in scripts.items()
            }
        },
        "root": {"dag": {"tasks": {name: {"componentRef": {"name": name}} | tasks.get(name, {}) for name in scripts}}},
    }
    package = folder / "pipeline.yaml"
    package.write_text(yaml.safe_dump(spec))
    return Backend(folder).run(package)


_OUTPUTS = {"out": {"artifactType": {"instanceSchema": "title: tfx.Model"}, "metadata": {"n": 1, "flag": True}}}


def test_after_a_failure_nothing_starts_but_exit_hooks(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        # Both of the first two have begun when one of them fails.
        {"Slow": "sleep 4", "Fails": "sleep 1; exit 2", "Later": "true", "Hook": "true"},
        {"Later": {"dependentTasks": ["Slow"]}, "Hook": {"dependentTasks": ["Later", "Fails"], "triggerPolicy": _HOOK}},
    )
    assert ended.executed == ["Slow", "Hook"]
    assert (ended.failed["Fails"].status, ended.failed["Fails"].container_status) == (1, 2)


def test_artifacts_come_back_as_the_metadata_store_has_them(tmp_path: Path) -> None:
    ended = run(tmp_path, {"Step": "echo hello"}, {})
    output = ended.outputs["Step"]["out"]
    assert "type" not in output
    assert output["metadata"] == {"n": 1.0, "flag": 1.0, "display_name": "out", "store_session_info": "{}"}
    assert Path(ended.outputs["Step"]["executor-logs"]["uri"]).read_text() == "hello\n"


def test_the_object_store_has_no_empty_folders(tmp_path: Path) -> None:
    find_output = 'out=$$(echo "$0" | sed "s/.*\\"uri\\": \\"\\([^\\"]*out\\)\\".*/\\1/")'
    ended = run(tmp_path, {"Step": f"{find_output}; mkdir -p $out/empty $out/full; touch $out/full/a"}, {})
    assert not ended.failed
    assert [path.name for path in Path(ended.outputs["Step"]["out"]["uri"]).iterdir()] == ["full"]


@pytest.mark.parametrize(
    ("word", "expanded"),
    [("$(A)", "a"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$$", "$"), ("$A {{$}} $(", "$A {{$}} $(")],
)
def test_expands_variables_as_kubernetes_does(word: str, expanded: str) -> None:
    """Rules of k8s.io/kubernetes/third_party/forked/golang/expansion."""
    assert expand_variables(word, {"A": "a"}) == expanded
