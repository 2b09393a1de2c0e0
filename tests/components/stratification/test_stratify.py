"""Iterative stratification: every split gets its share of each label, and what was dealt stays."""

import numpy as np
import pytest
from numpy.typing import NDArray

from components.stratification.stratify import UNDEALT, BucketCounts, stratify

_WEIGHTS = (8, 1, 1)


def _counts(labels: NDArray[np.bool_], rows: NDArray[np.int64] | None = None) -> BucketCounts:
    """Return buckets [n] that have the given labels [n, n_labels] in each of their rows."""
    n_rows = np.ones(len(labels), np.int64) if rows is None else rows
    bucket, label = np.nonzero(labels)
    return BucketCounts(np.arange(len(labels)), n_rows, bucket, label, n_rows[bucket])


def _undealt(n: int) -> NDArray[np.uint8]:
    return np.full(n, UNDEALT, np.uint8)


def _shares(labels: NDArray[np.bool_], splits: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the share of each label's rows by split, [n_labels, 3]."""
    by_split = np.stack([labels[splits == split].sum(axis=0) for split in range(3)], axis=1)
    return np.asarray(by_split / by_split.sum(axis=1, keepdims=True))


def _draw(n: int, seed: int = 0) -> NDArray[np.bool_]:
    frequencies = np.array([0.4, 0.2, 0.05, 0.01, 20 / n])
    return np.asarray(np.random.default_rng(seed).random((n, 5)) < frequencies)


def test_every_label_has_its_share_in_every_split() -> None:
    labels = _draw(5_000)
    splits = stratify(_counts(labels), _WEIGHTS, _undealt(5_000))
    rows = labels.sum(axis=0)
    assert (np.abs(_shares(labels, splits) - [0.8, 0.1, 0.1]) < 1.5 / rows[:, np.newaxis]).all()
    assert np.abs(np.bincount(splits) - [4_000, 500, 500]).max() <= 1
    by_chance = np.random.default_rng(1).choice(3, 5_000, p=[0.8, 0.1, 0.1]).astype(np.uint8)
    distance = [np.abs(_shares(labels, each)[:4] - [0.8, 0.1, 0.1]).mean() for each in (splits, by_chance)]
    assert distance[0] < distance[1] / 5


def test_the_rarest_label_is_dealt_first_to_the_split_that_lacks_most_of_it() -> None:
    # Ten rows with the rare label beside a hundred of the frequent one that they all have as well.
    labels = np.zeros((100, 2), bool)
    labels[:, 0] = True
    labels[40:50, 1] = True
    splits = stratify(_counts(labels), _WEIGHTS, _undealt(100))
    assert np.bincount(splits[40:50]).tolist() == [8, 1, 1]
    assert np.bincount(splits).tolist() == [80, 10, 10]


def test_what_was_dealt_stays_and_what_is_new_makes_up_for_it() -> None:
    labels = _draw(2_000)
    dealt = _undealt(2_000)
    dealt[:1_000] = 0  # all of the first rows went to train
    splits = stratify(_counts(labels), (2, 1, 1), dealt)
    assert (splits[:1_000] == 0).all()
    assert np.bincount(splits).tolist() == [1_000, 500, 500]
    np.testing.assert_allclose(_shares(labels, splits)[:3], [[0.5, 0.25, 0.25]] * 3, atol=0.03)


def test_the_rows_of_a_bucket_stay_together_and_count_as_many_times() -> None:
    rng = np.random.default_rng(0)
    rows = np.where(rng.random(3_000) < 0.01, 40, 1)
    labels = _draw(3_000)
    splits = stratify(_counts(labels, rows), _WEIGHTS, _undealt(3_000))
    shares = np.bincount(splits, rows) / rows.sum()
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.01)


def test_a_split_without_a_weight_gets_nothing() -> None:
    splits = stratify(_counts(_draw(300)), (9, 1, 0), _undealt(300))
    assert np.bincount(splits).tolist() == [270, 30]


@pytest.mark.parametrize("n", [0, 1])
def test_deals_out_next_to_nothing(n: int) -> None:
    assert stratify(_counts(np.ones((n, 1), bool)), _WEIGHTS, _undealt(n)).tolist() == [0] * n


def test_many_labels_are_balanced_together() -> None:
    labels = np.random.default_rng(0).random((20_000, 50)) < 0.03
    splits = stratify(_counts(labels), _WEIGHTS, _undealt(20_000))
    assert np.abs(_shares(labels, splits) - [0.8, 0.1, 0.1]).max() < 0.01
