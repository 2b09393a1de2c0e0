"""Integrated gradients, against finite differences along the line from the baseline to the text."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer import integrated_gradients as module
from components.trainer.integrated_gradients import integrated_gradients
from components.trainer.model import build_classifier
from components.trainer.serving_classifier import PackedTexts, ServingClassifier

_ELECTRA = Path(__file__).parents[1] / "checkpoints" / "reference" / "electra"
_POINTS, _STEP = 100, 1e-2
_IDS = [2, 5, 10, 7, 3, 14, 3]  # [CLS] ... [SEP] ... [SEP]


@pytest.fixture(scope="module", params=["cls", "attention"])
def classifier(request: pytest.FixtureRequest) -> ServingClassifier:
    keras.utils.set_random_seed(0)
    model = build_classifier(load_backbone(find_checkpoint(str(_ELECTRA))), 3, dropout=0.1, pooling=request.param)
    if model.pool is not None:
        model.pool.query.assign(np.random.default_rng(1).normal(0, 1, 16))
    model.layers[-1].kernel.assign(np.random.default_rng(0).normal(0, 1, (16, 3)))
    return ServingClassifier(model)


def _finite_differences(classifier: ServingClassifier, label: int) -> np.ndarray:
    """Average, over midpoints of the line, how the logit changes as one token moves from the baseline to the text."""
    words = classifier.words.numpy()[_IDS]
    baseline = np.where(np.isin(np.arange(len(_IDS)), [0, 4, 6])[:, None], words, classifier.words.numpy()[0])
    difference = words - baseline
    segments = tf.ragged.constant([[0, 0, 0, 0, 0, 1, 1]] * _POINTS, tf.int64)
    batch = PackedTexts(tf.ragged.constant([_IDS] * _POINTS, tf.int64))
    line = baseline + ((np.arange(_POINTS) + 0.5) / _POINTS)[:, None, None] * difference

    def logits(points: np.ndarray) -> np.ndarray:
        packed = tf.constant(points.reshape(-1, words.shape[1]), tf.float32)
        return np.asarray(classifier.logits_of_words(packed, batch, segments))[:, label]

    slopes = []
    for token in range(len(_IDS)):
        moved = np.zeros_like(difference)
        moved[token] = difference[token] * _STEP
        slopes.append((logits(line + moved) - logits(line - moved)).mean() / (2 * _STEP))
    return np.array(slopes)


def test_equals_finite_differences_and_adds_up(classifier: ServingClassifier) -> None:
    ids, segments = (tf.ragged.constant([values] * 2, tf.int64) for values in (_IDS, [0, 0, 0, 0, 0, 1, 1]))
    found = tf.function(lambda: vars(integrated_gradients(classifier, ids, segments, tf.constant([0, 2]))))()
    for row, label in enumerate((0, 2)):
        expected = _finite_differences(classifier, label)
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(found["values"][row], expected, atol=5e-3)
        difference = float(found["logits"][row] - found["baseline_logits"][row])
        assert float(tf.reduce_sum(found["values"][row])) == pytest.approx(difference, abs=0.01)
        assert expected[[0, 4, 6]].tolist() == [0.0, 0.0, 0.0], "special tokens stay"
    probabilities = classifier(ids, segments).numpy()
    logits = np.log(probabilities) - np.log1p(-probabilities)
    np.testing.assert_allclose(found["logits"], [logits[0, 0], logits[1, 2]], rtol=1e-4)


def test_takes_more_steps_until_the_gap_is_small(
    classifier: ServingClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tf.ragged.constant([_IDS], tf.int64)
    (first,) = integrated_gradients(classifier, ids, None, tf.constant([0])).steps.numpy()
    assert first == 16
    monkeypatch.setattr(module, "_RELATIVE_BOUND", -1.0)
    monkeypatch.setattr(module, "_ABSOLUTE_BOUND", -1.0)
    (most,) = integrated_gradients(classifier, ids, None, tf.constant([0])).steps.numpy()
    assert most == 256, "gives up after 16 times as many"


def test_a_text_without_words_adds_nothing(classifier: ServingClassifier) -> None:
    found = integrated_gradients(classifier, tf.ragged.constant([[2, 3]], tf.int64), None, tf.constant([1]))
    assert found.values.to_list() == [[0.0, 0.0]]
    assert float(found.logits[0]) == float(found.baseline_logits[0])
