"""Ranking of suspects: planted errors come first, and what cannot be judged is named."""

import cleanlab.filter
import numpy as np
from numpy.typing import NDArray

from components.suspects.ranking import MIN_EXAMPLES, rank_suspects


def _data(frequencies: list[float], n: int = 2_000) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return labels, and probabilities that separate them but for a few examples."""
    rng = np.random.default_rng(0)
    labels = (rng.random((n, len(frequencies))) < frequencies).astype(np.int8)
    probabilities = np.clip(0.15 + 0.7 * labels + rng.normal(0, 0.08, labels.shape), 0.01, 0.99)
    return labels, probabilities.astype(np.float32)


def test_planted_errors_of_both_kinds_are_found() -> None:
    labels, probabilities = _data([0.3, 0.1])
    planted = {
        (int(row), column)
        for column in (0, 1)
        for kind in (0, 1)
        for row in np.flatnonzero(labels[:, column] == kind)[:10]
    }
    for row, column in planted:
        labels[row, column] ^= 1
    ranking = rank_suspects(labels, probabilities, set())
    found = set(zip(ranking.rows.tolist(), ranking.columns.tolist(), strict=True))
    # Confident learning counts the errors of which the model is surer than it is of correct answers on average.
    assert found <= planted
    assert len(found) >= len(planted) / 3
    assert {(column, labels[row, column]) for row, column in found} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert (np.diff(ranking.scores) >= 0).all()
    of_yes = probabilities[ranking.rows, ranking.columns]
    expected = np.where(labels[ranking.rows, ranking.columns] == 1, of_yes, 1 - of_yes)
    np.testing.assert_allclose(ranking.scores, expected, atol=1e-6)


def test_a_label_is_judged_as_cleanlab_judges_it_alone() -> None:
    labels, probabilities = _data([0.3, 0.05])
    labels[:30, 1] ^= 1
    ranking = rank_suspects(labels, probabilities, set())
    alone = cleanlab.filter.find_label_issues(
        labels[:, 1], np.stack([1 - probabilities[:, 1], probabilities[:, 1]], axis=1), n_jobs=1
    )
    assert set(ranking.rows[ranking.columns == 1]) == set(np.flatnonzero(alone))


def test_a_label_with_few_examples_and_a_retired_one_are_not_judged() -> None:
    labels, probabilities = _data([0.3, 0.3, 0.3])
    labels[:, 1] = 0
    labels[: MIN_EXAMPLES - 1, 1] = 1
    labels[-20:, [0, 2]] ^= 1
    ranking = rank_suspects(labels, probabilities, {2})
    assert ranking.unjudged == (1,)
    assert set(ranking.columns) == {0}


def test_nothing_is_found_where_nothing_can_be_judged() -> None:
    ranking = rank_suspects(np.zeros((10, 2), np.int8), np.full((10, 2), 0.1, np.float32), set())
    assert (len(ranking.rows), ranking.unjudged) == (0, (0, 1))


def test_what_nobody_knows_is_never_suspected_and_tells_nothing_about_the_rest() -> None:
    labels, probabilities = _data([0.3])
    labels[:40] ^= 1
    unknown = np.random.default_rng(1).random(len(labels)) < 0.5
    partial = np.where(unknown[:, np.newaxis], np.int8(-1), labels)
    ranking = rank_suspects(partial, probabilities, set())
    alone = rank_suspects(labels[~unknown], probabilities[~unknown], set())
    assert set(ranking.rows) == set(np.flatnonzero(~unknown)[alone.rows])
