"""Stops the run, before a minute of training is spent, where the data is not what the schema says.

TFX's ExampleValidator finds anomalies and lets the pipeline go on; this is what acts on them.
"""

import difflib
from collections.abc import Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import ExampleAnomalies, Schema

from components.example_gen.quarantine import Quarantine
from components.example_gen.report import IngestReport, read_report
from schema.errors import Refused
from schema.features import LABELS

_MOST_NAMED = 3


@component  # type: ignore[untyped-decorator]
def DataGate(  # noqa: N802 - a component class
    anomalies: InputArtifact[ExampleAnomalies],
    quarantine: InputArtifact[Quarantine],
    schema: InputArtifact[Schema],
) -> None:
    """Raises Refused, in words, if a label is unknown to the schema or ExampleValidator found any other anomaly."""
    from tfx.dsl.io import fileio
    from tfx.types import artifact_utils
    from tfx.utils import io_utils

    from components.schema_import import FILE_NAME
    from schema.label_list import label_list

    read = io_utils.SchemaReader().read(f"{schema.uri}/{FILE_NAME}")
    reasons = unknown_labels(read_report(quarantine.uri), label_list(read))
    if not reasons:
        for split in artifact_utils.decode_split_names(anomalies.split_names):
            found = anomalies_pb2.Anomalies()
            with fileio.open(f"{anomalies.uri}/Split-{split}/SchemaDiff.pb", "rb") as file:
                found.ParseFromString(file.read())
            reasons += anomalies_in_words(found, split)
    if reasons:
        raise Refused("the data does not fit the schema: " + "; ".join(reasons))


def unknown_labels(report: IngestReport, known: Sequence[str]) -> list[str]:
    """One sentence for each of the commonest labels that the schema's domain lacks: label, count, first line."""
    unknown = {label: seen for label, seen in report.labels.items() if label not in set(known)}
    ranked = sorted(unknown.items(), key=lambda item: -item[1].count)
    sentences = []
    for label, seen in ranked[:_MOST_NAMED]:
        nearest = difflib.get_close_matches(label, known, n=1)
        hint = f", did you mean '{nearest[0]}'?" if nearest else ""
        rows = "1 row" if seen.count == 1 else f"{seen.count} rows"
        sentences.append(f"label '{label}' is not in the domain of '{LABELS}' ({rows}, first at {seen.first}{hint})")
    if len(ranked) > _MOST_NAMED:
        sentences.append(f"and {len(ranked) - _MOST_NAMED} more unknown labels")
    if sentences:
        sentences.append("mend the rows, or add the label to the schema")
    return sentences


def anomalies_in_words(anomalies: anomalies_pb2.Anomalies, split: str) -> list[str]:
    """One sentence for each anomaly that TFDV calls an error."""
    sentences = [
        f"{split} split, feature '{name}': {info.description}"
        for name, info in sorted(anomalies.anomaly_info.items())
        if info.severity == anomalies_pb2.AnomalyInfo.ERROR
    ]
    if anomalies.HasField("dataset_anomaly_info"):
        sentences.append(f"{split} split: {anomalies.dataset_anomaly_info.description}")
    return sentences
