"""What stops a run, and in which words."""

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate import anomalies_in_words, unknown_labels
from components.example_gen.report import IngestReport, LabelCount


def _report(**labels: int) -> IngestReport:
    return IngestReport(
        read=100,
        accepted=100,
        quarantined=0,
        reasons={},
        splits={"train": 80, "eval": 10, "test": 10},
        labels={name: LabelCount(count=count, first=f"rows.csv:{count}") for name, count in labels.items()},
    )


def test_known_labels_pass() -> None:
    assert unknown_labels(_report(refund=3, praise=2), ["praise", "refund", "unused"]) == []


def test_an_unknown_label_is_named_with_count_line_and_neighbour() -> None:
    words = "; ".join(unknown_labels(_report(refnd=3), ["praise", "refund"]))
    assert (
        "label 'refnd' is not in the domain of 'labels' (3 rows, first at rows.csv:3, did you mean 'refund'?)" in words
    )


def test_of_many_unknown_labels_the_commonest_are_named() -> None:
    words = "; ".join(unknown_labels(_report(a=1, b=9, c=8, d=7, e=2), ["refund"]))
    for label in "bcd":
        assert f"label '{label}'" in words
    assert "and 2 more unknown labels" in words


def test_only_errors_stop_a_run() -> None:
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["text"].severity = anomalies_pb2.AnomalyInfo.ERROR
    anomalies.anomaly_info["text"].description = "The feature was present in fewer examples than expected."
    anomalies.anomaly_info["id"].severity = anomalies_pb2.AnomalyInfo.WARNING
    assert anomalies_in_words(anomalies, "eval") == [
        "eval split, feature 'text': The feature was present in fewer examples than expected."
    ]
