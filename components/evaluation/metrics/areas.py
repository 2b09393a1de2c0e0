"""The areas under curves of any number of examples, in bounded memory.

Exact while the scores fit into `MEMORY_BYTES` (with 28 labels: 3,744 examples of a slice, twice as many where intervals
are wanted, which need a second histogram as large); beyond, the scores become a histogram of that size. With 28 labels
its ROC areas are right to 2e-4; its PR areas to 1.1e-3 for a label that one example in 500 has, and to 3e-5 on average
over the labels.
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
MEMORY_BYTES = 2**19
_BYTES_A_SCORE = 5  # float32 and a bool
_BYTES_A_BIN = 8  # two uint32
# Bins are of equal width in log odds, because the scores of a rare label crowd near 0: in equal steps of probability
# most of them would share a bin. float32 knows no score closer to 1 than log odds of 17.
_LOG_ODDS_LIMIT = 18.0
# For the jackknife, so many bins are enough: how the areas of its replicates differ is what counts.
_COARSE_BINS = 1024
# With very many labels, a histogram takes what so many bins take.
_LEAST_BINS, _LEAST_COARSE_BINS = 512, 64
# Numbers worked on at once.
_CELLS = 1_000_000


class Areas:
    """Scores and right answers of examples, for `n_labels` labels.

    Args:
        n_labels: the labels.
        n_buckets: of the jackknife; 1 where no replicates are wanted.
    """

    def __init__(self, n_labels: int, n_buckets: int) -> None:
        self._n_labels = n_labels
        self._n_buckets = n_buckets
        self._n_bins = max(_LEAST_BINS, MEMORY_BYTES // (_BYTES_A_BIN * n_labels))
        self._n_coarse = min(_COARSE_BINS, max(_LEAST_COARSE_BINS, self._n_bins // n_buckets))
        # Few examples of many labels take less as they are.
        bins = self._n_bins + (n_buckets * self._n_coarse if n_buckets > 1 else 0)
        self._most_scores = max(MEMORY_BYTES, _BYTES_A_BIN * n_labels * bins) // _BYTES_A_SCORE
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
        for labels, scores, positives, _ in self._some_labels():
            found[:, labels] = _exact_areas(scores, positives)
        return found[0], found[1]

    def replicates(self) -> tuple[Floats, Floats]:
        """The areas without each bucket in turn, [n_buckets, n_labels].

        What a bucket changes is told from coarse bins, and put upon the areas themselves.
        """
        roc, pr = self.areas()
        found = np.full((2, self._n_buckets, self._n_labels), np.nan)
        for labels, counts in self._coarse_counts():
            whole = counts.sum(axis=0)
            changes = zip(_areas(whole - counts), _areas(whole), strict=True)
            found[:, :, labels] = [without - coarse for without, coarse in changes]
        return roc + found[0], pr + found[1]

    def _coarse_counts(self) -> Iterator[tuple[slice, npt.NDArray[np.int64]]]:
        """A few labels at a time: which, and their counts [n_buckets, few, bins, 2]."""
        if self._exact is None:
            assert self._coarse is not None
            yield slice(None), self._coarse.astype(np.int64)
            return
        for labels, scores, positives, buckets in self._some_labels():
            bins, n_bins = _bins_by_rank(scores)
            n_labels = scores.shape[1]
            rows = buckets[:, np.newaxis].astype(np.int64) * n_labels + np.arange(n_labels)
            cells = ((rows * n_bins + bins) * 2 + positives).ravel()
            shape = (self._n_buckets, n_labels, n_bins, 2)
            yield labels, np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)

    def _some_labels(self) -> Iterator[tuple[slice, Scores, Truth, Buckets]]:
        """A few labels at a time: which, their scores and right answers, [n, few]; and the buckets, [n]."""
        if not self._exact:
            return
        scores, positives, buckets = (np.concatenate(blocks) for blocks in zip(*self._exact, strict=True))
        n_bins = min(len(scores), _COARSE_BINS)
        few = max(1, _CELLS // max(len(scores), self._n_buckets * n_bins * 2))
        for start in range(0, self._n_labels, few):
            labels = slice(start, start + few)
            yield labels, scores[:, labels], positives[:, labels], buckets

    def _bound(self) -> None:
        """Gives the scores up for a histogram once they would take more memory."""
        if self._exact is not None and sum(scores.size for scores, *_ in self._exact) > self._most_scores:
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


def _exact_areas(scores: Scores, positives: Truth) -> tuple[Floats, Floats]:
    """As `_areas`, of a histogram with a bin for every score that occurs; both [n, n_labels]."""
    order = np.argsort(-scores, axis=0, kind="stable")
    falling = np.take_along_axis(scores, order, axis=0)
    true_positives = np.take_along_axis(positives, order, axis=0).cumsum(axis=0, dtype=np.float64)
    given = np.arange(1, len(scores) + 1, dtype=np.float64)[:, np.newaxis]
    false_positives = given - true_positives
    # The last of equal scores stands for all of them.
    last = np.ones(scores.shape, bool)
    last[:-1] = falling[:-1] != falling[1:]
    before_true, before_false = (_at_the_last_before(counts, last) for counts in (true_positives, false_positives))
    new_true, new_false = (np.where(last, now - before, 0.0) for now, before in (
        (true_positives, before_true), (false_positives, before_false),
    ))  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        roc = (new_false * (before_true + new_true / 2)).sum(axis=0) / (true_positives[-1] * false_positives[-1])
        pr = (new_true * true_positives / given).sum(axis=0) / true_positives[-1]
    return roc, pr


def _at_the_last_before(counts: Floats, last: Truth) -> Floats:
    """The count at the end of the run of equal scores before that of each place, 0 for the first run."""
    ends = np.maximum.accumulate(np.where(last, counts, 0.0), axis=0)
    return np.concatenate([np.zeros((1, counts.shape[1])), ends[:-1]])


def _bins_by_rank(scores: Scores) -> tuple[npt.NDArray[np.int64], int]:
    """A bin for each score, [n, n_labels], equal ones in one, rising; and the number of bins, not above the coarse."""
    order = np.argsort(scores, axis=0, kind="stable")
    rising = np.take_along_axis(scores, order, axis=0)
    first = np.ones(scores.shape, bool)
    first[1:] = rising[1:] != rising[:-1]
    # The place of the first of equal scores: below n, so that a bin is below n_bins.
    place = np.maximum.accumulate(np.where(first, np.arange(len(scores))[:, np.newaxis], 0), axis=0)
    n_bins = min(len(scores), _COARSE_BINS)
    bins = np.empty(scores.shape, np.int64)
    np.put_along_axis(bins, order, place * n_bins // len(scores), axis=0)
    return bins, n_bins


def _place(scores: Scores) -> Floats:
    """Where a score lies in log odds, in 0..1."""
    exact = np.nan_to_num(scores.astype(np.float64), nan=0.0)  # such a label's areas become NaN in the end
    with np.errstate(divide="ignore"):
        log_odds = np.log(exact) - np.log1p(-exact)
    return np.asarray(np.clip(log_odds / (2 * _LOG_ODDS_LIMIT) + 0.5, 0.0, 1.0))


def _bins(unit: Floats, n_bins: int) -> npt.NDArray[np.int64]:
    return np.minimum((unit * n_bins).astype(np.int64), n_bins - 1)


def _areas(histogram: npt.NDArray[np.integer]) -> tuple[Floats, Floats]:
    """The areas under the ROC and the precision-recall curve, the scores in one bin being in any order.

    ROC: the probability that a positive scores above a negative, within a bin half (Hanley and McNeil, 1982).
    PR: average precision, sum over bins of (change of recall) x precision: scikit-learn's `average_precision_score`
    where a bin has one score; where it has more, the precision at its middle positive with half of its negatives above.
    To count them as equal, as scikit-learn would, makes every area too small: by 1e-3 on average; this errs by 3e-5.

    Args:
        histogram: [..., n_bins, 2], counts of negatives and positives, bins of rising score.

    Returns:
        ROC AUC [...], PR AUC [...]; NaN where undefined.
    """
    falling = histogram[..., ::-1, :].astype(np.float64)
    negatives, positives = falling[..., 0], falling[..., 1]
    true_positives, false_positives = positives.cumsum(axis=-1), negatives.cumsum(axis=-1)
    n_positives, n_negatives = positives.sum(axis=-1), negatives.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs_won = (negatives * (true_positives - positives / 2)).sum(axis=-1)
        roc = pairs_won / (n_positives * n_negatives)
        middle = true_positives - (positives - 1) / 2
        precision = np.where(positives > 0, middle / (middle + false_positives - negatives / 2), 0.0)
        pr = (positives * precision).sum(axis=-1) / n_positives
    return roc, pr
