"""The Pusher pushes blessed models, complete and once, and no others."""

import json
import shutil
from pathlib import Path

import pytest
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.proto import pusher_pb2
from tfx.types import Artifact, standard_artifacts
from tfx.utils import proto_utils

from components import registry
from components.baseline.record import BaselineRecord
from components.canary.verdict import CanaryVerdict
from components.example_gen.artifacts import Quarantine
from components.example_gen.report import IngestReport, SpanCount
from components.pusher.executor import Executor
from components.pusher.push_result import PushResult
from components.registry import CanaryFindings, ModelRecord, versions
from components.variants.artifacts import ModelVariants
from components.variants.results import VariantResult, VariantResults
from schema.errors import Refused
from tests.components.evaluation import small_model
from tests.components.evaluation.small_model import artifact

VARIABLES = ("variables.data-00000-of-00001", "variables.index")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uri = tmp_path_factory.mktemp("model")
    small_model.export(uri, small_model.good_probabilities())
    return uri


def run(model: Path, blessed: int | None, folder: Path, canary: Artifact | None = None, **others: Artifact) -> Artifact:
    """Run the executor; the registry is `folder/registry`."""
    blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
    if blessed is not None:
        blessing.set_int_custom_property("blessed", blessed)
    pushed = artifact(standard_artifacts.PushedModel, folder / "pushed")
    filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=str(folder / "registry"))
    Executor(BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")).Do(
        {
            "model": [artifact(standard_artifacts.Model, model)],
            "model_blessing": [blessing],
            **({"infra_blessing": [canary]} if canary else {}),
            **{key: [each] for key, each in others.items()},
        },
        {"pushed_model": [pushed]},
        {
            "push_destination": proto_utils.proto_to_json(pusher_pb2.PushDestination(filesystem=filesystem)),
            "pipeline": "tickets",
        },
    )
    return pushed


def test_pushes_a_blessed_model_as_the_latest_version(model: Path, tmp_path: Path) -> None:
    pushed = run(model, 1, tmp_path)
    (version,) = versions(str(tmp_path / "registry"))
    record = ModelRecord.read(version.path)
    assert record.model_copy(update={"pushed": None, "files": {}}) == ModelRecord.read(str(model / "Format-Serving"))
    assert set(record.files) == {"saved_model.pb", "fingerprint.pb", *(f"variables/{name}" for name in VARIABLES)}
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == version.path
    assert pushed.get_string_custom_property("pushed_version") == str(version.number)


def test_the_artifact_holds_the_path_of_the_model_and_no_copy(model: Path, tmp_path: Path) -> None:
    run(model, 1, tmp_path)
    (version,) = versions(str(tmp_path / "registry"))
    assert [path.name for path in (tmp_path / "pushed").rglob("*")] == ["pushed.json"]
    content = json.loads((tmp_path / "pushed" / "pushed.json").read_text())
    assert content == {"number": version.number, "path": version.path, "reason": "", "variants": {}}


@pytest.mark.parametrize("blessed", [0, None])
def test_does_not_push_a_model_that_is_not_blessed(model: Path, tmp_path: Path, blessed: int | None) -> None:
    pushed = run(model, blessed, tmp_path)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not (tmp_path / "registry").exists()


def test_does_not_push_the_same_model_twice(model: Path, tmp_path: Path) -> None:
    first, second = run(model, 1, tmp_path), run(model, 1, tmp_path)
    assert len(versions(str(tmp_path / "registry"))) == 1
    assert first.get_string_custom_property("pushed_version") == second.get_string_custom_property("pushed_version")


def variants_of(folder: Path, model_id: str) -> Artifact:
    """Return the output of Variants: int8, which holds, and onnx, which does not."""
    record = ModelRecord(model_id="", labels=["a"], thresholds=[0.5], checkpoint="", created="", versions={})
    for name in ("int8", "onnx"):
        (folder / name).mkdir(parents=True)
        (folder / name / "model.onnx").write_text(name)
        own = registry.content_id(registry.checksums(str(folder / name)))
        record.model_copy(update={"model_id": own, "variant": name, "variant_of": model_id}).write(str(folder / name))
    variants = [VariantResult(name="int8"), VariantResult(name="onnx", reasons=["macro_f1 is 0.1"])]
    VariantResults(model_id=model_id, variants=variants).write(str(folder))
    return artifact(ModelVariants, folder)


