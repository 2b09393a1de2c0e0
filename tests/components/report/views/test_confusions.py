"""Tests of the confusion view: misses, surplus, and labels that occur together."""

from components.evaluation.insights.insights import Confusion, Insights, ScoreCounts, Together
from components.report.views.confusions import Matrix, confusion_view

_SCORES = ScoreCounts(histogram=[], reliability=[])


def insights(**changes: object) -> Insights:
    values: dict[str, object] = {
        "examples": 9,
        "candidate": dict.fromkeys("abc", _SCORES),
        "baseline": None,
        "confusions": [
            Confusion(given="a", right="b", missed=4, beside=1), Confusion(given="b", right=None, missed=2, beside=0),
        ],
        "mistakes": {},
        "missed_alone": {"c": 3},
        "surplus": {"b": 1},
        "together": [
            Together(first="a", second="b", truth=5, predicted=4),
            Together(first="b", second="c", truth=1, predicted=7),
        ],
    }  # fmt: skip
    return Insights.model_validate(values | changes)


def cells(matrix: Matrix | None) -> dict[str, list[int | None]]:
    assert matrix is not None
    return {row.name: [None if cell is None else cell[0] for cell in row.cells] for row in matrix.rows}


def test_shows_misses_and_surplus_beside_confusions() -> None:
    view = confusion_view(insights())
    assert view is not None
    assert view.confusions is not None
    assert view.confusions.columns == ["a", "b", "c", "(no label)", "(besides)"]
    assert cells(view.confusions) == {
        "(nothing)": [0, 0, 3, None, None],
        "a": [None, 4, 0, 0, 0],
        "b": [0, None, 0, 2, 1],
        "c": [0, 0, None, 0, 0],
    }


def test_compares_pairs_in_the_data_with_predicted_ones() -> None:
    view = confusion_view(insights())
    assert view is not None
    assert view.together is not None
    assert [[cell.shown for cell in row] for row in view.together.rows] == [
        ["b + c", "1", "7", "+6"], ["a + b", "5", "4", "−1"],
    ]  # fmt: skip
    assert cells(view.pairs_matrix) == {"a": [None, 4, 0], "b": [5, None, 7], "c": [0, 1, None]}


def test_insights_of_an_older_run_have_confusions_only() -> None:
    view = confusion_view(insights(missed_alone={}, surplus={}, together=[]))
    assert view is not None
    assert (view.together, view.pairs_matrix) == (None, None)
    assert list(cells(view.confusions)) == ["a", "b", "c"]
