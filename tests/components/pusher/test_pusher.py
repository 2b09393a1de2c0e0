"""What is blessed is pushed, complete and once; what is not is not."""

import json
from pathlib import Path

import pytest
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.proto import pusher_pb2
from tfx.types import Artifact, standard_artifacts
from tfx.utils import proto_utils

from components.pusher.component import Executor
from components.registry import read_record, versions
from tests.components.evaluation import small_model
from tests.components.evaluation.small_model import artifact


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uri = tmp_path_factory.mktemp("model")
    small_model.export(uri, small_model.good_probabilities())
    return uri


def run(model: Path, blessed: int | None, folder: Path) -> Artifact:
    """Runs the executor; the registry is `folder/registry`."""
    blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
    if blessed is not None:
        blessing.set_int_custom_property("blessed", blessed)
    pushed = artifact(standard_artifacts.PushedModel, folder / "pushed")
    filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=str(folder / "registry"))
    Executor(BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")).Do(
        {"model": [artifact(standard_artifacts.Model, model)], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {"push_destination": proto_utils.proto_to_json(pusher_pb2.PushDestination(filesystem=filesystem))},
    )
    return pushed


def test_a_blessed_model_becomes_the_latest_version(model: Path, tmp_path: Path) -> None:
    pushed = run(model, 1, tmp_path)
    (version,) = versions(str(tmp_path / "registry"))
    assert read_record(version.path) == read_record(str(model / "Format-Serving"))
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == version.path
    assert pushed.get_string_custom_property("pushed_version") == str(version.number)


def test_the_artifact_says_where_the_model_is_and_holds_no_copy(model: Path, tmp_path: Path) -> None:
    run(model, 1, tmp_path)
    (version,) = versions(str(tmp_path / "registry"))
    assert [path.name for path in (tmp_path / "pushed").rglob("*")] == ["pushed.json"]
    said = json.loads((tmp_path / "pushed" / "pushed.json").read_text())
    assert said == {"number": version.number, "path": version.path}


@pytest.mark.parametrize("blessed", [0, None])
def test_a_model_that_is_not_blessed_is_not_pushed(model: Path, tmp_path: Path, blessed: int | None) -> None:
    pushed = run(model, blessed, tmp_path)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "registry").exists()


def test_a_second_push_of_the_same_model_changes_nothing(model: Path, tmp_path: Path) -> None:
    first, second = run(model, 1, tmp_path), run(model, 1, tmp_path)
    assert len(versions(str(tmp_path / "registry"))) == 1
    assert first.get_string_custom_property("pushed_version") == second.get_string_custom_property("pushed_version")