def test_pushes_the_variants_that_hold_beside_the_model(model: Path, tmp_path: Path) -> None:
    model_id = ModelRecord.read(str(model / "Format-Serving")).model_id
    run(model, 1, tmp_path, variants=variants_of(tmp_path / "variants", model_id))
    base = str(tmp_path / "registry")
    (version,) = versions(base)
    path = registry.variant_path(base, "int8", version.number)
    assert PushResult.read(str(tmp_path / "pushed")).variants == {"int8": path}
    assert {name: len(found) for name, found in registry.variants(base).items()} == {"int8": 1}
    assert ModelRecord.read(path).variant_of == model_id
    assert list(registry.check_registry(base)) == []


def test_refuses_variants_that_are_not_what_was_judged(model: Path, tmp_path: Path) -> None:
    model_id = ModelRecord.read(str(model / "Format-Serving")).model_id
    of_another = variants_of(tmp_path / "other", "another")
    with pytest.raises(Refused, match="the variants are of another model than"):
        run(model, 1, tmp_path, variants=of_another)
    changed = variants_of(tmp_path / "variants", model_id)
    (tmp_path / "variants" / "int8" / "model.onnx").write_text("changed")
    with pytest.raises(Refused, match="its files are not those that were exported"):
        run(model, 1, tmp_path, variants=changed)
    assert not (tmp_path / "registry").exists()


def canary_of(folder: Path, *, passed: bool) -> Artifact:
    canary = artifact(standard_artifacts.InfraBlessing, folder / "canary")
    canary.set_int_custom_property("blessed", int(passed))
    CanaryVerdict(passed=passed, reasons=[], findings=CanaryFindings(peak_memory_mb=512)).write(canary.uri)
    return canary


def test_does_not_push_a_model_that_the_canary_refuses(model: Path, tmp_path: Path) -> None:
    pushed = run(model, 1, tmp_path, canary_of(tmp_path, passed=False))
    assert pushed.get_int_custom_property("pushed") == 0
    assert PushResult.read(pushed.uri) == PushResult()
    assert not (tmp_path / "registry").exists()


def test_records_what_the_model_was_trained_on_and_what_it_passed(model: Path, tmp_path: Path) -> None:
    quarantine = artifact(Quarantine, tmp_path / "quarantine")
    spans = [SpanCount(span=7, version=None, rows=9)]
    report = IngestReport(
        read=10, accepted=9, quarantined=1, reasons={"blank text": 1}, splits={"train": 6, "eval": 2, "test": 1},
        labels={}, spans=spans, digest="abc",
    )  # fmt: skip
    report.write(quarantine.uri)
    gate = {"gate": "macro_f1 >= 0.3", "value": 0.5, "bound": 0.3, "passed": True, "note": "well above", "asked": True}
    (tmp_path / "blessing").mkdir()
    (tmp_path / "blessing" / "gates.json").write_text(json.dumps({"blessed": True, "gates": [gate]}))
    run(model, 1, tmp_path, canary_of(tmp_path, passed=True), quarantine=quarantine)
    (version,) = versions(str(tmp_path / "registry"))
    record = ModelRecord.read(version.path)
    assert record.trained_on.model_dump() == {
        "digest": "abc", "rows": {"train": 6, "eval": 2, "test": 1}, "spans": [spans[0].model_dump()],
    }  # fmt: skip
    (outcome,) = record.blessed_by.gates
    assert outcome.model_dump() == {"gate": "macro_f1 >= 0.3", "value": 0.5, "bound": 0.3, "note": "well above"}
    assert record.blessed_by.canary == CanaryFindings(peak_memory_mb=512)


def test_does_not_push_a_model_that_was_rolled_back(model: Path, tmp_path: Path) -> None:
    base = str(tmp_path / "registry")
    other = tmp_path / "other"
    small_model.export(other, small_model.bad_probabilities())
    run(other, 1, tmp_path)
    run(model, 1, tmp_path)
    _, withdrawn = versions(base)
    served = registry.rollback(base)
    pushed = run(model, 1, tmp_path)
    assert pushed.get_int_custom_property("pushed") == 0
    result = PushResult.read(pushed.uri)
    assert result.path is None
    assert f"the model is version {withdrawn.number}, which was rolled back" in result.reason
    assert versions(base)[-1] == served


