"""Warm start: the encoder of a blessed model, and the columns of its head by label name."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.preprocessing.settings import WindowSettings
from components.registry import ModelRecord, push
from components.trainer.export import export_classifier
from components.trainer.model import build_classifier
from components.trainer.settings import TrainerConfig, TrainingSettings, WarmStart
from components.trainer.start import find_start, with_start
from components.trainer.warm_start import _read_weights, start_from
from components.trainer.windowed_classifier import WindowedClassifier
from tests.components.trainer.test_export import WordsAreIds
from tests.support.tiny_bert import write_tiny_bert

_OLD = ("a", "b", "c")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def _build(bert: Path, n_labels: int) -> Any:
    return build_classifier(load_backbone(find_checkpoint(str(bert))), n_labels, 0.1)


def _record(labels: Sequence[str], model_id: str = "", **fields: Any) -> ModelRecord:
    required = {"thresholds": [0.5] * len(labels), "checkpoint": "bert", "created": "", "versions": {}}
    return ModelRecord.model_validate(
        {"model_id": model_id, "labels": list(labels), "checkpoint_fingerprint": "f"} | required | fields
    )


@pytest.fixture(scope="module")
def blessed(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """A model of three labels with weights of its own, and the registry that has it."""
    model = _build(bert, 3)
    rng = np.random.default_rng(0)
    model.set_weights([weight + rng.normal(0, 0.1, weight.shape) for weight in model.get_weights()])
    folder: Path = tmp_path_factory.mktemp("registry")
    thresholds = np.full(3, 0.5, np.float32)
    export_classifier(model, WordsAreIds(), _OLD, thresholds, str(folder / "exported"))
    push(str(folder / "exported"), str(folder / "registry"), _record(_OLD, "one"))
    return model, str(folder / "registry")


def _push_without_graph(folder: Path, record: ModelRecord) -> WarmStart | None:
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "saved_model.pb").write_bytes(b"no graph")
    push(str(folder / "model"), str(folder / "registry"), record)
    return find_start(str(folder / "registry"))


def _config(start: WarmStart | None) -> TrainerConfig:
    training = TrainingSettings(warm_start=True)
    return TrainerConfig(training=training, checkpoint="bert", checkpoint_fingerprint="f", start=start)


def test_the_head_is_matched_by_label_name(
    bert: Path, blessed: tuple[Any, str], caplog: pytest.LogCaptureFixture
) -> None:
    old, registry = blessed
    # b has moved, c was renamed, d is new, a is retired.
    candidate = _record(("d", "b", "a", "see"), renamed={"c": "see"}, retired=["a"])
    model = _build(bert, 4)
    before = model.get_weights()
    with caplog.at_level(logging.INFO):
        assert start_from(model, _config(find_start(registry)), candidate)
    assert "new labels: d" in caplog.text
    *encoder, kernel, bias = model.get_weights()
    *old_encoder, old_kernel, old_bias = old.get_weights()
    for one, other in zip(encoder, old_encoder, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(kernel[:, [1, 3]], old_kernel[:, [1, 2]])
    np.testing.assert_array_equal(bias[[1, 3]], old_bias[[1, 2]])
    np.testing.assert_array_equal(kernel[:, [0, 2]], before[-2][:, [0, 2]])
    np.testing.assert_array_equal(bias[[0, 2]], before[-1][[0, 2]])


def test_the_scores_of_windows_are_matched_by_label_name(bert: Path, tmp_path: Path) -> None:
    windows = WindowSettings(size=12, stride=5, most=4, pool="attention")
    old, model = (WindowedClassifier(_build(bert, n_labels), windows, 8) for n_labels in (3, 2))
    assert old.head.scores is not None
    assert model.head.scores is not None
    scores = np.random.default_rng(0).normal(0, 1, (16, 3)).astype(np.float32)
    old.head.scores.set_weights([scores])
    export_classifier(old, WordsAreIds(), _OLD, np.full(3, 0.5, np.float32), str(tmp_path / "exported"))
    push(str(tmp_path / "exported"), str(tmp_path / "registry"), _record(_OLD, "one"))
    config = _config(find_start(str(tmp_path / "registry")))
    assert start_from(model, config, _record(("d", "b")))
    np.testing.assert_array_equal(model.head.scores.kernel, np.stack([np.zeros(16), scores[:, 1]], axis=1))
    np.testing.assert_array_equal(model.output_dense.kernel[:, 1], old.output_dense.kernel[:, 1])
    # A model that reads no windows takes the rest.
    assert start_from(_build(bert, 2), config, _record(("d", "b")))


def test_reads_the_weights_of_an_older_export(blessed: tuple[Any, str], tmp_path: Path) -> None:
    model = blessed[0]
    archive = keras.export.ExportArchive()
    archive.track(model)  # as `export_classifier` did before it had a graph of its own
    archive.add_endpoint("serve_text", lambda row: model.layers[-1].bias[row], [tf.TensorSpec([], tf.int32)])
    archive.write_out(str(tmp_path / "model"), verbose=False)
    for one, other in zip(_read_weights(str(tmp_path / "model"), 2).classifier, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_version_that_does_not_fit_is_reported_in_one_line_and_not_used(
    bert: Path, blessed: tuple[Any, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start = find_start(blessed[1])
    assert start is not None
    gone = WarmStart(path=str(tmp_path / "gone"), model_id="one")
    broken = _push_without_graph(tmp_path / "broken", _record(_OLD, "broken"))
    old = _push_without_graph(tmp_path / "old", _record(_OLD, "old", checkpoint_fingerprint=None))
    for version, candidate, message in (
        (None, _record(_OLD), "there is no blessed model yet"),
        (gone, _record(_OLD), "gone/model.json: cannot be read"),
        (start.model_copy(update={"model_id": "two"}), _record(_OLD), "has another model than when the pipeline"),
        (start, _record(_OLD, checkpoint_fingerprint="other"), "was trained from another checkpoint"),
        (broken, _record(_OLD), "cannot be loaded"),
        (old, _record(_OLD), "was exported before models recorded"),
        (start, _record(_OLD, pooling="mean"), "was trained with pooling cls, and this one is with mean"),
    ):
        model = _build(bert, 3)
        before = model.get_weights()
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert not start_from(model, _config(version), candidate)
        (record,) = caplog.records
        assert record.getMessage().startswith("starting from checkpoint bert: ")
        assert message in record.getMessage()
        assert "\n" not in record.getMessage()
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_an_encoder_of_another_architecture_is_not_used(
    blessed: tuple[Any, str], bert: Path, caplog: pytest.LogCaptureFixture
) -> None:
    backbone = load_backbone(find_checkpoint(str(bert)))
    narrow = type(backbone).from_config(backbone.get_config() | {"intermediate_dim": 8})
    with caplog.at_level(logging.INFO):
        assert not start_from(build_classifier(narrow, 3, 0.1), _config(find_start(blessed[1])), _record(_OLD))
    assert "has an encoder of another architecture" in caplog.text


def test_a_compiled_pipeline_starts_from_the_last_model_at_run_time(tmp_path: Path) -> None:
    compiled = _config(None).model_copy(update={"registry": str(tmp_path / "registry")})
    assert with_start(compiled).start is None
    pushed = _push_without_graph(tmp_path, _record(_OLD, "later"))
    assert with_start(compiled).start == pushed
    assert with_start(_config(None)).start is None
    cold = compiled.model_copy(update={"training": TrainingSettings()})
    assert with_start(cold).start is None


def test_a_version_that_another_tool_pushed_is_skipped(tmp_path: Path) -> None:
    assert find_start(str(tmp_path / "none")) is None
    (tmp_path / "9999999999").mkdir()
    (tmp_path / "9999999999" / "saved_model.pb").touch()
    assert find_start(str(tmp_path)) is None
