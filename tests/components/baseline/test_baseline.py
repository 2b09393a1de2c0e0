"""Choice of the model that a candidate is compared with, and trial of it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.orchestration import metadata
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.types import Artifact, standard_artifacts

from components import registry
from components.baseline.choice import choose_baseline
from components.baseline.driver import Driver
from components.baseline.executor import Executor
from components.baseline.record import BaselineRecord
from components.baseline.settings import BaselineSettings, BrokenBaseline
from components.registry import ModelRecord, Version
from components.trainer.start import find_start
from schema.errors import Refused
from tests.components.evaluation import small_model
from tests.components.evaluation.small_model import LABELS, artifact


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folders of Model artifacts: a and b are good, the others cannot be compared with them."""
    root = tmp_path_factory.mktemp("models")
    names = ("a", "b", "some_labels", "no_label", "no_signature", "other_rows", "other_outputs", "not_a_number")
    uris = {name: root / name for name in names}
    small_model.export(uris["a"], small_model.good_probabilities())
    small_model.export(uris["b"], small_model.good_probabilities(seed=7))
    small_model.export(uris["some_labels"], small_model.bad_probabilities(), labels=["praise", *LABELS[:0:-1]])
    small_model.export(uris["no_label"], small_model.bad_probabilities(), labels=["p", "q", "r", "s", "t"], retired="t")
    small_model.export(uris["no_signature"], small_model.bad_probabilities(), without=["evaluation"])
    # Too few rows for the test split: looking one up fails, as any operation may that was built for other data.
    small_model.export(uris["other_rows"], small_model.bad_probabilities()[:1])
    small_model.export(uris["other_outputs"], small_model.bad_probabilities()[:, :4], thresholds=[0.5] * 4)
    small_model.export(uris["not_a_number"], small_model.bad_probabilities() * np.float32(np.nan))
    small_model.write_examples(root / "examples", small_model.truth())
    return uris


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tmp_path / "registry")


def read_record(model: Path) -> ModelRecord:
    return registry.ModelRecord.read(str(model / "Format-Serving"))


def push(model: Path, base: str) -> Version:
    return registry.push(str(model / "Format-Serving"), base, read_record(model))


def make_properties(base: str, broken: BrokenBaseline = "set_aside") -> dict[str, str]:
    return {"registry": base, "settings": BaselineSettings(broken=broken).model_dump_json()}


def drive(candidate: Path, base: str, broken: BrokenBaseline = "set_aside") -> dict[str, str]:
    """Return the execution properties after the driver has run, as the launcher has them."""
    properties = make_properties(base, broken)
    info = ExecutionInfo(
        input_dict={"model": [artifact(standard_artifacts.Model, candidate)]}, exec_properties=dict(properties)
    )
    empty = metadata_store_pb2.ConnectionConfig(fake_database=metadata_store_pb2.FakeDatabaseConfig())
    output = Driver(metadata.Metadata(empty)).run(info)
    return properties | {key: value.string_value for key, value in output.exec_properties.items()}


def execute(candidate: Path, properties: dict[str, str], uri: Path) -> Artifact:
    baseline = artifact(standard_artifacts.Model, uri)
    context = BaseExecutor.Context(tmp_dir=str(uri / "tmp"), unique_id="1")
    inputs = {
        "model": [artifact(standard_artifacts.Model, candidate)],
        "examples": [artifact(standard_artifacts.Examples, candidate.parent / "examples")],
    }
    Executor(context).Do(inputs, {"baseline": [baseline]}, properties)
    return baseline


def test_the_first_run_has_no_baseline(models: dict[str, Path], base: str, tmp_path: Path) -> None:
    baseline = execute(models["a"], drive(models["a"], base), tmp_path / "baseline")
    assert BaselineRecord.read(baseline.uri) == BaselineRecord(has_baseline=False)
    assert baseline.get_int_custom_property("has_baseline") == 0
    assert not (tmp_path / "baseline" / "Format-Serving").exists()


@pytest.mark.parametrize("with_driver", [True, False], ids=["local", "kubeflow"])
def test_the_baseline_is_a_copy_of_the_last_version(
    models: dict[str, Path], base: str, tmp_path: Path, with_driver: bool
) -> None:
    version = push(models["a"], base)
    properties = drive(models["b"], base) if with_driver else make_properties(base)
    baseline = execute(models["b"], properties, tmp_path / "baseline")
    a = registry.ModelRecord.read(version.path)
    shutil.rmtree(base)
    assert read_record(tmp_path / "baseline") == a
    expected = BaselineRecord(has_baseline=True, version=version.number, model_id=a.model_id)
    assert BaselineRecord.read(baseline.uri) == expected
    assert baseline.get_int_custom_property("has_baseline") == 1
    assert baseline.get_int_custom_property("version") == version.number
    assert baseline.get_string_custom_property("model_id") == a.model_id


def test_a_version_that_was_rolled_back_is_no_baseline(models: dict[str, Path], base: str) -> None:
    push(models["a"], base)
    push(models["b"], base)
    served = registry.rollback(base)
    for candidate, expected in (("b", served), ("some_labels", served), ("a", None)):
        assert choose_baseline(base, read_record(models[candidate])) == expected
    start = find_start(base)
    assert start is not None
    assert start.path == served.path


def test_the_choice_is_the_same_after_the_candidate_was_pushed(models: dict[str, Path], base: str) -> None:
    first_run = drive(models["a"], base)
    push(models["a"], base)
    assert drive(models["a"], base) == first_run
    second_run = drive(models["b"], base)
    push(models["b"], base)
    assert drive(models["b"], base) == second_run != first_run


