"""What the summary keeps of a slice."""

from components.evaluation.metrics.catalogue import AVERAGES, LABEL_RATES
from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.report.gather import _without_the_absent


def model(**labels: tuple[int, int]) -> Metrics:
    """A model's metrics; label -> its support and false positives."""
    per_label = {
        label: LabelMetrics(**dict.fromkeys(LABEL_RATES, 0.0), support=support, false_positives=false_positives)
        for label, (support, false_positives) in labels.items()
    }
    return Metrics(**dict.fromkeys(AVERAGES, 0.5), examples=3, per_label=per_label)


def test_a_label_that_has_nothing_to_do_with_a_slice_is_left_out_of_it() -> None:
    models = {
        "candidate": model(here=(1, 0), invented=(0, 2), absent=(0, 0), once_invented=(0, 0)),
        "baseline": model(here=(1, 1), absent=(0, 0), once_invented=(0, 1)),
    }
    kept = _without_the_absent(models)
    assert list(kept["candidate"].per_label) == ["here", "invented", "once_invented"]
    assert list(kept["baseline"].per_label) == ["here", "once_invented"]
    assert kept["candidate"].macro_f1 == 0.5
