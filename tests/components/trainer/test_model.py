"""The classifier's head."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.model import build_classifier
from tests.support.tiny_bert import write_tiny_bert


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = write_tiny_bert(tmp_path_factory.mktemp("bert"))
    keras.utils.set_random_seed(0)
    return build_classifier(load_backbone(find_checkpoint(str(folder))), n_labels=40, dropout=0.1)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    exponential = np.exp(-np.abs(logits))
    return np.asarray(np.where(logits >= 0, 1, exponential) / (1 + exponential))


def test_labels_are_independent_of_each_other(classifier: Any) -> None:
    inputs = {
        "token_ids": np.array([[2, 12, 13, 3]]), "padding_mask": np.ones((1, 4)), "segment_ids": np.zeros((1, 4)),
    }  # fmt: skip
    logits = classifier(inputs, training=False).numpy()
    probabilities = tf.sigmoid(logits).numpy()
    np.testing.assert_allclose(probabilities, _sigmoid(logits.astype(np.float64)), atol=1e-6)
    # A softmax over 40 labels would sum to 1; independent probabilities near 0.5 sum to about 20.
    assert probabilities.sum() > 10
    # The probability of a label does not depend on the weights of another.
    kernel, bias = classifier.layers[-1].get_weights()
    changed = kernel.copy()
    changed[:, 0] += 3.0
    classifier.layers[-1].set_weights([changed, bias])
    changed_probabilities = tf.sigmoid(classifier(inputs, training=False)).numpy()
    classifier.layers[-1].set_weights([kernel, bias])
    assert changed_probabilities[0, 0] != probabilities[0, 0]
    np.testing.assert_array_equal(changed_probabilities[:, 1:], probabilities[:, 1:])


def test_the_head_is_initialized_as_in_run_classifier(classifier: Any) -> None:
    kernel, bias = classifier.layers[-1].get_weights()
    assert kernel.shape == (16, 40)
    assert not bias.any()
    assert np.abs(kernel).max() <= 0.04 + 1e-6, "truncated at two standard deviations of 0.02"
    assert 0.015 < kernel.std() < 0.02, "the standard deviation of that truncated normal is 0.0176"


def test_padding_changes_nothing(classifier: Any) -> None:
    ids = np.array([[2, 12, 13, 3]])
    padded = np.pad(ids, [(0, 0), (0, 5)])
    short = classifier(
        {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}, training=False
    )
    long = classifier(
        {"token_ids": padded, "padding_mask": np.int64(padded > 0), "segment_ids": np.zeros_like(padded)},
        training=False,
    )
    np.testing.assert_allclose(short, long, atol=1e-5)
