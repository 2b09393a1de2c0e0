"""Reasons against data, one sentence each."""

from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate.settings import DataGateSettings
from components.example_gen.formats.rows import Reason
from components.example_gen.oddities import describe_oddities
from components.example_gen.report import IngestReport
from components.training_log.log import TrainingEntry
from schema.features import LABELS
from schema.label_list import LabelList
from schema.nearest import close_match

_MOST_NAMED = 3
_STRAY_QUOTES = "if these quotes are ordinary characters, set examples.quoting to false"


def shares_above_bounds(
    report: IngestReport, settings: DataGateSettings, first: Mapping[str, str] | None = None
) -> list[str]:
    """Return one sentence for each share of rows that is above its bound.

    Args:
        report: ExampleGen's report.
        settings: The bounds.
        first: Words about the first row of a reason, by reason; None if it is not at hand.
    """
    sentences = []
    blank = report.share_of(Reason.BLANK_TEXT)
    if blank > settings.blank_texts:
        sentences.append(
            f"{blank:.2%} of the rows have a blank text, more than data_gate.blank_texts allows"
            f" ({settings.blank_texts:.2%})"
        )
    if report.unusable_share > settings.quarantined:
        commonest = ", ".join(
            f"{count} {reason}" + (f", {first[reason]}" if first and reason in first else "")
            for reason, count in list(report.reasons.items())[:_MOST_NAMED]
        )
        sentences.append(
            f"{report.unusable_share:.2%} of the rows are quarantined ({commonest}), more than data_gate.quarantined"
            f" allows ({settings.quarantined:.2%}); {_remedy(report)}see bert-multilabel quarantine"
        )
    if report.swallowed_share > settings.quarantined:
        sentences.append(
            f"{_swallowed(report)}, more than data_gate.quarantined allows ({settings.quarantined:.2%});"
            f" {_STRAY_QUOTES}"
        )
    return sentences


def _remedy(report: IngestReport) -> str:
    match next(iter(report.reasons)):
        case Reason.NOT_0_OR_1 | Reason.NOT_A_VECTOR:
            return "if other values than 0 and 1 mean that nobody knows, name them in examples.labels.unknown; "
        case Reason.INVALID_UTF8:
            return "name the encoding in examples.encoding, or save the files as UTF-8; "
        case _:
            return ""


def warnings(report: IngestReport, active: Sequence[str]) -> list[str]:
    """Return one sentence for each thing that does not stop the run, but that a person should look at."""
    counts = {label: seen.count for label, seen in report.labels.items()}
    duplicates = report.duplicates
    return [
        *labels_without_rows(report, active),
        *labels_nobody_knows(report, active),
        *swallowed_rows(report),
        *describe_oddities(counts, report.accepted, duplicates.texts, duplicates.contradictory, report.unknown),
    ]


def swallowed_rows(report: IngestReport) -> list[str]:
    """Return a warning if quotes may have swallowed rows."""
    return [f"{_swallowed(report)}; {_STRAY_QUOTES}"] if report.swallowed else []


def _swallowed(report: IngestReport) -> str:
    return f"{report.swallowed} lines look like rows, but are within quotes, as part of the row before"


def vanished_labels(
    report: IngestReport, previous: TrainingEntry | None, active: Sequence[str], settings: DataGateSettings
) -> list[str]:
    """Return one sentence for each label in use that had rows in the last training and has none now."""
    if previous is None or settings.vanished_label is None:
        return []
    return [
        f"label '{label}' has vanished: {previous.labels[label]} rows in the data last trained on, none now; correct"
        " the data, or retire the label"
        for label in active
        if previous.labels.get(label, 0) >= settings.vanished_label
        and label not in report.labels
        and report.unknown.get(label, 0) < report.accepted
    ]


def labels_without_rows(report: IngestReport, active: Sequence[str]) -> list[str]:
    """Return a warning if labels of the schema have no rows: a model cannot learn them."""
    unknown = _never_known(report, active)
    without = [label for label in active if label not in report.labels and label not in unknown]
    return [f"no row has {_named(without)}"] if without else []


def labels_nobody_knows(report: IngestReport, active: Sequence[str]) -> list[str]:
    """Return a warning if labels of the schema are unknown in all rows: a model cannot learn them either."""
    unknown = _never_known(report, active)
    return [f"nobody knows of any row whether it has {_named(unknown)}"] if unknown else []


def _never_known(report: IngestReport, active: Sequence[str]) -> list[str]:
    return [label for label in active if report.accepted and report.unknown.get(label, 0) >= report.accepted]


def _named(labels: Sequence[str]) -> str:
    more = ", ..." if len(labels) > _MOST_NAMED else ""
    shown = ", ".join(labels[:_MOST_NAMED]) + more
    return f"the label {shown}" if len(labels) == 1 else f"any of {len(labels)} labels: {shown}"


def unknown_labels(report: IngestReport, labels: LabelList) -> list[str]:
    """Return one sentence for each of the most frequent labels that the schema does not know.

    A sentence gives the label, its number of rows and the first of them. Retired labels and former names are known:
    ExampleGen drops the ones and translates the others.
    """
    known = {*labels.names, *labels.aliases}
    unknown = {label: seen for label, seen in report.labels.items() if label not in known}
    ranked = sorted(unknown.items(), key=lambda item: -item[1].count)
    sentences = []
    for label, seen in ranked[:_MOST_NAMED]:
        match = close_match(label, labels.active)
        hint = f", did you mean '{match}'?" if match else ""
        rows = "1 row" if seen.count == 1 else f"{seen.count} rows"
        sentences.append(f"label '{label}' is not in the domain of '{LABELS}' ({rows}, first at {seen.first}{hint})")
    if len(ranked) > _MOST_NAMED:
        sentences.append(f"and {len(ranked) - _MOST_NAMED} more unknown labels")
    if sentences:
        sentences.append("correct the rows, or add the label to the schema (bert-multilabel labels add)")
    return sentences


def describe_anomalies(anomalies: anomalies_pb2.Anomalies, split: str) -> list[str]:
    """Return one sentence for each anomaly that TFDV considers an error.

    Args:
        anomalies: Anomalies of one split.
        split: What the sentences begin with, such as "train split".
    """
    sentences = [
        f"{split}, feature '{name}': {info.description}"
        for name, info in sorted(anomalies.anomaly_info.items())
        if info.severity == anomalies_pb2.AnomalyInfo.ERROR
    ]
    if anomalies.HasField("dataset_anomaly_info"):
        sentences.append(f"{split}: {anomalies.dataset_anomaly_info.description}")
    return sentences