def baseline_of(folder: Path, version: registry.Version | None) -> Artifact:
    """Return the output of RegistryBaseline in a run that found a version to compare with."""
    baseline = artifact(standard_artifacts.Model, folder / "baseline")
    if version is None:
        BaselineRecord(has_baseline=False).write(baseline.uri)
    else:
        model_id = ModelRecord.read(version.path).model_id
        BaselineRecord(has_baseline=True, version=version.number, model_id=model_id).write(baseline.uri)
    return baseline


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two more models."""
    folders = [tmp_path_factory.mktemp("other") for _ in range(2)]
    for seed, folder in enumerate(folders):
        small_model.export(folder, small_model.good_probabilities(seed=7 + seed))
    return folders


def test_does_not_push_over_a_model_that_another_run_pushed_meanwhile(
    model: Path, others: list[Path], tmp_path: Path
) -> None:
    base = str(tmp_path / "registry")
    of_first_run = baseline_of(tmp_path, None)
    run(others[0], 1, tmp_path)
    pushed = run(model, 1, tmp_path, baseline=of_first_run)
    (live,) = versions(base)
    assert pushed.get_int_custom_property("pushed") == 0
    assert PushResult.read(pushed.uri).reason == (
        f"not pushed: version {live.number} became the latest while this run was in progress, and the model was not"
        " compared with it; run again"
    )
    # A run that compared it with that version pushes it, and a retry of the step changes nothing.
    for _ in range(2):
        assert run(model, 1, tmp_path, baseline=baseline_of(tmp_path, live)).get_int_custom_property("pushed") == 1
    assert len(versions(base)) == 2


def test_does_not_push_over_a_model_that_another_tool_pushed_meanwhile(
    model: Path, others: list[Path], tmp_path: Path
) -> None:
    of_this_run = baseline_of(tmp_path, None)
    run(others[0], 1, tmp_path)
    (live,) = versions(str(tmp_path / "registry"))
    Path(live.path, ModelRecord.FILE).unlink()
    pushed = run(model, 1, tmp_path, baseline=of_this_run)
    assert f"version {live.number} became the latest" in PushResult.read(pushed.uri).reason


def test_pushes_over_a_rollback_only_what_was_compared_with_its_model(
    model: Path, others: list[Path], tmp_path: Path
) -> None:
    base = str(tmp_path / "registry")
    for other in others:
        run(other, 1, tmp_path)
    first, second = versions(base)
    copy = registry.rollback(base)
    pushed = run(model, 1, tmp_path, baseline=baseline_of(tmp_path, second))
    assert f"version {copy.number} became the latest" in PushResult.read(pushed.uri).reason
    # The copy has another number than the version that this run compared with, and the same model.
    assert run(model, 1, tmp_path, baseline=baseline_of(tmp_path, first)).get_int_custom_property("pushed") == 1


def test_does_not_push_a_model_whose_files_are_not_those_that_were_exported(model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(model, damaged)
    weights = damaged / "Format-Serving" / "variables" / VARIABLES[0]
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(Refused, match="its files are not those that were exported as model"):
        run(damaged, 1, tmp_path)
    assert not versions(str(tmp_path / "registry"))


@pytest.mark.parametrize("judge", ["gates", "canary"])
def test_does_not_push_another_model_than_was_judged(model: Path, tmp_path: Path, judge: str) -> None:
    canary = canary_of(tmp_path, passed=True)
    (tmp_path / "blessing").mkdir()
    if judge == "gates":
        (tmp_path / "blessing" / "gates.json").write_text(json.dumps({"blessed": True, "model_id": "other"}))
    else:
        CanaryVerdict(passed=True, reasons=[], findings=CanaryFindings(), model_id="other").write(canary.uri)
    with pytest.raises(Refused, match="the gates or the canary decided on another model"):
        run(model, 1, tmp_path, canary)
    assert not versions(str(tmp_path / "registry"))


def test_does_not_push_into_the_registry_of_another_pipeline(model: Path, tmp_path: Path) -> None:
    registry.adopt(str(tmp_path / "registry"), registry.Claimant(pipeline="billing", labels=["invoice"]))
    with pytest.raises(Refused, match="belongs to pipeline 'billing' with labels invoice, not to 'tickets'"):
        run(model, 1, tmp_path)
