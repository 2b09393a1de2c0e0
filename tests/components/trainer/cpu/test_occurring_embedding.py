"""Training the occurring rows of the word embeddings alone gives the weights of training all of them."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.cpu.occurring_embedding import occurring_embedding
from components.trainer.input_pipeline import encoder_inputs, occurring_token_ids
from components.trainer.loop.fit import fit
from components.trainer.loop.losses import multi_hot_loss
from components.trainer.loop.trainable import freeze
from components.trainer.model import build_classifier
from components.trainer.settings import TrainingSettings
from tests.support.tiny_bert import VOCABULARY, write_tiny_bert

_USED = [0, 1, 2, 3, 5, 6, 7, 11, 12]
_OCCURS = np.isin(np.arange(len(VOCABULARY)), _USED)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def _build(bert: Path) -> Any:
    keras.utils.set_random_seed(0)
    return build_classifier(load_backbone(find_checkpoint(str(bert))), 2, 0.1)


def _batches() -> tf.data.Dataset:
    rng = np.random.default_rng(0)
    rows = [[2, *rng.choice(_USED[4:], rng.integers(1, 6)), 3] for _ in range(24)]
    labels = np.array([[5 in row, 11 in row] for row in rows], np.float32)
    batches = [
        (encoder_inputs(tf.ragged.constant(rows[start : start + 8])), tf.constant(labels[start : start + 8]))
        for start in (0, 8, 16)
    ]
    signature = tf.nest.map_structure(lambda value: tf.TensorSpec([None, None], value.dtype), batches[0])
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)


def test_occurring_rows_learn_the_same_as_among_all(bert: Path, tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=4, batch_size=8, learning_rate=1e-2, layer_decay=0.9, precision="float32")
    weights = []
    for occurs in (None, _OCCURS):
        model = _build(bert)
        shapes = [v.shape for v in model.weights]
        with nullcontext() if occurs is None else occurring_embedding(model, occurs.copy):
            if occurs is not None:
                assert model.backbone.token_embedding.embeddings.shape[0] == len(_USED)
            fit(model, _batches(), _batches(), settings, 24, str(tmp_path), loss=multi_hot_loss())
        weights.append({v.path: v.numpy() for v in model.weights})
        assert [v.shape for v in model.weights] == shapes
    (table,) = [path for path in weights[0] if path.endswith("token_embedding/embeddings")]
    initial = _build(bert).backbone.token_embedding.embeddings.numpy()
    for path, expected in weights[0].items():
        rows = _OCCURS if path == table else ...
        np.testing.assert_allclose(weights[1][path][rows], expected[rows], atol=2e-5, err_msg=path)
    np.testing.assert_array_equal(weights[1][table][~_OCCURS], initial[~_OCCURS])
    assert np.abs(weights[1][table] - initial)[_USED[4:]].max() > 1e-3, "occurring rows have learned"


def test_a_failed_training_leaves_the_whole_table(bert: Path) -> None:
    model = _build(bert)
    before = model.get_weights()
    with pytest.raises(FloatingPointError), occurring_embedding(model, _OCCURS.copy):
        raise FloatingPointError
    for value, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)
    inputs = encoder_inputs(tf.ragged.constant([[2, len(VOCABULARY) - 1, 3]]))
    assert np.isfinite(model(inputs).numpy()).all(), "ids that did not occur are known again"


@pytest.mark.parametrize("case", ["frozen", "nearly all occur"])
def test_keeps_the_whole_table_where_little_is_saved(bert: Path, case: str) -> None:
    model = _build(bert)
    occurs = _OCCURS
    if case == "frozen":
        freeze(model, 1)
    else:
        occurs = np.arange(len(VOCABULARY)) > 0
    with occurring_embedding(model, occurs.copy):
        assert model.backbone.token_embedding.embeddings.shape[0] == len(VOCABULARY)


def test_finds_the_token_ids_that_occur(tmp_path: Path) -> None:
    with tf.io.TFRecordWriter(str(tmp_path / "a.gz"), "GZIP") as writer:
        for ids in ([2, 7, 7, 3], [], [2, 9, 3]):
            feature = {"token_ids": tf.train.Feature(int64_list=tf.train.Int64List(value=ids))}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    assert np.flatnonzero(occurring_token_ids([str(tmp_path / "*")], 11)).tolist() == [0, 2, 3, 7, 9]
