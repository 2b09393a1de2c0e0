"""Metrics of variants are those of the Evaluator."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from components.registry import ModelRecord
from components.variants.measure import Rows, measure

RECORD = ModelRecord(
    model_id="m", labels=["a", "gone", "b"], thresholds=[0.5, 1.0, 0.3], checkpoint="", created="", versions={},
    retired=["gone"],
)  # fmt: skip


def test_metrics_are_at_the_variants_own_thresholds_without_retired_labels() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random([400, 2]) < 0.3
    scores = np.clip(truth * 0.4 + rng.random([400, 2]) * 0.6, 0, 1).astype(np.float32)
    probabilities = np.stack([scores[:, 0], np.zeros(400, np.float32), scores[:, 1]], axis=1)
    labels = [[label for label, given in zip("ab", row, strict=True) if given] for row in truth]
    metrics = measure(probabilities, Rows([""] * 400, [], labels, [[]] * 400), RECORD)
    predicted = scores > np.array([0.5, 0.3], np.float32)
    assert metrics.macro_f1 == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert [each.f1 for each in metrics.per_label.values()] == pytest.approx(f1_score(truth, predicted, average=None))
    assert (list(metrics.per_label), metrics.examples) == (["a", "b"], 400)


def test_unknown_labels_count_neither_way() -> None:
    rows = Rows(["x", "y"], [], [["a"], ["b", "gone"]], [["b"], ["a", "b"]])
    assert rows.multi_hot(RECORD.labels).tolist() == [[1, 0, -1], [-1, 1, 1]]
    metrics = measure(np.array([[0.9, 0, 0.9], [0.9, 0, 0.9]], np.float32), rows, RECORD)
    assert (metrics.per_label["a"].false_positives, metrics.per_label["a"].unknown) == (0, 1)
    assert (metrics.per_label["b"].false_positives, metrics.per_label["b"].unknown) == (0, 1)