def test_the_choice_changes_with_the_registry(models: dict[str, Path], base: str) -> None:
    before = drive(models["b"], base)
    version = push(models["a"], base)
    assert drive(models["b"], base) == make_properties(base) | {
        "baseline_version": version.path,
        "baseline_model_id": read_record(models["a"]).model_id,
    }
    assert before == make_properties(base) | {"baseline_version": "", "baseline_model_id": ""}


def test_a_candidate_is_never_its_own_baseline(models: dict[str, Path], base: str) -> None:
    a, b = read_record(models["a"]), read_record(models["b"])
    first = push(models["a"], base)
    second = push(models["b"], base)
    push(models["a"], base)
    assert choose_baseline(base, a) == second
    assert choose_baseline(base, b) == first


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            "no_label",
            f"it has none of the candidate's labels: it lacks {', '.join(LABELS)}; it has p, q, r, s",
        ),
        ("no_signature", "it has no signature 'evaluation'"),
        ("other_rows", "it cannot be evaluated on the test split: "),
        ("other_outputs", "it returns scores of shape (8, 4) for 8 texts and the 5 labels of its model.json"),
        ("not_a_number", "it returns scores that are not numbers"),
    ],
)
def test_sets_aside_a_baseline_that_cannot_be_compared_with(
    models: dict[str, Path], base: str, tmp_path: Path, model: str, reason: str
) -> None:
    version = push(models[model], base)
    baseline = execute(models["b"], drive(models["b"], base), tmp_path / "baseline")
    record = BaselineRecord.read(baseline.uri)
    assert record.set_aside is not None
    assert record.set_aside.startswith(reason)
    assert "\n" not in record.set_aside
    assert (record.has_baseline, record.version) == (False, version.number)
    assert baseline.get_int_custom_property("has_baseline") == 0
    assert baseline.get_string_custom_property("set_aside") == record.set_aside
    assert not (tmp_path / "baseline" / "Format-Serving").exists()


def test_stops_the_run_instead_if_configured(models: dict[str, Path], base: str, tmp_path: Path) -> None:
    properties = drive(models["b"], base, broken="stop")
    assert not BaselineRecord.read(execute(models["b"], properties, tmp_path / "none").uri).has_baseline
    version = push(models["not_a_number"], base)
    with pytest.raises(Refused) as refused:
        execute(models["b"], drive(models["b"], base, broken="stop"), tmp_path / "baseline")
    message = str(refused.value)
    assert message.startswith(
        f"{version.path}: the last blessed model cannot be compared with: it returns scores that are not"
    )
    assert "set evaluation.broken_baseline to set_aside" in message
    assert "\n" not in message


def test_compares_a_baseline_with_some_of_the_labels_and_records_the_others(
    models: dict[str, Path], base: str, tmp_path: Path
) -> None:
    push(models["some_labels"], base)
    baseline = execute(models["b"], drive(models["b"], base), tmp_path / "baseline")
    record = BaselineRecord.read(baseline.uri)
    assert (record.has_baseline, record.lacks, record.only_its) == (True, ["billing"], ["praise"])
    assert (tmp_path / "baseline" / "Format-Serving" / "saved_model.pb").exists()


@pytest.mark.parametrize(
    ("removed", "reason"),
    [
        ("model.json", "model.json: cannot be read"),
        ("variables/variables.index", "variables/variables.index is missing"),
    ],
)
def test_sets_aside_a_version_that_is_incomplete(
    models: dict[str, Path], base: str, tmp_path: Path, removed: str, reason: str
) -> None:
    Path(push(models["a"], base).path, removed).unlink()
    baseline = execute(models["b"], drive(models["b"], base), tmp_path / "baseline")
    set_aside = BaselineRecord.read(baseline.uri).set_aside
    assert set_aside is not None
    assert set_aside.startswith(reason)
    assert "\n" not in set_aside


def test_sets_aside_a_version_whose_files_are_not_those_that_were_pushed(
    models: dict[str, Path], base: str, tmp_path: Path
) -> None:
    weights = Path(push(models["a"], base).path, "variables/variables.data-00000-of-00001")
    content = bytearray(weights.read_bytes())
    content[8:16] = b"\xff" * 8
    weights.write_bytes(content)
    baseline = execute(models["b"], drive(models["b"], base), tmp_path / "baseline")
    set_aside = BaselineRecord.read(baseline.uri).set_aside
    assert set_aside is not None
    assert set_aside == "variables/variables.data-00000-of-00001 has changed since the push"


def test_a_record_that_cannot_be_read_is_not_taken_for_no_baseline(models: dict[str, Path], base: str) -> None:
    version = push(models["a"], base)
    Path(version.path, "model.json").write_text("{")
    for choose in (lambda: drive(models["b"], base), lambda: find_start(base)):
        with pytest.raises(Refused, match=r"model\.json: the file: Invalid JSON"):
            choose()


def test_refuses_in_one_line_if_the_version_vanishes(models: dict[str, Path], base: str, tmp_path: Path) -> None:
    version = push(models["a"], base)
    properties = drive(models["b"], base)
    shutil.rmtree(version.path)
    with pytest.raises(Refused, match="removed meanwhile") as refused:
        execute(models["b"], properties, tmp_path / "baseline")
    assert "\n" not in str(refused.value)
