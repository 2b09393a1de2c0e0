"""What is wrong with data, in words."""

import difflib
from collections.abc import Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.data_gate.settings import DataGateSettings
from components.example_gen.formats.rows import Reason
from components.example_gen.report import IngestReport
from components.training_log.log import Trained
from schema.features import LABELS
from schema.label_list import LabelList

_MOST_NAMED = 3


def shares_above_bounds(report: IngestReport, gate: DataGateSettings) -> list[str]:
    """One sentence for each share of rows that is above its bound."""
    sentences = []
    blank = report.share_of(Reason.BLANK_TEXT)
    if blank > gate.blank_texts:
        sentences.append(
            f"{blank:.2%} of the rows have a blank text, more than data_gate.blank_texts allows"
            f" ({gate.blank_texts:.2%})"
        )
    if report.unusable_share > gate.quarantined:
        commonest = ", ".join(f"{count} {reason}" for reason, count in list(report.reasons.items())[:_MOST_NAMED])
        sentences.append(
            f"{report.unusable_share:.2%} of the rows are quarantined ({commonest}), more than data_gate.quarantined"
            f" allows ({gate.quarantined:.2%}); see bert-multilabel quarantine"
        )
    return sentences


def vanished_labels(
    report: IngestReport, before: Trained | None, active: Sequence[str], gate: DataGateSettings
) -> list[str]:
    """One sentence for each label that the data before had, and this has not."""
    if before is None or gate.vanished_label is None:
        return []
    return [
        f"label '{label}' has vanished: {before.labels[label]} rows in the data trained on before, none now; mend the"
        " data, or retire the label"
        for label in active
        if before.labels.get(label, 0) >= gate.vanished_label and label not in report.labels
    ]


def labels_without_rows(report: IngestReport, active: Sequence[str]) -> list[str]:
    """A warning, if the schema has labels that no row has: nothing can be learned of them."""
    without = [label for label in active if label not in report.labels]
    if not without:
        return []
    named = ", ".join(without[:_MOST_NAMED]) + (", ..." if len(without) > _MOST_NAMED else "")
    return [f"no row has {'the label' if len(without) == 1 else f'any of {len(without)} labels:'} {named}"]


def unknown_labels(report: IngestReport, labels: LabelList) -> list[str]:
    """One sentence for each of the commonest labels that the schema does not know: label, count, first line.

    Retired labels and names from before a renaming are known: ExampleGen drops and translates them.
    """
    known = {*labels.names, *labels.aliases}
    unknown = {label: seen for label, seen in report.labels.items() if label not in known}
    ranked = sorted(unknown.items(), key=lambda item: -item[1].count)
    sentences = []
    for label, seen in ranked[:_MOST_NAMED]:
        nearest = difflib.get_close_matches(label, labels.active, n=1)
        hint = f", did you mean '{nearest[0]}'?" if nearest else ""
        rows = "1 row" if seen.count == 1 else f"{seen.count} rows"
        sentences.append(f"label '{label}' is not in the domain of '{LABELS}' ({rows}, first at {seen.first}{hint})")
    if len(ranked) > _MOST_NAMED:
        sentences.append(f"and {len(ranked) - _MOST_NAMED} more unknown labels")
    if sentences:
        sentences.append("mend the rows, or add the label to the schema (bert-multilabel labels add)")
    return sentences


def anomalies_in_words(anomalies: anomalies_pb2.Anomalies, where: str) -> list[str]:
    """One sentence for each anomaly that TFDV calls an error.

    Args:
        anomalies: Of one split.
        where: What the sentences begin with: "train split".
    """
    sentences = [
        f"{where}, feature '{name}': {info.description}"
        for name, info in sorted(anomalies.anomaly_info.items())
        if info.severity == anomalies_pb2.AnomalyInfo.ERROR
    ]
    if anomalies.HasField("dataset_anomaly_info"):
        sentences.append(f"{where}: {anomalies.dataset_anomaly_info.description}")
    return sentences
