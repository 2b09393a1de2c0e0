"""Summary of a run: labels that it keeps for a slice."""

from components.evaluation.metrics.catalogue import average_names, label_rate_names
from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.report.gather import _without_absent_labels


def model(**labels: tuple[int, int]) -> Metrics:
    """Return the metrics of a model from support and false positives by label."""
    per_label = {
        label: LabelMetrics(**dict.fromkeys(label_rate_names(), 0.0), support=support, false_positives=false_positives)
        for label, (support, false_positives) in labels.items()
    }
    return Metrics(**dict.fromkeys(average_names(), 0.5), examples=3, per_label=per_label)


def test_drops_labels_that_a_slice_neither_has_nor_was_given() -> None:
    models = {
        "candidate": model(present=(1, 0), invented=(0, 2), absent=(0, 0), once_invented=(0, 0)),
        "baseline": model(present=(1, 1), absent=(0, 0), once_invented=(0, 1)),
    }
    kept = _without_absent_labels(models)
    assert list(kept["candidate"].per_label) == ["present", "invented", "once_invented"]
    assert list(kept["baseline"].per_label) == ["present", "once_invented"]
    assert kept["candidate"].macro_f1 == 0.5
