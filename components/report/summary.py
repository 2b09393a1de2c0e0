"""`summary.json`: what came of a run, for a program."""

from pydantic import Field

from components.canary.verdict import CanaryVerdict
from components.common.files import read_bytes
from components.common.settings import Settings, write_json
from components.data_gate.verdict import Drift, Verdict
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.example_gen.report import Duplicates, IngestReport, SpanCount
from components.example_gen.settings import Split
from components.registry import CalibrationRecord

SUMMARY_FILE = "summary.json"


class Rows(Settings):
    """What became of the rows: read = accepted + quarantined."""

    read: int
    accepted: int
    quarantined: int


class DataSummary(Settings):
    """What there is to know of the data besides the number of its rows.

    Attributes:
        incomplete_spans: Left out because one of the inputs has no file of theirs (yet).
    """

    splits: dict[Split, int] = Field(default_factory=dict)
    spans: list[SpanCount] = Field(default_factory=list)
    incomplete_spans: list[int] = Field(default_factory=list)
    duplicates: Duplicates = Duplicates()
    retired_labels: dict[str, int] = Field(default_factory=dict)
    compared_with: str = ""
    drift: list[Drift] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class LabelSummary(LabelMetrics):
    """One label on the test split, with the threshold its metrics were taken at."""

    threshold: float


class MetricsSummary(Metrics):
    """One model on the test split."""

    per_label: dict[str, LabelSummary]  # type: ignore[assignment]  # narrower, and frozen


class Summary(Settings):
    """One run.

    Attributes:
        blessed: Whether every gate held and the canary passed.
        pushed: The version directory, or None.
        reasons: Why it was not blessed, or not pushed although it was, or what stopped the run; empty otherwise.
        rows: None where the run ended before the data was read.
        data: Spans, duplicates and drift; None where the run ended before the data was judged.
        metrics: The candidate's, None where the run ended before it was evaluated.
        baseline: The last blessed model's on the same split; None if there was none.
        baseline_note: Why there is no baseline, or which it is.
        gates: In the order of the configuration; then the groups of behavioural tests.
        gates_note: That nothing was asked of the model, and why, if so; empty otherwise.
        min_support: Of slices with fewer examples no gate is asked.
        small_slices: These slices -> their examples.
        slices: Slice such as `language=zh` -> model (candidate, baseline) -> metrics; of the labels that an example of
            the slice has, or was given.
        durations_s: Seconds by component.
        peak_memory_mb: The most that the run's process held, in MiB; None where nothing measured it.
        versions: Of the packages that made the model.
        calibration: The candidate's, None where there was none.
        canary: What the exported model's trial came to; None where the run ended before.
    """

    blessed: bool
    pushed: str | None
    reasons: list[str]
    rows: Rows | None = None
    data: DataSummary | None = None
    metrics: MetricsSummary | None = None
    baseline: MetricsSummary | None = None
    baseline_note: str = ""
    gates: list[GateResult] = Field(default_factory=list)
    gates_note: str = ""
    min_support: int = 0
    small_slices: dict[str, int] = Field(default_factory=dict)
    slices: dict[str, dict[str, Metrics]] = Field(default_factory=dict)
    durations_s: dict[str, float] = Field(default_factory=dict)
    peak_memory_mb: int | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    calibration: CalibrationRecord | None = None
    canary: CanaryVerdict | None = None


def rows_of(report: IngestReport) -> Rows:
    """The rows of a summary."""
    return Rows(read=report.read, accepted=report.accepted, quarantined=report.quarantined)


def data_of(report: IngestReport, verdict: Verdict) -> DataSummary:
    """The data of a summary."""
    return DataSummary(
        splits=report.splits,
        spans=report.spans,
        duplicates=report.duplicates,
        retired_labels=report.retired_labels,
        compared_with=verdict.compared_with,
        drift=verdict.drift,
        warnings=verdict.warnings,
    )


def failed_summary(reason: str) -> Summary:
    """Of a run that ended before its model was judged."""
    return Summary(blessed=False, pushed=None, reasons=[reason])


def write_summary(folder: str, summary: Summary) -> None:
    """Writes summary.json into a folder, local or remote, complete or not at all."""
    write_json(folder, SUMMARY_FILE, summary)


def read_summary(folder: str) -> Summary:
    """Reads the summary.json of a folder."""
    return Summary.model_validate_json(read_bytes(f"{folder}/{SUMMARY_FILE}"))
