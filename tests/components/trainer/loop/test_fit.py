"""Fitting a model: weights that are kept, files that are written, and errors that end it."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.decisions.scores import Scorer
from components.trainer.loop.fit import fit, predict
from components.trainer.loop.history import History
from components.trainer.loop.losses import multi_hot_loss
from components.trainer.model import build_classifier
from components.trainer.settings import TrainingSettings
from tests.support.tiny_bert import VOCABULARY, write_tiny_bert

_N = 48


@pytest.fixture
def model(tmp_path: Path) -> Any:
    keras.utils.set_random_seed(0)
    return build_classifier(load_backbone(find_checkpoint(str(write_tiny_bert(tmp_path / "bert")))), 2, 0.1)


def _batches(seed: int, *, random_labels: bool = False) -> tf.data.Dataset:
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, len(VOCABULARY), (_N, 6)).astype(np.int32)
    labels = np.stack([ids[:, 1] % 2 == 0, ids[:, 2] % 2 == 0], axis=1)
    if random_labels:
        labels = rng.random((_N, 2)) < 0.5
    inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    return tf.data.Dataset.from_tensor_slices((inputs, labels.astype(np.float32))).batch(16)


def _fit(model: Any, folder: Path, retired: tuple[int, ...] = (), **settings: Any) -> None:
    loss = multi_hot_loss(retired)
    fit(model, _batches(0), _batches(1), TrainingSettings(**settings), _N, str(folder), loss=loss)


def _eval_loss(model: Any, evaluation: tf.data.Dataset) -> float:
    probabilities, labels = predict(model, evaluation)
    return float(np.mean(-(labels * np.log(probabilities) + (1 - labels) * np.log(1 - probabilities))))


def test_restores_the_best_epoch_and_stops_early(model: Any, tmp_path: Path) -> None:
    # With random labels, whatever is learned from train can only hurt on eval.
    train, evaluation = _batches(0, random_labels=True), _batches(1, random_labels=True)
    settings = TrainingSettings(epochs=12, batch_size=16, learning_rate=1e-2, patience=2, warmup=0.0)
    fit(model, train, evaluation, settings, _N, str(tmp_path), loss=multi_hot_loss())
    losses = json.loads((tmp_path / "history.json").read_text())["val_loss"]
    assert len(losses) < 12, "stopped early"
    assert _eval_loss(model, evaluation) == pytest.approx(min(losses), abs=1e-4)
    assert min(losses) < losses[-1]


def test_history_has_the_scores_of_each_epoch(model: Any, tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=2, batch_size=16, learning_rate=1e-2, warmup=0.0)
    evaluation = _batches(1)
    scorer = Scorer(["first", "second"], settings.thresholds)
    fit(model, _batches(0), evaluation, settings, _N, str(tmp_path), loss=multi_hot_loss(), scorer=scorer)
    history = History.read(str(tmp_path))
    best = int(np.argmin(history.val_loss))
    scores = scorer(*predict(model, evaluation))
    assert len(history.val_macro_f1) == len(history.val_f1["first"]) == len(history.val_loss) == 2
    assert history.val_macro_f1[best] == pytest.approx(scores.macro_f1)
    assert {label: values[best] for label, values in history.val_f1.items()} == pytest.approx(scores.f1)


def test_does_not_learn_a_retired_label(model: Any, tmp_path: Path) -> None:
    before = model.layers[-1].get_weights()
    _fit(model, tmp_path, (1,), epochs=1, batch_size=16, learning_rate=1e-2, weight_decay=0.0, warmup=0.0)
    after = model.layers[-1].get_weights()
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old[..., 1], new[..., 1])
        assert (old[..., 0] != new[..., 0]).any()


def test_writes_tensorboard_events(model: Any, tmp_path: Path) -> None:
    _fit(model, tmp_path, epochs=1)
    assert list((tmp_path / "train").glob("events.out.tfevents.*"))
    assert list((tmp_path / "validation").glob("events.out.tfevents.*"))


def test_max_steps_bounds_a_trial(model: Any, tmp_path: Path) -> None:
    _fit(model, tmp_path, epochs=3, batch_size=16, max_steps=4)
    assert int(model.optimizer.iterations.numpy()) == 4


def test_a_loss_that_is_not_a_number_ends_training(model: Any, tmp_path: Path) -> None:
    model.layers[-1].kernel.assign(np.full(model.layers[-1].kernel.shape, np.nan))
    with pytest.raises(FloatingPointError, match=r"not a number at step 1 .*; lower training.learning_rate"):
        _fit(model, tmp_path, epochs=1)


def test_takes_exactly_one_step_per_batch(model: Any, tmp_path: Path) -> None:
    # Keras's own loop counts one step too many in every epoch of a dataset of unknown length.
    train, evaluation = (_batches(seed).filter(lambda *_: True) for seed in (0, 1))
    settings = TrainingSettings(epochs=3, batch_size=16)
    fit(model, train, evaluation, settings, _N, str(tmp_path), loss=multi_hot_loss())
    assert int(model.optimizer.iterations.numpy()) == 3 * -(-_N // 16)
