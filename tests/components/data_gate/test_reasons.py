"""Reasons against data, as sentences."""

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate.reasons import (
    describe_anomalies,
    labels_nobody_knows,
    labels_without_rows,
    shares_above_bounds,
    swallowed_rows,
    unknown_labels,
    vanished_labels,
)
from components.data_gate.settings import DataGateSettings
from components.example_gen.report import IngestReport, LabelCount
from components.training_log.log import TrainingEntry
from schema.label_list import LabelList


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
    assert unknown_labels(_report(refund=3, praise=2), LabelList(("praise", "refund", "unused"))) == []


def test_retired_labels_and_former_names_are_known_but_never_suggested() -> None:
    labels = LabelList(("praise", "refund"), frozenset({"refund"}), {"thanks": "praise"})
    assert unknown_labels(_report(refund=3, thanks=2), labels) == []
    sentences = "; ".join(unknown_labels(_report(refnd=3), labels))
    assert "did you mean" not in sentences
    assert "bert-multilabel labels add" in sentences


def test_an_unknown_label_is_named_with_its_rows_and_the_nearest_label() -> None:
    sentences = "; ".join(unknown_labels(_report(refnd=3), LabelList(("praise", "refund"))))
    assert (
        "label 'refnd' is not in the domain of 'labels' (3 rows, first at rows.csv:3, did you mean 'refund'?)"
        in sentences
    )


def test_names_only_the_most_frequent_of_many_unknown_labels() -> None:
    sentences = "; ".join(unknown_labels(_report(a=1, b=9, c=8, d=7, e=2), LabelList(("refund",))))
    for label in "bcd":
        assert f"label '{label}'" in sentences
    assert "and 2 more unknown labels" in sentences


def test_only_anomalies_that_are_errors_stop_a_run() -> None:
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["text"].severity = anomalies_pb2.AnomalyInfo.ERROR
    anomalies.anomaly_info["text"].description = "The feature was present in fewer examples than expected."
    anomalies.anomaly_info["id"].severity = anomalies_pb2.AnomalyInfo.WARNING
    assert describe_anomalies(anomalies, "eval split") == [
        "eval split, feature 'text': The feature was present in fewer examples than expected."
    ]


def _quarantined(**reasons: int) -> IngestReport:
    named = {name.replace("_", " "): count for name, count in reasons.items()}
    total = sum(named.values())
    return IngestReport(
        read=1000,
        accepted=1000 - total,
        quarantined=total,
        reasons=named,
        splits={"train": 1000 - total, "eval": 0, "test": 0},
        labels={},
    )


def test_accepts_shares_up_to_their_bounds() -> None:
    assert shares_above_bounds(_quarantined(blank_text=10), DataGateSettings()) == []


def test_names_share_and_bound_of_too_many_blank_or_quarantined_rows() -> None:
    blank = shares_above_bounds(_quarantined(blank_text=11), DataGateSettings(quarantined=0.5))
    assert blank == ["1.10% of the rows have a blank text, more than data_gate.blank_texts allows (1.00%)"]
    (quarantined,) = shares_above_bounds(_quarantined(blank_text=5, invalid_UTF=6), DataGateSettings())
    assert quarantined.startswith("1.10% of the rows are quarantined (5 blank text, 6 invalid UTF), more than")
    first = {"invalid UTF": "such as byte 0xff at a.csv:7"}
    (quarantined,) = shares_above_bounds(_quarantined(blank_text=5, invalid_UTF=6), DataGateSettings(), first)
    assert "(5 blank text, 6 invalid UTF, such as byte 0xff at a.csv:7), more than" in quarantined


def test_duplicates_in_other_splits_do_not_count_as_unusable() -> None:
    report = _quarantined(**{"a copy of the text is in another split".replace(" ", "_"): 900})
    assert shares_above_bounds(report, DataGateSettings()) == []


def test_a_label_that_had_rows_and_has_none_now_has_vanished() -> None:
    previous = TrainingEntry(digest="d", spans=[], labels={"refund": 10, "rare": 9, "praise": 50}, known=[], rows=100)
    (sentence,) = vanished_labels(_report(praise=1), previous, ["praise", "refund", "rare"], DataGateSettings())
    assert "label 'refund' has vanished: 10 rows in the data last trained on, none now" in sentence
    # A label that the schema has retired may vanish.
    assert vanished_labels(_report(praise=1), previous, ["praise", "rare"], DataGateSettings()) == []
    assert vanished_labels(_report(), previous, ["refund"], DataGateSettings(vanished_label=None)) == []
    assert vanished_labels(_report(), None, ["refund"], DataGateSettings()) == []


def test_warns_of_labels_without_rows() -> None:
    assert labels_without_rows(_report(a=1), ["a"]) == []
    assert labels_without_rows(_report(a=1), ["a", "b"]) == ["no row has the label b"]
    assert labels_without_rows(_report(), list("abcd")) == ["no row has any of 4 labels: a, b, c, ..."]


def test_refuses_swallowed_rows_above_the_bound_on_quarantined_rows() -> None:
    report = _report().model_copy(update={"swallowed": 3})
    (sentence,) = shares_above_bounds(report, DataGateSettings())
    assert sentence.startswith("3 lines look like rows, but are within quotes")
    assert "set examples.quoting to false" in sentence
    assert shares_above_bounds(report, DataGateSettings(quarantined=0.1)) == []
    assert len(swallowed_rows(report)) == 1
    assert swallowed_rows(_report()) == []


def test_a_label_that_nobody_was_asked_for_has_not_vanished_but_is_told() -> None:
    report = _report(praise=2).model_copy(update={"unknown": {"refund": 100, "slow": 40}})
    previous = TrainingEntry(digest="", spans=[], labels={"refund": 50, "slow": 50}, known=["refund", "slow"], rows=90)
    active = ("praise", "refund", "slow")
    assert [text[:27] for text in vanished_labels(report, previous, active, DataGateSettings())] == [
        "label 'slow' has vanished: "
    ]
    assert labels_without_rows(report, active) == ["no row has the label slow"]
    assert labels_nobody_knows(report, active) == ["nobody knows of any row whether it has the label refund"]


def test_names_the_key_for_values_that_may_mean_unknown() -> None:
    report = _report(refund=3).model_copy(
        update={"rows_read": 150, "quarantined": 50, "reasons": {"label column is neither 0 nor 1": 50}}
    )
    (sentence,) = shares_above_bounds(report, DataGateSettings())
    assert "mean that nobody knows, name them in examples.labels.unknown; see bert-multilabel quarantine" in sentence
