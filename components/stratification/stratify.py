"""Iterative stratification of buckets of rows.

The algorithm is the one of Sechidis, Tsoumakas and Vlahavas: "On the Stratification of Multi-Label Data", ECML PKDD
2011, section 3. The rarest label is dealt out first, each of its rows to the split that lacks most of this label; what
is left of the other labels is then dealt out in the same way. Two things differ. A bucket may hold several rows, which
stay together, so it counts as many times. And buckets may have been dealt out before: they stay, and the splits lack
what is missing beside them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNDEALT = 3
"""Split of a bucket that has none yet; the others are indices in SPLITS, which has three."""


@dataclass(frozen=True)
class BucketCounts:
    """Rows and labels of some buckets.

    Attributes:
        buckets: Numbers of the buckets, ascending, [n].
        rows: Rows of each, [n].
        pair_bucket: For each pair of a bucket and a label that it has: index in `buckets`, [m], ascending.
        pair_label: Its label, from 0, [m].
        pair_rows: Number of rows, [m].
    """

    buckets: NDArray[np.int64]
    rows: NDArray[np.int64]
    pair_bucket: NDArray[np.int64]
    pair_label: NDArray[np.int64]
    pair_rows: NDArray[np.int64]


def stratify(counts: BucketCounts, weights: tuple[int, ...], dealt: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Deal out the buckets that are not dealt yet.

    Args:
        counts: Rows and labels of the buckets.
        weights: Share of each split, by its index; 0 for a split that gets none.
        dealt: Split of each bucket, [n]; `UNDEALT` if it has none yet.

    Returns:
        Split of each bucket, [n]. The same for the same arguments.

    Example:
        >>> pairs = np.arange(6), np.array([0, 0, 0, 1, 1, 1]), np.ones(6, int)
        >>> counts = BucketCounts(np.arange(6), np.ones(6, int), *pairs)
        >>> stratify(counts, (2, 1, 0), np.full(6, UNDEALT, np.uint8)).tolist()
        [0, 0, 1, 0, 0, 1]
    """
    shares = np.array(weights, np.float64) / sum(weights)
    n_labels = int(counts.pair_label.max(initial=-1)) + 1
    result = dealt.copy()
    dealing = _Dealing(counts, shares, n_labels, result)
    while (label := dealing.rarest()) is not None:
        dealing.deal_label(label)
    dealing.deal_rest()
    return result


class _Dealing:
    """Dealing in progress: what each split lacks, of rows and of each label."""

    def __init__(
        self, counts: BucketCounts, shares: NDArray[np.float64], n_labels: int, result: NDArray[np.uint8]
    ) -> None:
        self._counts, self._result = counts, result
        self._splits = [int(split) for split in np.flatnonzero(shares)]
        is_dealt = result != UNDEALT
        self._lacks_rows = _lacking(counts.rows, np.zeros(len(counts.rows), np.int64), 1, shares, result)[0].tolist()
        of_pair = result[counts.pair_bucket]
        self._lacks = _lacking(counts.pair_rows, counts.pair_label, n_labels, shares, of_pair).tolist()
        self._waiting = np.bincount(counts.pair_label[of_pair == UNDEALT], minlength=n_labels)
        self._first_pair = np.searchsorted(counts.pair_bucket, np.arange(len(counts.buckets) + 1)).tolist()
        # Pairs by label; within a label, large buckets first and then by their number, which is a hash.
        open_pairs = np.flatnonzero(~is_dealt[counts.pair_bucket])
        order = np.lexsort(
            (counts.pair_bucket[open_pairs], -counts.pair_rows[open_pairs], counts.pair_label[open_pairs])
        )
        self._by_label = counts.pair_bucket[open_pairs[order]]
        self._first_of_label = np.searchsorted(counts.pair_label[open_pairs[order]], np.arange(n_labels + 1))

    def rarest(self) -> int | None:
        """Return the label with the fewest buckets that wait, which must be one at least; None if none waits."""
        waiting = np.flatnonzero(self._waiting)
        return int(waiting[self._waiting[waiting].argmin()]) if len(waiting) else None

    def deal_label(self, label: int) -> None:
        """Deal out all buckets with a label."""
        lacks = self._lacks[label]
        of_label = self._by_label[self._first_of_label[label] : self._first_of_label[label + 1]]
        for bucket in of_label[self._result[of_label] == UNDEALT].tolist():
            self._put(bucket, max(self._splits, key=lambda split: (lacks[split], self._lacks_rows[split])))

    def deal_rest(self) -> None:
        """Deal out the buckets without labels, the largest first."""
        rest = np.flatnonzero(self._result == UNDEALT)
        for bucket in rest[np.argsort(-self._counts.rows[rest], kind="stable")].tolist():
            self._put(bucket, max(self._splits, key=self._lacks_rows.__getitem__))

    def _put(self, bucket: int, split: int) -> None:
        counts = self._counts
        self._result[bucket] = split
        self._lacks_rows[split] -= int(counts.rows[bucket])
        pairs = slice(self._first_pair[bucket], self._first_pair[bucket + 1])
        for label, rows in zip(counts.pair_label[pairs].tolist(), counts.pair_rows[pairs].tolist(), strict=True):
            self._lacks[label][split] -= rows
            self._waiting[label] -= 1


def _lacking(
    rows: NDArray[np.int64],
    groups: NDArray[np.int64],
    n_groups: int,
    shares: NDArray[np.float64],
    split: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """Return how many rows of each group each split lacks, [n_groups, n_splits], given the split of each entry."""
    wanted = np.bincount(groups, rows, n_groups)[:, np.newaxis] * shares
    present = np.stack(
        [np.bincount(groups[split == index], rows[split == index], n_groups) for index in range(len(shares))], axis=1
    )
    return np.asarray(wanted - present)
