"""Run the component with TFX's local runner: real drivers, metadata and cache."""

from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from components.behaviour.component import BehaviouralTests
from components.behaviour.results import Results
from components.behaviour.settings import BehaviourTests
from tests.components.behaviour import keyword_model


def half_passing(bound: float) -> BehaviourTests:
    """Return tests half of whose cases pass."""
    cases = [{"text": "refund", "given": ["refund"]}, {"text": "refund", "given": ["billing"]}]
    return BehaviourTests.model_validate({"texts": [{"name": "g", "pass_rate": bound, "cases": cases}]})


class Workspace:
    """Folder in which the component runs on one candidate, again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
        keyword_model.export(root / "model" / "Format-Serving")
        keyword_model.write_test_split(root / "examples" / "Split-test", ["refund", "billing"])

    def run(self, tests: BehaviourTests) -> dict[str, Any]:
        """Run the component and return all executions, the last one of each step."""
        examples = self._import("examples", standard_artifacts.Examples, properties={"split_names": '["test"]'})
        model = self._import("model", standard_artifacts.Model)
        behaviour = BehaviouralTests(model=model.outputs["result"], examples=examples.outputs["result"], settings=tests)
        tfx.orchestration.LocalDagRunner().run(
            tfx.dsl.Pipeline(
                pipeline_name="behaviour",
                pipeline_root=str(self.root / "root"),
                metadata_connection_config=self.connection,
                enable_cache=True,
                components=[examples, model, behaviour],
            )
        )
        with metadata.Metadata(self.connection) as handle:
            types = {kind.id: kind.name.rsplit(".", 1)[-1] for kind in handle.store.get_execution_types()}
            return {types[execution.type_id]: execution for execution in handle.store.get_executions()}

    def results(self) -> Any:
        newest = max((self.root / "root" / "BehaviouralTests" / "results").iterdir(), key=lambda path: int(path.name))
        return Results.read(str(newest))

    def _import(self, name: str, kind: Any, **options: Any) -> Any:
        return tfx.dsl.Importer(source_uri=str(self.root / name), artifact_type=kind, **options).with_id(name)


def cached(execution: Any) -> bool:
    return bool(execution.last_known_state == metadata_store_pb2.Execution.CACHED)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("behaviour"))


def test_runs_changed_tests_and_takes_unchanged_ones_from_the_cache(workspace: Workspace) -> None:
    workspace.run(half_passing(0.6))
    assert [group.passed for group in workspace.results().groups] == [1]
    assert not workspace.results().groups[0].meets_bound

    executions = workspace.run(half_passing(0.5))
    assert not cached(executions["BehaviouralTests"])
    assert workspace.results().groups[0].meets_bound
    assert cached(workspace.run(half_passing(0.5))["BehaviouralTests"])

    workspace.run(BehaviourTests())
    assert workspace.results().groups == []
