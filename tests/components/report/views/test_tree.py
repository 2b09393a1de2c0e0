"""The tree of labels that imply others, in the section of the labels."""

from dataclasses import replace

from components.report.page import build_page
from components.report.views.labels import implications_table
from tests.components.report.made_up import material


def test_shows_the_tree_of_labels_that_imply_others() -> None:
    metrics = material(("animal", "dog", "spaniel", "cat")).summary.metrics
    assert metrics is not None
    table = implications_table(metrics, {"spaniel": ["dog"], "dog": ["animal"], "cat": ["animal"]})
    assert table is not None
    shown = [(row[0].shown.strip("\u2003\u2514\u2002"), row[0].shown.count("\u2003")) for row in table.rows]
    assert shown == [("animal", 0), ("dog", 0), ("spaniel", 1), ("cat", 0)]
    assert implications_table(metrics, {}) is None


def test_the_page_has_the_tree_if_the_model_has_one() -> None:
    run = material()
    caption = "Labels that imply others"
    assert caption not in build_page(run)
    assert run.model is not None
    run = replace(run, model=run.model.model_copy(update={"implies": {"refund": ["billing"]}}))
    assert caption in build_page(run)
