"""Tests of the section on the data: frequencies and lengths, train against test against the last data."""

from dataclasses import replace

from components.report.views.data import data_view
from tests.components.report.made_up import material


def test_compares_label_frequencies_of_train_test_and_the_last_data() -> None:
    run = material()
    view = data_view(run)
    assert view is not None
    assert view.compared == [("train", "train"), ("test", "test"), ("last", "last data")]
    table = view.tables[0]
    assert [head.name for head in table.heads] == ["label", "rows", "train, %", "test, %", "last data, %", ""]
    row = next(row for row in table.rows if row[0].shown == "refund")
    assert [cell.shown for cell in row[1:5]] == ["15", "21.0", "14.0", "19.0"]
    assert view.lengths is not None
    assert [name for _, name in view.lengths.legend] == ["train", "test", "last data"]


def test_the_first_training_has_nothing_to_compare_with() -> None:
    run = material()
    assert run.distributions is not None
    view = data_view(replace(run, distributions=run.distributions.model_copy(update={"last": None})))
    assert view is not None
    assert [name for _, name in view.compared] == ["train", "test"]


def test_shows_the_frequencies_of_all_splits_where_no_more_is_known() -> None:
    view = data_view(replace(material(), distributions=None))
    assert view is not None
    assert [head.name for head in view.tables[0].heads] == ["label", "rows", "share, %"]
    assert (view.compared, view.lengths) == ([], None)
