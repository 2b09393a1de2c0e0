"""Fitting a model: weights that are kept, files that are written, and errors that end it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.util.tensor_util import make_ndarray

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.decisions.scores import EvalScores, Scorer
from components.trainer.loop import callbacks
from components.trainer.loop.event_files import Notes, Samples, read_scalars
from components.trainer.loop.fit import fit, predict
from components.trainer.loop.history import History
from components.trainer.loop.losses import multi_hot_loss
from components.trainer.loop.optimizer import WarmupLinearDecay
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


def test_monitor_decides_which_epoch_is_kept(model: Any, tmp_path: Path) -> None:
    class Rising(Scorer):
        """Scorer by which each epoch but the last is better than the one before."""

        def __call__(self, probabilities: np.ndarray, labels: np.ndarray) -> EvalScores:
            scores = super().__call__(probabilities, labels)
            return replace(scores, macro_f1=next(values))

    values = iter([0.1, 0.2, 0.3, 0.3])
    train, evaluation = _batches(0, random_labels=True), _batches(1, random_labels=True)
    settings = TrainingSettings(epochs=4, batch_size=16, learning_rate=1e-2, patience=4, warmup=0.0, monitor="macro_f1")
    fit(
        model, train, evaluation, settings, _N, str(tmp_path), loss=multi_hot_loss(),
        scorer=Rising(["first", "second"]),
    )  # fmt: skip
    history = History.read(str(tmp_path))
    assert history.best_epoch == 3
    assert min(history.val_loss) < history.val_loss[2] - 1e-3
    assert _eval_loss(model, evaluation) == pytest.approx(history.val_loss[2], abs=1e-4)


def test_what_is_kept_is_the_average_of_the_weights(model: Any, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 6, "batch_size": 4, "learning_rate": 1e-2, "patience": 6}
    initial = model.get_weights()
    _fit(model, tmp_path, **settings)
    plain, plain_weights = History.read(str(tmp_path)), model.get_weights()
    model.set_weights(initial)
    keras.utils.set_random_seed(0)
    _fit(model, tmp_path, average_epochs=1.0, **settings)
    history = History.read(str(tmp_path))
    assert _eval_loss(model, _batches(1)) == pytest.approx(min(history.val_loss), abs=1e-4)
    assert history.val_loss != plain.val_loss
    assert any((one != other).any() for one, other in zip(model.get_weights(), plain_weights, strict=True))


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


def test_tensorboard_reads_back_what_people_look_at(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "_MIN_BATCHES_BETWEEN_POINTS", 2)
    settings = TrainingSettings(epochs=3, batch_size=16, learning_rate=1e-2)
    notes = Notes({"epochs": 3, "loss.kind": "plain"}, Samples([1, 5], ["broken | slow", "thanks"]))
    evaluation, scorer = _batches(1), Scorer(["first", "second"])
    fit(model, _batches(0), evaluation, settings, _N, str(tmp_path), loss=multi_hot_loss(), scorer=scorer, notes=notes)
    history = History.read(str(tmp_path))
    train, validation = _scalars(tmp_path / "train"), _scalars(tmp_path / "validation")

    # Every second step is a point, and the last of each epoch: 3, 6 and 9.
    steps = [2, 3, 4, 6, 8, 9]
    assert [step for step, _ in train["batch_loss"]] == steps
    assert all(0 < value < 2 for tag in ("batch_loss", "gradient_norm") for _, value in train[tag])
    assert len({value for _, value in train["gradient_norm"]}) == len(steps)
    schedule = WarmupLinearDecay(1e-2, settings.warmup, 9)
    rates: list[Any] = [(step, pytest.approx(schedule.at(step - 1))) for step in steps]
    assert train["learning_rate"] == rates

    def epochs(values: list[float]) -> list[tuple[int, Any]]:
        return [(epoch, pytest.approx(value, rel=1e-6)) for epoch, value in enumerate(values, start=1)]

    assert train["epoch_loss"] == epochs(history.loss)
    assert validation["epoch_loss"] == epochs(history.val_loss)
    assert validation["epoch_macro_f1"] == epochs(history.val_macro_f1)
    assert validation["f1/second"] == epochs(history.val_f1["second"])
    assert read_scalars(f"{tmp_path}/train")["gradient_norm"] == train["gradient_norm"], "the report's own reader"

    events = _events(tmp_path)
    start = HParamsPluginData.FromString(events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content)
    assert start.session_start_info.hparams["epochs"].number_value == 3
    assert start.session_start_info.hparams["loss.kind"].string_value == "plain"
    tables = [make_ndarray(event.tensor_proto).item().decode() for event in events.Tensors("eval_texts")]
    assert len(tables) == 3
    *_, first, second = tables[int(np.argmin(history.val_loss))].split("\n")
    probabilities, labels = predict(model, evaluation)
    own = ", ".join(np.array(["first", "second"])[labels[5] > 0])
    assert first.startswith("| broken \\| slow | ")
    assert second.startswith(f"| thanks | {own} |")
    for label, probability, threshold in zip(
        ("first", "second"), probabilities[5], scorer(probabilities, labels).thresholds, strict=True
    ):
        assert (f"{label} {probability:.2f}" in second) == (probability > threshold)


def _events(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={TENSORS: 0})
    return events.Reload()


def _scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = _events(folder)
    return {
        tag: [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors(tag)]
        for tag in events.Tags()[TENSORS]
    }


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
