"""Scores at chosen thresholds, against scikit-learn's F1."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from components.trainer.decisions.scores import Scorer
from components.trainer.decisions.settings import BestFBeta
from components.trainer.decisions.thresholds import choose_thresholds


def test_equals_scikit_learn_at_the_thresholds_that_would_be_exported() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 4)) < [0.3, 0.1, 0.0, 0.2]).astype(np.float32)
    probabilities = 1 / (1 + np.exp(2 - 2 * labels - rng.normal(0, 1, labels.shape)))
    settings = BestFBeta(objective="f_beta", beta=2.0)
    scores = Scorer(["a", "b", "never", "old"], settings, retired=[3])(probabilities, labels)
    predicted = probabilities > choose_thresholds(probabilities, labels, [3], settings)
    expected = f1_score(labels[:, :3], predicted[:, :3], average=None, zero_division=0)
    assert scores.f1 == pytest.approx(dict(zip(["a", "b", "never"], expected, strict=True)))
    assert scores.macro_f1 == pytest.approx(expected.mean())


def test_has_no_score_if_all_labels_are_retired() -> None:
    scores = Scorer(["old"], retired=[0])(np.full((3, 1), 0.5), np.zeros((3, 1)))
    assert (scores.macro_f1, scores.f1) == (0.0, {})


def test_scores_what_is_known_and_given_with_what_it_implies() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((300, 3)) < [0.5, 0.3, 0.2]).astype(np.float32)
    probabilities = np.clip(0.5 * labels + 0.5 * rng.random(labels.shape), 0.01, 0.99)
    partial = np.where(rng.random(labels.shape) < 0.4, -1.0, labels)
    partial[:, 2] = -1
    scores = Scorer(["a", "b", "silent"], ancestors={1: (0,)})(probabilities, partial)
    above = probabilities > choose_thresholds(probabilities, partial, ancestors={1: (0,)})
    known = partial[:, 1] >= 0
    expected = f1_score(partial[known, 1], (above[:, 0] & above[:, 1])[known])
    assert scores.f1.keys() == {"a", "b"}
    assert scores.f1["b"] == pytest.approx(expected)
    shares = np.where(labels > 0, 0.7, 0.2)
    assert Scorer(["a", "b", "c"], soft_cut=0.5)(probabilities, shares) == Scorer(["a", "b", "c"])(
        probabilities, labels
    )
