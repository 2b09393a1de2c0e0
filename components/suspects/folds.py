"""Folds of examples for out-of-fold probabilities. Copies of a text and rows of a group are always in one fold."""

import heapq

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from schema.features import NO_GROUP


def assign_folds(text_keys: NDArray[np.uint64], groups: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Assign examples to folds of about the same size.

    Examples with the same text or of the same group are connected, also over others. Whatever is connected goes into
    one fold: the largest unit first, each into the fold with the fewest examples so far. A model that is asked about a
    text has therefore seen neither a copy of it nor anything else of its group.

    Args:
        text_keys: Hash of each example's text, [n].
        groups: Hash of each example's group, [n]; `NO_GROUP` for none.
        folds: Number of folds.

    Returns:
        Fold of each example, [n]; independent of the examples' order.

    Example:
        >>> texts, groups = np.array([11, 11, 12, 13, 14], np.uint64), np.array([0, 7, 7, 0, 0])
        >>> assign_folds(texts, groups, 2).tolist()
        [0, 0, 0, 1, 1]
    """
    unit = _connect(text_keys, groups)
    sizes = np.bincount(unit)
    # Units of one size are taken in the order of their texts' hashes, which is random but always the same.
    least = np.full(len(sizes), np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, unit, text_keys)
    fold_of_unit = np.empty(len(sizes), np.int64)
    filled = [(0, fold) for fold in range(folds)]
    for each in np.lexsort((least, -sizes)):
        count, fold = filled[0]
        fold_of_unit[each] = fold
        heapq.heapreplace(filled, (count + int(sizes[each]), fold))
    return fold_of_unit[unit]


def _connect(text_keys: NDArray[np.uint64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each example that the connected ones, and no others, have in common."""
    texts, text = np.unique(text_keys, return_inverse=True)
    is_grouped = groups != NO_GROUP
    names, group = np.unique(groups[is_grouped], return_inverse=True)
    n = len(texts) + len(names)
    edges = coo_array((np.ones(len(group), np.int8), (text[is_grouped], len(texts) + group)), shape=(n, n))
    _, component = connected_components(edges, directed=False)
    return np.unique(component[text], return_inverse=True)[1].astype(np.int64)
