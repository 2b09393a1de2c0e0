"""Training the head alone on pooled outputs equals training the whole model with a frozen encoder."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.checkpoints.pooling import Pooling
from components.trainer.loop.fit import fit, predict
from components.trainer.loop.losses import multi_hot_loss
from components.trainer.loop.pooled import Pooled, encode, head_alone, head_over_pooled
from components.trainer.loop.trainable import freeze
from components.trainer.model import build_classifier
from components.trainer.settings import TrainingSettings
from tests.support.tiny_bert import VOCABULARY, write_tiny_bert

_N, _BATCH = 90, 16  # the last batch is smaller


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def _build(bert: Path, dropout: float, pooling: Pooling = "cls") -> Any:
    keras.utils.set_random_seed(0)
    model = build_classifier(load_backbone(find_checkpoint(str(bert))), 2, dropout, pooling)
    freeze(model, "head")
    return model


def _batches() -> tf.data.Dataset:
    rng = np.random.default_rng(0)
    ids = rng.integers(5, len(VOCABULARY), (_N, 6)).astype(np.int32)
    inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    labels = np.stack([ids[:, 1] % 2 == 0, ids[:, 2] % 2 == 0], axis=1).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(_BATCH)


def _settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings(**{"epochs": 3, "batch_size": _BATCH, "learning_rate": 1e-2, "trainable": "head"} | changes)


def _fit(model: Any, train: tf.data.Dataset, evaluation: tf.data.Dataset, folder: Path, **changes: Any) -> list[float]:
    fit(model, train, evaluation, _settings(**changes), _N, str(folder), loss=multi_hot_loss())
    losses: list[float] = json.loads((folder / "history.json").read_text())["val_loss"]
    return losses


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_equals_training_the_whole_model_with_a_frozen_encoder(bert: Path, tmp_path: Path, pooling: Pooling) -> None:
    whole = _build(bert, dropout=0.0, pooling=pooling)
    expected_losses = _fit(whole, _batches(), _batches(), tmp_path)
    model = _build(bert, dropout=0.0, pooling=pooling)
    pooled = encode(model, _batches(), str(tmp_path))
    losses = _fit(head_alone(model), pooled.batches(_BATCH), pooled.batches(_BATCH), tmp_path)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    for trained, reference in zip(model.layers[-1].get_weights(), whole.layers[-1].get_weights(), strict=True):
        np.testing.assert_allclose(trained, reference, atol=1e-5)
    np.testing.assert_allclose(predict(model, _batches())[0], predict(whole, _batches())[0], atol=1e-5)


def test_the_head_has_dropout_in_training(bert: Path) -> None:
    model = _build(bert, dropout=0.5)
    head = head_alone(model)
    pooled = tf.ones([4, 16])
    assert np.abs(head(pooled, training=True) - head(pooled, training=False)).max() > 1e-3


def test_the_whole_model_has_the_trained_head(bert: Path, tmp_path: Path) -> None:
    model = _build(bert, dropout=0.1)
    before = model.layers[-1].get_weights()[0].copy()
    head, train, evaluation = head_over_pooled(model, _batches(), _batches(), _settings(), str(tmp_path))
    _fit(head, train, evaluation, tmp_path)
    assert np.abs(model.layers[-1].get_weights()[0] - before).max() > 1e-3
    head_probabilities, head_labels = predict(head, evaluation)
    probabilities, labels = predict(model, _batches())
    np.testing.assert_allclose(head_probabilities, probabilities, atol=1e-5)
    np.testing.assert_array_equal(head_labels, labels)


def test_encodes_each_text_once(bert: Path, tmp_path: Path) -> None:
    model = _build(bert, dropout=0.1)
    read: list[str] = []

    def counted(split: str) -> tf.data.Dataset:
        def count(inputs: Any, labels: Any) -> Any:
            tf.py_function(lambda: read.append(split), [], [])
            return inputs, labels

        return _batches().map(count)

    head, train, evaluation = head_over_pooled(model, counted("train"), counted("eval"), _settings(), str(tmp_path))
    _fit(head, train, evaluation, tmp_path)
    assert read == ["train"] * 6 + ["eval"] * 6, "no epoch reads them again"


def test_a_trial_encodes_no_more_texts_than_it_uses(bert: Path, tmp_path: Path) -> None:
    model = _build(bert, dropout=0.1)
    _, train, evaluation = head_over_pooled(model, _batches(), _batches(), _settings(max_steps=2), str(tmp_path))
    assert sum(len(labels) for _, labels in train) == 2 * _BATCH
    assert sum(len(labels) for _, labels in evaluation) == _N


def test_large_outputs_are_in_a_file_that_leaves_no_trace(bert: Path, tmp_path: Path) -> None:
    model = _build(bert, dropout=0.1)
    in_memory = encode(model, _batches(), str(tmp_path / "a"))
    on_disk = encode(model, _batches(), str(tmp_path / "b"), limit=2_000)
    assert isinstance(on_disk.outputs, np.memmap)
    assert not isinstance(in_memory.outputs, np.memmap)
    np.testing.assert_array_equal(on_disk.outputs, in_memory.outputs)
    np.testing.assert_array_equal(on_disk.labels, in_memory.labels)
    assert not list((tmp_path / "b").iterdir())
    for mapped, expected in zip(on_disk.batches(_BATCH, 0), in_memory.batches(_BATCH, 0), strict=True):
        np.testing.assert_array_equal(mapped[0], expected[0])


def test_a_label_half_of_which_is_unknown_learns_what_it_would_without_these_rows(bert: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, hidden = 4_000, _build(bert, dropout=0.0).backbone.hidden_dim
    outputs = rng.normal(size=(n, hidden)).astype(np.float32)
    truth = (outputs @ rng.normal(size=(hidden, 2)) + rng.normal(size=(n, 2)) > 1.0).astype(np.int8)
    half = rng.random(n) < 0.5
    masked = truth.copy()
    masked[half, 1] = -1
    as_no = np.maximum(masked, 0)

    def learn(name: str, outputs: Any, labels: Any, known: float | None) -> Any:
        keras.utils.set_random_seed(0)
        head = head_alone(_build(bert, dropout=0.0))
        batches = Pooled(outputs[:3_000], labels[:3_000]).batches(_BATCH, 0)
        evaluation = Pooled(outputs[-500:], truth[-500:]).batches(_BATCH)
        settings = _settings(epochs=4)
        loss = multi_hot_loss(known_per_example=known)
        fit(head, batches, evaluation, settings, len(outputs[:3_000]), str(tmp_path / name), loss=loss,
            eval_loss=multi_hot_loss())  # fmt: skip
        probabilities, right = predict(head, Pooled(outputs_of_test, truth[3_000:]).batches(_BATCH))
        costs = -np.where(right > 0, np.log(probabilities), np.log1p(-probabilities))
        return probabilities, costs.mean(axis=0)

    outputs_of_test = outputs[3_000:]
    partial, cost = learn("masked", outputs, masked, float((masked[:3_000] >= 0).sum() / 3_000))
    kept = np.concatenate([np.flatnonzero(~half[:3_000]), np.arange(3_000, n)])
    short = Pooled(outputs[kept], truth[kept])
    keras.utils.set_random_seed(0)
    alone = head_alone(_build(bert, dropout=0.0))
    rows = len(kept) - 1_000
    fit(alone, Pooled(short.outputs[:rows], short.labels[:rows]).batches(_BATCH, 0),
        Pooled(outputs[-500:], truth[-500:]).batches(_BATCH), _settings(epochs=8), rows, str(tmp_path / "alone"),
        loss=multi_hot_loss())  # fmt: skip
    without, right = predict(alone, Pooled(outputs_of_test, truth[3_000:]).batches(_BATCH))
    cost_without = -np.where(right > 0, np.log(without), np.log1p(-without)).mean(axis=0)
    _, cost_as_no = learn("as_no", outputs, as_no, None)
    assert cost[1] == pytest.approx(cost_without[1], abs=0.02)
    assert cost_as_no[1] > cost[1] + 0.05, "rows that nobody labelled must not train as no"
    assert np.corrcoef(partial[:, 1], without[:, 1])[0, 1] > 0.99


def _numbered(n: int) -> Pooled:
    return Pooled(np.arange(n, dtype=np.float32)[:, np.newaxis], (np.arange(n) % 2).astype(np.int8)[:, np.newaxis])


@pytest.mark.parametrize(("n", "batch_size"), [(1, 4), (90, 16), (4097, 2), (5000, 1)])
def test_an_epoch_has_each_row_once_with_its_labels(n: int, batch_size: int) -> None:
    dataset = _numbered(n).batches(batch_size, shuffle_seed=0)
    for _ in range(2):
        batches = [(rows.numpy(), labels.numpy()) for rows, labels in dataset]
        assert len(batches) == -(-n // batch_size), "as many steps as the schedule of the learning rate has"
        rows, labels = (np.concatenate(parts)[:, 0] for parts in zip(*batches, strict=True))
        assert sorted(rows) == list(range(n))
        np.testing.assert_array_equal(labels, rows % 2)


def test_the_order_is_random_differs_by_epoch_and_depends_on_the_seed() -> None:
    def order(dataset: tf.data.Dataset) -> list[float]:
        return [float(row) for rows, _ in dataset for row in rows[:, 0]]

    dataset = _numbered(3000).batches(16, shuffle_seed=0)
    first, second = order(dataset), order(dataset)
    assert first != second
    assert order(_numbered(3000).batches(16, shuffle_seed=0)) == first
    assert order(_numbered(3000).batches(16, shuffle_seed=1)) != first
    assert abs(np.corrcoef(first, np.arange(3000))[0, 1]) < 0.1
    assert order(_numbered(3000).batches(16)) == sorted(first)
