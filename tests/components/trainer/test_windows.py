"""Classifiers of long texts: training, head-only training, serving and explaining agree; short texts are as ever."""

import logging
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.canary.reference import Reference
from components.checkpoints.find import find_checkpoint, load_backbone
from components.preprocessing.settings import WindowPool, WindowSettings
from components.preprocessing.windows import cut_windows
from components.suspects.encoding import encode_split
from components.trainer import run
from components.trainer.cpu import optimize_training_for_cpu
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.integrated_gradients import integrated_gradients
from components.trainer.loop.fit import fit, predict
from components.trainer.loop.losses import multi_hot_loss
from components.trainer.loop.parts import Parts
from components.trainer.loop.trainable import freeze
from components.trainer.model import build_classifier, plain_copy
from components.trainer.serving_classifier import ServingClassifier
from components.trainer.settings import TrainerConfig, TrainingSettings
from components.trainer.window_pooling import pool_windows
from components.trainer.windowed_classifier import WindowedClassifier
from components.trainer.windowed_head import encode_windows, windowed_head_over_pooled
from components.trainer.windowed_serving import serving_classifier
from tests.components.preprocessing.transform import Row, run_transform, serialized
from tests.components.trainer.exported import export
from tests.components.trainer.training_process import disable_dropout
from tests.support.tiny_bert import VOCABULARY, write_tiny_bert

_N, _BATCH, _N_LABELS = 30, 8, 2
_SIZE, _STRIDE, _MOST = 12, 5, 6
_LONGEST = _SIZE + (_MOST - 1) * _STRIDE
POOLS: tuple[WindowPool, ...] = ("max", "mean", "attention")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def _windows(pool: WindowPool) -> WindowSettings:
    return WindowSettings(size=_SIZE, stride=_STRIDE, most=_MOST, pool=pool)


def _plain(bert: Path, dropout: float = 0.1) -> Any:
    keras.utils.set_random_seed(0)
    return build_classifier(load_backbone(find_checkpoint(str(bert))), _N_LABELS, dropout)


def _build(bert: Path, pool: WindowPool, dropout: float = 0.1) -> Any:
    return WindowedClassifier(_plain(bert, dropout), _windows(pool), _BATCH)


def _with_scores(bert: Path, pool: WindowPool) -> Any:
    """Return a classifier whose labels weight windows differently, if they weight them."""
    model = _build(bert, pool)
    rng = np.random.default_rng(1)
    model.output_dense.kernel.assign(rng.normal(0, 1, (16, _N_LABELS)))
    if model.head.scores is not None:
        model.head.scores.kernel.assign(rng.normal(0, 1, (16, _N_LABELS)))
    return model


def _texts(n: int, longest: int, shortest: int = 2, seed: int = 0) -> tf.RaggedTensor:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, n)
    return tf.ragged.constant([[2, *rng.integers(5, len(VOCABULARY), length - 2), 3] for length in lengths], tf.int64)


def _batches(texts: tf.RaggedTensor) -> tf.data.Dataset:
    labels = np.stack([np.asarray(texts.to_tensor()).max(1) % 2, np.asarray(texts.row_lengths()) % 2], 1)
    rows = tf.data.Dataset.from_tensor_slices((texts, labels.astype(np.float32))).batch(_BATCH)
    return rows.map(lambda tokens, given: (encoder_inputs(tokens), given))


def _fit(model: Any, batches: tf.data.Dataset, folder: Path, parts: Parts | None, **changes: Any) -> Any:
    options: dict[str, Any] = {"epochs": 2, "batch_size": _BATCH, "learning_rate": 1e-2} | changes
    with optimize_training_for_cpu(model, lambda: np.ones(model.backbone.vocabulary_size, bool)):
        fit(model, batches, batches, TrainingSettings(**options), _N, str(folder), loss=multi_hot_loss(), parts=parts)
    return model


@pytest.mark.parametrize("pool", POOLS)
def test_pools_label_by_label(pool: WindowPool) -> None:
    rng = np.random.default_rng(0)
    logits, scores = (rng.normal(size=(6, 3)).astype(np.float32) for _ in range(2))
    outputs = np.concatenate([logits, scores], axis=1) if pool == "attention" else logits
    pooled = pool_windows(tf.constant(outputs), tf.constant([0, 0, 0, 1, 2, 2]), pool).numpy()
    weights = np.exp(scores)
    expected = [
        {
            "max": logits[rows].max(axis=0),
            "mean": logits[rows].mean(axis=0),
            "attention": (weights[rows] * logits[rows]).sum(axis=0) / weights[rows].sum(axis=0),
        }[pool]
        for rows in ([0, 1, 2], [3], [4, 5])
    ]
    np.testing.assert_allclose(pooled, expected, rtol=1e-5)
    np.testing.assert_array_equal(pooled[1], logits[3])


