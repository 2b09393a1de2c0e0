"""Pooling of token vectors, padded and packed."""

import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.pooling import Pooling
from components.trainer.pooling import PackedPool, Pool
from components.trainer.settings import TrainingSettings

_LENGTHS = (3, 1, 4)
_WIDTH = 6


def _expected(texts: list[np.ndarray], pooling: Pooling, query: np.ndarray) -> np.ndarray:
    if pooling == "max":
        return np.stack([text.max(axis=0) for text in texts])
    if pooling == "mean":
        return np.stack([text.mean(axis=0) for text in texts])
    weights = [np.exp(text @ query) / np.exp(text @ query).sum() for text in texts]
    return np.stack([weight @ text for weight, text in zip(weights, texts, strict=True)])


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_reads_every_token_and_no_padding(pooling: Pooling) -> None:
    rng = np.random.default_rng(0)
    texts = [rng.normal(0, 1, (length, _WIDTH)).astype(np.float32) - 2 for length in _LENGTHS]
    padded = rng.normal(0, 9, (3, 5, _WIDTH)).astype(np.float32)
    for row, text in enumerate(texts):
        padded[row, : len(text)] = text
    mask = np.int32(np.arange(5) < np.array(_LENGTHS)[:, None])
    pool = Pool(pooling)
    pool.build(padded.shape, mask.shape)
    query = rng.normal(0, 1, _WIDTH).astype(np.float32)
    if pooling == "attention":
        np.testing.assert_allclose(pool(padded, mask), _expected(texts, "mean", query), atol=1e-5, err_msg="at first")
        pool.query.assign(query)
    expected = _expected(texts, pooling, query)
    np.testing.assert_allclose(pool(padded, mask), expected, atol=1e-5)

    packed, rows = tf.constant(np.concatenate(texts)), tf.constant(np.repeat(np.arange(3), _LENGTHS))
    packed_pool = PackedPool(pool)
    np.testing.assert_allclose(packed_pool(packed, rows, tf.constant(3, tf.int64)), expected, atol=1e-5)
    assert packed_pool(packed[:0], rows[:0], tf.constant(0, tf.int64)).shape == (0, _WIDTH)
    # Explanations differentiate the packed one.
    slopes = np.random.default_rng(1).normal(0, 1, expected.shape).astype(np.float32)
    with tf.GradientTape(persistent=True) as tape:
        inputs = tf.constant(padded), packed
        tape.watch(inputs)
        of_padded = tf.reduce_sum(pool(inputs[0], mask) * slopes)
        of_packed = tf.reduce_sum(packed_pool(inputs[1], rows, tf.constant(3, tf.int64)) * slopes)
    slope_of_padded = np.asarray(tape.gradient(of_padded, inputs[0]))
    np.testing.assert_allclose(slope_of_padded[mask > 0], tape.gradient(of_packed, inputs[1]), atol=1e-5)
    assert not slope_of_padded[mask == 0].any()


def test_refuses_a_query_that_nothing_would_train() -> None:
    assert TrainingSettings(trainable="head", pooling="mean").pooling == "mean"
    with pytest.raises(ValueError, match="pooling: attention has a query to train"):
        TrainingSettings(trainable="head", pooling="attention")
