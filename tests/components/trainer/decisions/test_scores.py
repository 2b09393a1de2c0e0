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
