"""Tests of the tables of slices: order, and what is shown of the slice of a label."""

from components.evaluation.metrics.values import LabelMetrics
from components.report.views.slices import slices_view
from tests.components.report.made_up import material


def first_cells(names: list[str]) -> list[str]:
    run = material()
    metrics = run.summary.slices["language=en"]
    view = slices_view(run.summary.model_copy(update={"slices": {f"text_length={name}": metrics for name in names}}))
    assert view is not None
    (table,) = view.tables
    assert [row[0].key for row in table.rows] == sorted(str(row[0].key) for row in table.rows) or "a" in names
    return [str(row[0].shown) for row in table.rows]


def test_sorts_numbers_and_ranges_as_numbers() -> None:
    assert first_cells(["100-199", "0-49", "1000", "50-99"]) == ["0-49", "50-99", "100-199", "1000"]
    assert first_cells(["2", "a", "1"]) == ["2", "a", "1"], "not numbers"


def test_the_slice_of_a_label_shows_how_often_it_is_found() -> None:
    run = material()
    metrics = run.summary.slices["language=en"]["candidate"]
    refund = LabelMetrics(precision=1.0, recall=0.25, f1=0.4, auc=None, pr_auc=None, support=100)
    models = {"candidate": metrics.model_copy(update={"per_label": {"refund": refund}})}
    slices = {"labels=refund": models, "labels=refund, language=en": models}
    view = slices_view(run.summary.model_copy(update={"slices": slices}))
    assert view is not None
    for table in view.tables:
        assert [head.name for head in table.heads][1:] == ["recall", "rows"]
        assert [cell.shown for cell in table.rows[0]][1:] == ["0.250", "100"]


def test_a_comma_in_a_value_divides_nothing() -> None:
    run = material()
    models = run.summary.slices["language=en"]
    slices = {"labels=toys, games": models, "channel=mail [x] a=b, c": models}
    view = slices_view(run.summary.model_copy(update={"slices": slices}))
    assert view is not None
    assert [(table.heads[0].name, str(table.rows[0][0].shown)) for table in view.tables] == [
        ("labels", "toys, games"), ("channel", "mail [x] a=b, c"),
    ]  # fmt: skip