def test_a_batch_in_parts_has_the_gradient_of_the_whole_batch(bert: Path, tmp_path: Path) -> None:
    batches = _batches(_texts(_N, _LONGEST))
    in_parts, at_once = (_build(bert, "attention", dropout=0.0) for _ in range(2))
    for model in (in_parts, at_once):
        disable_dropout(model.classifier)
    passes: list[int] = []
    encode = in_parts._encode

    def counted(tokens: tf.RaggedTensor, *, training: bool) -> tf.Tensor:
        tf.py_function(lambda n: passes.append(int(n)), [tokens.nrows()], [])
        return encode(tokens, training=training)

    in_parts._encode = counted
    _fit(in_parts, batches, tmp_path, Parts(in_parts.count, _BATCH), accumulate=2)
    _fit(at_once, batches, tmp_path, None, accumulate=2)
    assert max(passes) == _BATCH, "windows of a part, and of a pass of evaluation"
    assert at_once.head.scores.kernel.numpy().any()
    for one, other in zip(in_parts.get_weights(), at_once.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_serves_what_was_trained(bert: Path, pool: WindowPool) -> None:
    model = plain_copy(_with_scores(bert, pool))
    served = serving_classifier(model)
    serve = tf.function(served, input_signature=[tf.RaggedTensorSpec([None, None], tf.int64, 1)])
    # One window; several; more than go through the encoder at once.
    for n, longest in ((1, _SIZE), (1, _LONGEST), (33, _LONGEST), (300, _LONGEST)):
        texts = _texts(n, longest, shortest=longest if n == 1 else 2)
        expected = tf.sigmoid(model(encoder_inputs(texts), training=False))
        np.testing.assert_allclose(serve(texts), expected, atol=1e-5)
    # One long text has the pooled logits of its windows, each served alone.
    text = _texts(1, _LONGEST, shortest=_LONGEST)
    windows = cut_windows(text, model.windows)
    alone = ServingClassifier(model.classifier).logits(windows.tokens)
    if pool == "max":
        np.testing.assert_allclose(served.logits(text)[0], tf.reduce_max(alone, axis=0), atol=1e-5)
    short = _texts(20, _SIZE)
    without = tf.function(ServingClassifier(model.classifier), input_signature=serve.input_signature)
    np.testing.assert_array_equal(serve(short), without(short))
    assert serve(short[:0]).shape == (0, _N_LABELS)


@pytest.mark.parametrize("pool", ["max", "attention"])
def test_the_head_alone_learns_what_it_learns_over_a_frozen_encoder(
    bert: Path, tmp_path: Path, pool: WindowPool
) -> None:
    batches = _batches(_texts(_N, _LONGEST))
    whole, model = (_build(bert, pool, dropout=0.0) for _ in range(2))
    for each in (whole, model):
        freeze(each, "head")
    _fit(whole, batches, tmp_path, Parts(whole.count, _BATCH), trainable="head")
    settings = TrainingSettings(trainable="head", batch_size=_BATCH)
    head, _, evaluation = windowed_head_over_pooled(model, batches, batches, settings, str(tmp_path))
    train = encode_windows(model, batches, str(tmp_path), limit=2_000).batches(_BATCH)
    fit(head, train, evaluation, TrainingSettings(
        epochs=2, batch_size=_BATCH, learning_rate=1e-2, trainable="head"
    ), _N, str(tmp_path), loss=multi_hot_loss())  # fmt: skip
    for one, other in zip(whole.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    np.testing.assert_allclose(predict(head, evaluation)[0], predict(model, batches)[0], atol=1e-5)


def test_the_head_alone_sees_every_text_once_in_an_epoch_in_a_random_order(bert: Path, tmp_path: Path) -> None:
    model = _build(bert, "mean")
    pooled = encode_windows(model, _batches(_texts(_N, _LONGEST)), str(tmp_path))
    dataset = pooled.batches(_BATCH, shuffle_seed=0)
    first, second = ([batch["pooled"].numpy()[:, 0] for batch, _ in dataset] for _ in range(2))
    assert [len(batch) for batch in first] == [8, 8, 8, 6], "as many steps as the schedule of the learning rate has"
    expected = pooled.outputs[np.concatenate([[0], pooled.ends[:-1]])]
    for epoch in (first, second):
        np.testing.assert_array_equal(np.sort(np.concatenate(epoch), axis=0), np.sort(expected, axis=0))
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))


