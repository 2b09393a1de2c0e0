"""Ranking of likely label errors by confident learning for multi-label data, as cleanlab implements it.

A label asks each example one question with the answer yes or no. Confident learning (Northcutt, Jiang, Chuang:
"Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021) estimates from out-of-fold probabilities
how many answers of either kind are wrong, and names as many of them, those that the model contradicts most. cleanlab
does so label by label (Thyagarajan et al.: "Identifying Incorrect Annotations in Multi-Label Classification Data",
2022) and scores an answer by its self-confidence, the probability of the answer that was given.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Examples of either answer below which a label is not judged: a model that saw fewer cannot contradict anybody.
MIN_EXAMPLES = 5


@dataclass(frozen=True)
class Ranking:
    """Suspects, the most likely errors first.

    Attributes:
        rows: Row of each suspect, [n].
        columns: Column of its label, [n].
        scores: Self-confidence of the answer that was given, from 0 to 1, ascending, [n].
        unjudged: Columns that were not judged, ascending.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    scores: NDArray[np.float64]
    unjudged: tuple[int, ...]


def rank_suspects(labels: NDArray[Any], probabilities: NDArray[np.float32], left_out: set[int]) -> Ranking:
    """Return the answers that are likely to be wrong.

    Args:
        labels: Multi-hot labels as the data give them, [n, n_labels]; -1 where unknown, which nobody can contradict.
        probabilities: Out-of-fold probabilities, [n, n_labels].
        left_out: Columns of labels that are not in use.
    """
    parts, unjudged = [], []
    for column in range(labels.shape[1]):
        if column in left_out:
            continue
        known = np.flatnonzero(labels[:, column] >= 0)
        given = labels[known, column]
        positives = int(given.sum())
        if min(positives, len(given) - positives) < MIN_EXAMPLES:
            unjudged.append(column)
            continue
        rows, scores = _judge(given, probabilities[known, column])
        parts.append((known[rows], np.full(len(rows), column), scores))
    rows, columns, scores = (np.concatenate(each) for each in zip(*parts, strict=True)) if parts else _NOTHING
    order = np.lexsort((rows, columns, scores))
    return Ranking(rows[order], columns[order], scores[order], tuple(unjudged))


_NOTHING = (np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0))


def _judge(given: NDArray[Any], probabilities: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the rows with a likely error in one label, and the self-confidence of each."""
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class

    # One label at a time, so that memory does not grow with the number of labels.
    answers = [[0] if is_given else [] for is_given in given.tolist()]
    column = probabilities[:, np.newaxis].astype(np.float64)
    rows = np.flatnonzero(find_multilabel_issues_per_class(answers, column, n_jobs=1)[:, 0])
    return rows, get_label_quality_scores_per_class(answers, column)[rows, 0]
