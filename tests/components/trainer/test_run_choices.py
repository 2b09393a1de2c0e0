"""`run_fn` with what the configuration offers, up to the exported model: trainable, losses, calibration, thresholds."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the operations of the exported tokenizer

from components.checkpoints.find import find_checkpoint, load_backbone
from components.registry import ModelRecord
from components.trainer.serving_classifier import keras_weights
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
        labels = [label for label, share in zip(LABELS, (0.4, 0.2, 0.02), strict=True) if rng.random() < share]
        words = [_WORDS[label] for label in labels] + list(rng.choice(["the", "is", "my", "to", "and"], 3))
        rows.append({"id": [str(number)], "text": [" ".join(rng.permutation(words))], "labels": labels})
    return rows


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    settings = {"vocabulary": str(bert / "vocab.txt"), "lower_case": True, "max_tokens": 32, "truncation": "head"}
    return run_transform(tmp_path_factory.mktemp("rows"), _rows(), LABELS, settings)


def _train(folder: Path, root: Path, bert: Path, **training: Any) -> dict[str, np.ndarray]:
    """Train and export a model; return its probabilities and decision scores of every row."""
    settings = TrainingSettings.model_validate({"batch_size": 16, "seed": 0, **training})
    config = TrainerConfig(training=settings, checkpoint=str(bert), checkpoint_fingerprint="")
    signatures = tf.saved_model.load(str(export(folder, root, config))).signatures
    examples = tf.constant([serialized(row) for row in _rows()])
    return {
        "probabilities": signatures["serving_default"](examples=examples)["probabilities"].numpy(),
        "scores": signatures["evaluation"](examples=examples)["decision_scores"].numpy(),
    }


def _labels() -> np.ndarray:
    """Return the multi-hot labels of the rows."""
    return np.array([[label in row["labels"] for label in LABELS] for row in _rows()], float)


def test_the_exported_model_has_the_head_that_was_trained_alone(tmp_path: Path, root: Path, bert: Path) -> None:
    served = _train(tmp_path, root, bert, trainable="head", epochs=20, learning_rate=0.05, patience=20)
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert history["val_loss"][-1] < 0.95 * history["val_loss"][0]
    labels = _labels()
    loss = -(labels * np.log(served["probabilities"]) + (1 - labels) * np.log1p(-served["probabilities"])).mean()
    assert loss == pytest.approx(min(history["val_loss"]), rel=1e-3), "the served loss equals the eval loss"
    assert sorted(path.name.split(".tfevents")[0] for path in (tmp_path / "run").iterdir()) == [
        "calibration.json", "events.out", "history.json", "train", "validation",
    ]  # fmt: skip


def test_frozen_layers_keep_the_weights_of_the_checkpoint(tmp_path: Path, root: Path, bert: Path) -> None:
    _train(tmp_path, root, bert, trainable=1, max_steps=3, learning_rate=1e-2)
    exported = tf.saved_model.load(str(tmp_path / "model"))
    backbone = load_backbone(find_checkpoint(str(bert)))
    exported_weights = keras_weights(exported.signatures["serve_text"].variables, backbone.num_heads)
    assert exported_weights is not None
    weights = {tuple(np.ravel(value)[:3]) for value in exported_weights}
    for layer, frozen in (("token_embedding", True), ("transformer_layer_0", True), ("transformer_layer_1", False)):
        for variable in backbone.get_layer(layer).trainable_variables:
            if variable.path.endswith(("kernel", "embeddings")):
                assert (tuple(np.ravel(variable.numpy())[:3]) in weights) == frozen, variable.path


@pytest.mark.parametrize("kind", ["weighted", "focal", "asymmetric"])
def test_every_loss_learns(tmp_path: Path, root: Path, bert: Path, kind: str) -> None:
    served = _train(
        tmp_path, root, bert, trainable="head", epochs=10, learning_rate=0.05, loss={"kind": kind}, label_smoothing=0.05
    )
    losses = json.loads((tmp_path / "run" / "history.json").read_text())["val_loss"]
    assert min(losses) < losses[0]
    labels = _labels()
    for column in range(2):  # thresholds suit the probabilities, whether they are calibrated or not
        predicted = served["scores"][:, column] > 0.5
        true_positives = (predicted * labels[:, column]).sum()
        f1 = 2 * true_positives / (predicted.sum() + labels[:, column].sum())
        assert f1 > 1.2 * labels[:, column].mean()


def test_calibration_is_part_of_the_exported_graph(tmp_path: Path, root: Path, bert: Path) -> None:
    training = {"trainable": "head", "epochs": 4, "learning_rate": 0.05, "loss": {"kind": "weighted"}}
    plain = _train(tmp_path / "none", root, bert, **training)["probabilities"]
    served = _train(tmp_path / "platt", root, bert, calibration="platt", **training)
    report = json.loads((tmp_path / "platt" / "run" / "calibration.json").read_text())
    for column, label in enumerate(LABELS):
        fit = report["labels"][label]
        logits = np.log(plain[:, column]) - np.log1p(-plain[:, column])
        expected = 1 / (1 + np.exp(-(fit["slope"] * logits + fit["intercept"])))
        np.testing.assert_allclose(served["probabilities"][:, column], expected, atol=1e-4)
    error = report["expected_calibration_error"]
    assert error["after"] < error["before"]
    record = ModelRecord.read(str(tmp_path / "platt" / "model"))
    assert record.calibration is not None
    assert (record.calibration.error_before, record.calibration.error_after) == (error["before"], error["after"])
    for stage in ("before", "after"):
        assert sum(each["examples"] for each in report["reliability"][stage]) == _N * len(LABELS)
    # Thresholds are chosen for calibrated probabilities.
    np.testing.assert_array_equal(
        served["scores"] > 0.5, served["probabilities"] > np.array(record.thresholds, np.float32)
    )
    uncalibrated = json.loads((tmp_path / "none" / "run" / "calibration.json").read_text())
    assert list(uncalibrated["expected_calibration_error"]) == ["before"]
    assert ModelRecord.read(str(tmp_path / "none" / "model")).calibration is None


def test_a_label_below_the_minimum_precision_is_never_predicted_and_named_in_one_line(
    tmp_path: Path, root: Path, bert: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="components.trainer.decisions.decisions"):
        served = _train(
            tmp_path, root, bert, max_steps=1, thresholds={"objective": "min_precision", "precision": 1.0}
        )  # fmt: skip
    thresholds = ModelRecord.read(str(tmp_path / "model")).thresholds
    never = [label for label, threshold in zip(LABELS, thresholds, strict=True) if threshold == 1.0]
    assert never, "after one step a random BERT cannot rank a positive first for every label"
    (message,) = [each.getMessage() for each in caplog.records if "never predicted" in each.getMessage()]
    assert message == f"no threshold gives {', '.join(never)} a precision of 1 on the eval split: never predicted"
    predicted = served["scores"] > 0.5
    for column, label in enumerate(LABELS):
        assert predicted[:, column].any() == (label not in never)
        assert (_labels()[predicted[:, column], column] == 1).all()
    assert np.isfinite(served["scores"]).all()