@pytest.mark.parametrize("pool", ["mean", "attention"])
def test_explains_long_texts(bert: Path, pool: WindowPool) -> None:
    model = plain_copy(_with_scores(bert, pool))
    served = serving_classifier(model)
    texts = tf.concat([_texts(1, _LONGEST, shortest=_LONGEST), _texts(1, _SIZE, shortest=_SIZE, seed=1)], axis=0)
    found = tf.function(lambda: vars(integrated_gradients(served, texts, None, tf.constant([0, 1]))))()
    logits = served.logits(texts)
    np.testing.assert_allclose(found["logits"], [logits[0, 0], logits[1, 1]], rtol=1e-4)
    sums = tf.reduce_sum(found["values"], axis=1)
    differences = found["logits"] - found["baseline_logits"]
    bounds = np.maximum(0.01 * np.abs(differences), 0.01)
    assert (np.abs(sums - differences) <= bounds * 1.01).all(), "the words add up to the difference"
    assert np.abs(differences).max() > 0.1
    alone = integrated_gradients(ServingClassifier(model.classifier), texts[1:], None, tf.constant([1]))
    np.testing.assert_allclose(found["values"][1], alone.values[0], atol=1e-5)


def test_a_training_with_windows_resumes_and_exports_what_it_trained(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    windows, names = _windows("attention"), ("praise", "refund")
    words = np.random.default_rng(0).choice(VOCABULARY[5:21], (24, 60))
    rows: list[Row] = [
        {"id": [str(n)], "text": [" ".join(words[n][: 1 + 3 * n])], "labels": [names[n % 2]]} for n in range(24)
    ]
    tokenizer = {
        "vocabulary": str(bert / "vocab.txt"), "lower_case": True, "max_tokens": windows.max_tokens,
        "truncation": "head_tail",
    }  # fmt: skip
    root = run_transform(tmp_path / "transformed", rows, names, tokenizer)
    training = {
        "epochs": 1, "batch_size": 8, "learning_rate": 1e-2, "calibration": "platt", "checkpoint_every": 2,
        "export": {"explain": True},
    }  # fmt: skip
    config = TrainerConfig(
        training=TrainingSettings.model_validate(training),
        checkpoint=str(bert),
        checkpoint_fingerprint="f",
        resume_dir=str(tmp_path / "resume"),
        windows=windows,
    )
    with monkeypatch.context() as patched:
        patched.setattr(run, "export_classifier", Mock(side_effect=OSError("no space left")))
        with pytest.raises(OSError, match="no space left"):
            export(tmp_path / "failed", root, config)
    with caplog.at_level(logging.INFO):
        folder = export(tmp_path / "trained", root, config)
    assert "resuming after step 2 of 3" in caplog.text
    exported = tf.saved_model.load(str(folder))
    examples = tf.constant([serialized(row) for row in rows])
    token_ids = exported.signatures["transform_features"](examples=examples)["token_ids"]
    assert token_ids.shape == (24, windows.max_tokens), "the longest texts are truncated to what the windows hold"
    reference = Reference.read(str(tmp_path / "trained"))
    probabilities = exported.signatures["serve_text"](texts=tf.constant(reference.texts))["probabilities"]
    np.testing.assert_allclose(probabilities, reference.probabilities, atol=1e-5)
    by_example = exported.signatures["serving_default"](examples=examples)["probabilities"].numpy()
    texts = tf.constant([row["text"][0] for row in rows])
    np.testing.assert_allclose(by_example, exported.signatures["serve_text"](texts=texts)["probabilities"], atol=1e-6)
    explained = exported.signatures["explain"](texts=texts[-1:], labels=tf.constant(["refund"]))
    np.testing.assert_allclose(tf.sigmoid(explained["logits"]), by_example[-1:, 1], atol=1e-5)
    assert [piece for piece in explained["pieces"].numpy()[0] if piece] == [
        VOCABULARY[token].encode() for token in token_ids.numpy()[-1]
    ]
    # A search for label errors reads the same windows with the pretrained encoder.
    backbone = load_backbone(find_checkpoint(str(bert)))
    transform = tft.TFTransformOutput(str(root / "graph"))
    split = encode_split(backbone, transform, f"{root}/raw/Split-train", str(tmp_path), windows=windows)
    cut = cut_windows(tf.RaggedTensor.from_tensor(token_ids[-1:]), windows)
    pooled = backbone(encoder_inputs(cut.tokens), training=False)["pooled_output"]
    np.testing.assert_allclose(split.examples.outputs[-1, :16], tf.reduce_mean(pooled, axis=0), atol=1e-5)
