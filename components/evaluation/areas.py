"""The areas under curves of any number of examples, in bounded memory.

Exact while the scores fit into `MEMORY_BYTES` (with 28 labels: 59,000 examples of a slice); beyond, the scores become a
histogram of that size; the tests say how close its areas come.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]
Truth = npt.NDArray[np.bool_]
Buckets = npt.NDArray[np.uint8]

# The scores of a tally, or the histogram in their place, never take much more, whatever the number of examples; there
# is one a slice and model.
MEMORY_BYTES = 8 * 2**20
_BYTES_A_SCORE = 5  # float32 and a bool
_BYTES_A_BIN = 8  # two uint32
# Bins are of equal width in log odds, because the scores of a rare label crowd near 0: in equal steps of probability
# most of them would share a bin. float32 knows no score closer to 1 than log odds of 17.
_LOG_ODDS_LIMIT = 18.0
# For the jackknife, so many bins are enough: how the areas of its replicates differ is what counts.
_COARSE_BINS = 1024


class Areas:
    """Scores and right answers of examples, for `n_labels` labels.

    Args:
        n_labels: the labels.
        n_buckets: of the jackknife; 1 where no replicates are wanted.
    """

    def __init__(self, n_labels: int, n_buckets: int) -> None:
        self._n_labels = n_labels
        self._n_buckets = n_buckets
        self._n_bins = max(2, MEMORY_BYTES // (_BYTES_A_BIN * n_labels))
        self._n_coarse = min(_COARSE_BINS, max(2, self._n_bins // n_buckets))
        self._exact: list[tuple[Scores, Truth, Buckets]] | None = []
        self._fine: npt.NDArray[np.uint32] | None = None  # [n_labels, n_bins, 2]: negatives, positives
        self._coarse: npt.NDArray[np.uint32] | None = None  # [n_buckets, n_labels, n_coarse, 2]

    def add(self, scores: Scores, positives: Truth, buckets: Buckets) -> None:
        """Adds examples: [n, n_labels] twice, and the jackknife's bucket of each, [n]."""
        if self._exact is not None:
            self._exact.append((scores, positives, buckets))
            self._bound()
        else:
            self._count(scores, positives, buckets)

    def merge(self, other: "Areas") -> None:
        """Adds the examples of another, which is not to be used any more."""
        if self._exact is not None and other._exact is not None:
            self._exact += other._exact
            self._bound()
            return
        self._give_up_scores()
        other._give_up_scores()
        self._fine = self._fine + other._fine  # type: ignore[operator]  # both were counted
        if self._coarse is not None:
            self._coarse = self._coarse + other._coarse  # type: ignore[operator]

    def areas(self) -> tuple[Floats, Floats]:
        """ROC AUC and PR AUC of each label, [n_labels]; NaN where undefined."""
        if self._exact is None:
            assert self._fine is not None
            return _areas(self._fine)
        found = np.full((2, self._n_labels), np.nan)
        for label, (bins, n_bins, positives, _) in self._by_label():
            counts = np.bincount(2 * bins + positives, minlength=2 * n_bins)
            found[:, label] = np.ravel(_areas(counts.reshape(1, -1, 2)))
        return found[0], found[1]

    def replicates(self) -> tuple[Floats, Floats]:
        """The areas without each bucket in turn, [n_buckets, n_labels]."""
        if self._exact is None:
            assert self._coarse is not None
            return _areas(self._coarse.sum(axis=0, dtype=np.int64) - self._coarse)
        found = np.full((2, self._n_buckets, self._n_labels), np.nan)
        for label, (bins, n_bins, positives, buckets) in self._by_label():
            n_coarse = min(n_bins, _COARSE_BINS)
            cells = (buckets.astype(np.int64) * n_coarse + bins * n_coarse // n_bins) * 2 + positives
            counts = np.bincount(cells, minlength=self._n_buckets * n_coarse * 2).reshape(-1, n_coarse, 2)
            found[:, :, label] = _areas(counts.sum(axis=0) - counts)
        return found[0], found[1]

    def _by_label(self) -> Iterator[tuple[int, tuple[npt.NDArray[np.int64], int, Truth, Buckets]]]:
        """Each label, its scores as a bin for every score that occurs, the number of bins, right answers, buckets."""
        if not self._exact:
            return
        scores, positives, buckets = (np.concatenate(blocks) for blocks in zip(*self._exact, strict=True))
        for label in range(self._n_labels):
            values, bins = np.unique(scores[:, label], return_inverse=True)
            yield label, (bins, len(values), positives[:, label], buckets)

    def _bound(self) -> None:
        """Gives the scores up for a histogram once they would take more memory."""
        limit = MEMORY_BYTES // _BYTES_A_SCORE
        if self._exact is not None and sum(scores.size for scores, *_ in self._exact) > limit:
            self._give_up_scores()

    def _give_up_scores(self) -> None:
        if self._exact is None:
            return
        blocks, self._exact = self._exact, None
        self._fine = np.zeros((self._n_labels, self._n_bins, 2), np.uint32)
        if self._n_buckets > 1:
            self._coarse = np.zeros((self._n_buckets, self._n_labels, self._n_coarse, 2), np.uint32)
        for block in blocks:
            self._count(*block)

    def _count(self, scores: Scores, positives: Truth, buckets: Buckets) -> None:
        unit = _place(scores)
        labels = np.arange(self._n_labels)
        assert self._fine is not None
        cells = (labels * self._n_bins + _bins(unit, self._n_bins)) * 2 + positives
        np.add.at(self._fine.reshape(-1), cells.ravel(), np.uint32(1))
        if self._coarse is not None:
            rows = buckets[:, np.newaxis].astype(np.int64) * self._n_labels + labels
            cells = (rows * self._n_coarse + _bins(unit, self._n_coarse)) * 2 + positives
            np.add.at(self._coarse.reshape(-1), cells.ravel(), np.uint32(1))


def _place(scores: Scores) -> Floats:
    """Where a score lies in log odds, in 0..1."""
    exact = np.nan_to_num(scores.astype(np.float64), nan=0.0)  # such a label's areas become NaN in the end
    with np.errstate(divide="ignore"):
        log_odds = np.log(exact) - np.log1p(-exact)
    return np.asarray(np.clip(log_odds / (2 * _LOG_ODDS_LIMIT) + 0.5, 0.0, 1.0))


def _bins(unit: Floats, n_bins: int) -> npt.NDArray[np.int64]:
    return np.minimum((unit * n_bins).astype(np.int64), n_bins - 1)


def _areas(histogram: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
    """The areas under the ROC and the precision-recall curve, scores in one bin counting as equal.

    ROC: the probability that a positive scores above a negative, ties counting half (Hanley and McNeil, 1982).
    PR: average precision, sum over bins of (change of recall) x precision, as scikit-learn's
    `average_precision_score`.

    Args:
        histogram: [..., n_bins, 2], counts of negatives and positives, bins of rising score.

    Returns:
        ROC AUC [...], PR AUC [...]; NaN where undefined.
    """
    falling = histogram[..., ::-1, :].astype(np.float64)
    negatives, positives = falling[..., 0], falling[..., 1]
    true_positives, given = positives.cumsum(axis=-1), falling.sum(axis=-1).cumsum(axis=-1)
    n_positives, n_negatives = positives.sum(axis=-1), negatives.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs_won = (negatives * (true_positives - positives / 2)).sum(axis=-1)
        roc = pairs_won / (n_positives * n_negatives)
        precision = np.where(given > 0, true_positives / given, 0.0)
        pr = (positives * precision).sum(axis=-1) / n_positives
    return roc, pr
