"""Tests of the table of all labels: the worst first, F1 first, and links to the labels' sections."""

from components.report.views.labels import MOST_SECTIONS, label_anchors, labels_table, order_labels
from tests.components.report.made_up import material


def test_the_worst_come_first_and_those_without_a_test_example_last() -> None:
    metrics = material(("a", "b", "c", "d")).summary.metrics
    assert metrics is not None
    f1 = {"a": (0.8, 9), "b": (0.0, 0), "c": (None, 5), "d": (0.3, 4)}
    per_label = {
        label: metrics.per_label["a"].model_copy(update={"f1": value, "support": support})
        for label, (value, support) in f1.items()
    }
    metrics = metrics.model_copy(update={"per_label": per_label})
    assert order_labels(metrics) == ["c", "d", "a", "b"]


def test_f1_comes_before_precision_and_counts_have_short_heads() -> None:
    table = labels_table(material().summary)
    assert table is not None
    names = [head.name for head in table.heads]
    assert names[:5] == ["label", "F1", "", "baseline", "change"]
    assert [names.index(name) for name in ("TP", "FP", "FN", "TN")] == [8, 9, 10, 11]
    assert table.heads[8].full == "true positives"
    assert 'class="baseline"' in str(table.rows[0][2].shown), "a tick at the F1 of the baseline"


def test_every_label_with_a_section_links_to_it() -> None:
    labels = [f"label {number}" for number in range(MOST_SECTIONS + 5)]
    summary = material(labels, rows=10).summary
    anchors, table = label_anchors(summary.metrics), labels_table(summary)
    assert table is not None
    assert len(anchors) == MOST_SECTIONS
    assert [row[0].link for row in table.rows] == [anchors.get(str(row[0].shown), "") for row in table.rows]
