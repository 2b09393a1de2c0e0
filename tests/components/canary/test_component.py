"""The canary as TFX runs it: the artifact that the Pusher reads, and TFX's own InfraValidator beside it."""

import json
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.components.infra_validator import request_builder
from tfx.components.pusher.executor import Executor as TfxPusher
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.proto import infra_validator_pb2
from tfx.types import Artifact, Channel, standard_artifacts
from tfx.utils import proto_utils

from components.baseline.record import BaselineRecord
from components.canary.component import Canary
from components.canary.executor import Executor
from components.canary.infra_validator import infra_validator
from components.canary.settings import CanarySettings, InfraValidatorSettings
from components.canary.verdict import CanaryVerdict
from components.common.outcome import Untried
from tests.components.evaluation.small_model import artifact
from tests.components.preprocessing.transform import serialized


def run(
    trained: Path, folder: Path, settings: CanarySettings, *, live: bool = False, validated: Artifact | None = None
) -> tuple[Artifact, CanaryVerdict]:
    """Run the executor on the model; the live model is the same one, or there is none."""
    baseline = artifact(standard_artifacts.Model, folder / "baseline")
    BaselineRecord(has_baseline=live, version=7).write(baseline.uri)
    if live:
        shutil.copytree(trained / "Format-Serving", Path(baseline.uri) / "Format-Serving")
    blessing = artifact(standard_artifacts.InfraBlessing, folder / "blessing")
    inputs = {"model": [artifact(standard_artifacts.Model, trained)], "baseline": [baseline]}
    Executor(BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")).Do(
        inputs | ({"infra_blessing": [validated]} if validated else {}),
        {"blessing": [blessing]},
        {"settings": settings.model_dump_json()},
    )
    return blessing, CanaryVerdict.read(blessing.uri)


def is_blessed(blessing: Artifact) -> bool:
    """Return whether TFX's own Pusher accepts the blessing."""
    return bool(TfxPusher(None).CheckBlessing({"infra_blessing": [blessing]}))


def test_passes_a_model_as_the_trainer_exports_it(trained: Path, tmp_path: Path) -> None:
    settings = CanarySettings(requests=["my own request", ("my money", "a second text")], latency_ratio=3)
    blessing, verdict = run(trained, tmp_path, settings, live=True)
    assert verdict.reasons == []
    assert is_blessed(blessing)
    assert (Path(blessing.uri) / "INFRA_BLESSED").exists()
    found = verdict.findings
    assert found.requests == 4 * 8 + 3 * 5 + 2  # to 4 signatures, invalid ones to 3, the reference batch to 2
    assert found.compared_rows == 32
    assert found.largest_difference is not None
    assert found.largest_difference <= 1e-5
    assert found.peak_memory_mb is not None
    assert 200 < found.peak_memory_mb < 3000
    assert [latency.request for latency in found.latency] == ["one text", "32 texts"]
    assert all(0 < latency.candidate_ms <= latency.bound_ms for latency in found.latency)


def test_a_model_that_needs_more_memory_than_allowed_leaves_no_verdict(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(Untried) as untried:
        run(trained, tmp_path, CanarySettings(memory_limit_mb=150))
    assert str(untried.value).startswith("canary: the model was not judged: the model's process held ")
    assert str(untried.value).endswith(
        " MiB while loading it, above the limit of 150 MiB; raise canary.memory_limit_mb, or set it to null"
    )
    assert not list(tmp_path.rglob("INFRA_*")), "neither mark, which the cache would answer with"


def test_refuses_a_model_that_tfx_infra_validator_refuses(trained: Path, tmp_path: Path) -> None:
    refused = artifact(standard_artifacts.InfraBlessing, tmp_path / "validated")
    refused.set_int_custom_property("blessed", 0)
    blessing, verdict = run(trained, tmp_path, CanarySettings(memory_limit_mb=150), validated=refused)
    assert not is_blessed(blessing)
    assert verdict.reasons == ["TFX's InfraValidator did not bless the model; the log says why"]


@pytest.mark.parametrize("platform", ["docker", "kubernetes"])
def test_tfx_infra_validator_sends_raw_examples_to_the_model(trained: Path, tmp_path: Path, platform: str) -> None:
    settings = InfraValidatorSettings.model_validate({"platform": platform, "tags": ["2.19.0"], "examples": 2})
    candidate = Channel(type=standard_artifacts.Model)
    validator = infra_validator(candidate, Channel(type=standard_artifacts.Examples), settings)
    properties = validator.exec_properties
    serving, validation, requests = (
        proto_utils.json_to_proto(properties[f"{name}_spec"], kind)
        for name, kind in (
            ("serving", infra_validator_pb2.ServingSpec()),
            ("validation", infra_validator_pb2.ValidationSpec()),
            ("request", infra_validator_pb2.RequestSpec()),
        )
    )
    assert serving.WhichOneof("serving_platform") == {"docker": "local_docker"}.get(platform, platform)
    assert (serving.tensorflow_serving.image_name, serving.tensorflow_serving.tags) == (
        "tensorflow/serving",
        ["2.19.0"],
    )
    assert (validation.max_loading_time_seconds, validation.num_tries) == (300, 3)

    # The requests themselves, built by TFX as in its InfraValidator.
    folder = tmp_path / "examples" / "Split-eval"
    folder.mkdir(parents=True)
    examples = artifact(standard_artifacts.Examples, tmp_path / "examples")
    examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    rows = [
        serialized({"text": [text], "text_pair": [""], "labels": [], "id": ["1"]})
        for text in ("my money", "a login", "thanks")
    ]
    with tf.io.TFRecordWriter(str(folder / "rows.gz"), "GZIP") as writer:
        for row in rows:
            writer.write(row)
    built = request_builder.build_requests("m", artifact(standard_artifacts.Model, trained), examples, requests)
    assert [request.model_spec.signature_name for request in built] == ["serving_default"] * 2
    sent = tf.make_ndarray(built[0].inputs["examples"]).tolist()
    assert sent[0] in rows
    serve = tf.saved_model.load(str(trained / "Format-Serving")).signatures["serving_default"]
    assert serve(examples=tf.constant(sent))["probabilities"].shape == (1, 3)

    canary = Canary(candidate, candidate, CanarySettings(), infra_blessing=validator.outputs["blessing"])
    assert canary.inputs["infra_blessing"].producer_component_id == "InfraValidator"
    assert json.loads(canary.exec_properties["settings"])["latency_ratio"] == 1.5
