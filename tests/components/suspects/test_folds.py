"""Folds: copies and groups stay together, folds are even, and the order of the examples does not matter."""

import numpy as np

from components.suspects.folds import assign_folds
from schema.features import NO_GROUP


def test_copies_and_groups_are_in_one_fold_also_over_others() -> None:
    rng = np.random.default_rng(0)
    texts = rng.integers(1, 300, 500).astype(np.uint64)
    groups = np.where(rng.random(500) < 0.1, rng.integers(1, 40, 500), NO_GROUP)
    folds = assign_folds(texts, groups, 4)
    for keys in (texts, groups):
        for key in np.unique(keys[keys != NO_GROUP]):
            assert len(set(folds[keys == key])) == 1
    assert set(folds) == {0, 1, 2, 3}


def test_folds_are_of_one_size_beside_a_large_group() -> None:
    texts = np.arange(1, 1_001, dtype=np.uint64)
    groups = np.where(texts <= 150, 5, NO_GROUP)
    assert sorted(np.bincount(assign_folds(texts, groups, 5))) == [200] * 5


def test_rows_without_a_group_are_not_a_group() -> None:
    folds = assign_folds(np.arange(1, 11, dtype=np.uint64), np.full(10, NO_GROUP), 2)
    assert np.bincount(folds).tolist() == [5, 5]


def test_the_order_of_the_examples_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    texts = rng.integers(1, 50, 200).astype(np.uint64)
    groups = rng.integers(0, 30, 200)
    order = rng.permutation(200)
    assert (assign_folds(texts[order], groups[order], 3) == assign_folds(texts, groups, 3)[order]).all()
