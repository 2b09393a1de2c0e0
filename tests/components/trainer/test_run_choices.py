"""`run_fn` with what can be chosen: the head alone, a loss, thresholds, calibration; down to the exported model."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 - the exported tokenizer needs its operations

from components.checkpoints.find import find_checkpoint, load_backbone
from components.registry import ModelRecord
from components.trainer.settings import TrainerConfig, TrainingSettings
from tests.components.preprocessing.transform import Row, run_transform, serialized
from tests.components.trainer.exported import export
from tests.support.tiny_bert import write_tiny_bert

LABELS = ("praise", "refund", "trouble")
_WORDS = {"praise": "love", "refund": "money", "trouble": "broken"}
_N = 300


def _rows() -> list[Row]:
    rng = np.random.default_rng(0)
    rows: list[Row] = []
    for number in range(_N):
        given = [label for label, likely in zip(LABELS, (0.4, 0.2, 0.02), strict=True) if rng.random() < likely]
        words = [_WORDS[label] for label in given] + list(rng.choice(["the", "is", "my", "to", "and"], 3))
        rows.append({"id": [str(number)], "text": [" ".join(rng.permutation(words))], "labels": given})
    return rows


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    settings = {"vocabulary": str(bert / "vocab.txt"), "lower_case": True, "max_tokens": 32, "truncation": "head"}
    return run_transform(tmp_path_factory.mktemp("rows"), _rows(), LABELS, settings)


def _run(folder: Path, root: Path, bert: Path, **training: Any) -> dict[str, np.ndarray]:
    """Trains and exports below `folder`; what the export says of every row, by signature output."""
    settings = TrainingSettings.model_validate({"batch_size": 16, "seed": 0, **training})
    trainer = TrainerConfig(training=settings, checkpoint=str(bert), checkpoint_fingerprint="")
    model = export(folder, root, trainer)
    signatures = tf.saved_model.load(str(model)).signatures
    examples = tf.constant([serialized(row) for row in _rows()])
    return {
        "probabilities": signatures["serving_default"](examples=examples)["probabilities"].numpy(),
        "scores": signatures["evaluation"](examples=examples)["decision_scores"].numpy(),
    }


def _truth() -> np.ndarray:
    return np.array([[label in row["labels"] for label in LABELS] for row in _rows()], float)


def test_the_exported_model_has_the_head_that_was_trained_alone(tmp_path: Path, root: Path, bert: Path) -> None:
    served = _run(tmp_path, root, bert, trainable="head", epochs=20, learning_rate=0.05, patience=20)
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert history["val_loss"][-1] < 0.95 * history["val_loss"][0]
    truth = _truth()
    entropy = -(truth * np.log(served["probabilities"]) + (1 - truth) * np.log1p(-served["probabilities"])).mean()
    assert entropy == pytest.approx(min(history["val_loss"]), rel=1e-3), "text for text what eval saw"
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "calibration.json", "history.json", "train", "validation",
    ]  # fmt: skip


def test_the_encoder_below_the_trained_layers_is_the_checkpoints(tmp_path: Path, root: Path, bert: Path) -> None:
    _run(tmp_path, root, bert, trainable=1, max_steps=3, learning_rate=1e-2)
    exported = tf.saved_model.load(str(tmp_path / "model"))
    trained = {tuple(np.ravel(v.numpy())[:3]) for v in exported.variables if v.dtype == tf.float32}
    backbone = load_backbone(find_checkpoint(str(bert)))
    for layer, same in (("token_embedding", True), ("transformer_layer_0", True), ("transformer_layer_1", False)):
        for variable in backbone.get_layer(layer).trainable_variables:
            if variable.path.endswith(("kernel", "embeddings")):
                assert (tuple(np.ravel(variable.numpy())[:3]) in trained) == same, variable.path


@pytest.mark.parametrize("kind", ["weighted", "focal", "asymmetric"])
def test_every_loss_learns(tmp_path: Path, root: Path, bert: Path, kind: str) -> None:
    served = _run(
        tmp_path, root, bert, trainable="head", epochs=10, learning_rate=0.05, loss={"kind": kind}, label_smoothing=0.05
    )
    losses = json.loads((tmp_path / "run" / "history.json").read_text())["val_loss"]
    assert min(losses) < losses[0]
    truth = _truth()
    for column in range(2):  # thresholds are chosen for probabilities as they are, calibrated or not
        given = served["scores"][:, column] > 0.5
        both = (given * truth[:, column]).sum()
        assert 2 * both / (given.sum() + truth[:, column].sum()) > 1.2 * truth[:, column].mean()


def test_calibration_is_in_the_exported_graph(tmp_path: Path, root: Path, bert: Path) -> None:
    training = {"trainable": "head", "epochs": 4, "learning_rate": 0.05, "loss": {"kind": "weighted"}}
    plain = _run(tmp_path / "none", root, bert, **training)["probabilities"]
    served = _run(tmp_path / "platt", root, bert, calibration="platt", **training)
    report = json.loads((tmp_path / "platt" / "run" / "calibration.json").read_text())
    for column, label in enumerate(LABELS):
        fitted = report["labels"][label]
        logits = np.log(plain[:, column]) - np.log1p(-plain[:, column])
        expected = 1 / (1 + np.exp(-(fitted["slope"] * logits + fitted["intercept"])))
        np.testing.assert_allclose(served["probabilities"][:, column], expected, atol=1e-4)
    error = report["expected_calibration_error"]
    assert error["after"] < error["before"]
    record = ModelRecord.read(str(tmp_path / "platt" / "model"))
    assert record.calibration is not None
    assert (record.calibration.error_before, record.calibration.error_after) == (error["before"], error["after"])
    for when in ("before", "after"):
        assert sum(each["examples"] for each in report["reliability"][when]) == _N * len(LABELS)
    # Chosen after it: what is above them is what is given.
    np.testing.assert_array_equal(
        served["scores"] > 0.5, served["probabilities"] > np.array(record.thresholds, np.float32)
    )
    uncalibrated = json.loads((tmp_path / "none" / "run" / "calibration.json").read_text())
    assert list(uncalibrated["expected_calibration_error"]) == ["before"]
    assert ModelRecord.read(str(tmp_path / "none" / "model")).calibration is None


def test_a_label_below_the_minimum_precision_is_never_given_and_named_in_one_line(
    tmp_path: Path, root: Path, bert: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="components.trainer.decisions.decisions"):
        served = _run(
            tmp_path, root, bert, max_steps=1, thresholds={"objective": "min_precision", "precision": 1.0}
        )  # fmt: skip
    thresholds = ModelRecord.read(str(tmp_path / "model")).thresholds
    never = [label for label, threshold in zip(LABELS, thresholds, strict=True) if threshold == 1.0]
    assert never, "one step of a random BERT cannot rank a positive first for every label"
    (message,) = [each.getMessage() for each in caplog.records if "never given" in each.getMessage()]
    assert message == f"no threshold gives {', '.join(never)} a precision of 1 on the eval split: never given"
    given = served["scores"] > 0.5
    for column, label in enumerate(LABELS):
        assert given[:, column].any() == (label not in never)
        assert (_truth()[given[:, column], column] == 1).all()
    assert np.isfinite(served["scores"]).all()
