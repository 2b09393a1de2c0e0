"""The summary of a run, its parts, and what builds them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from components.canary.verdict import CanaryVerdict
from components.common.outcome import Outcome
from components.common.record import Record, Value
from components.data_gate.verdict import Drift, Verdict
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.example_gen.report import Duplicates, IngestReport, SpanCount
from components.example_gen.sources.settings import Split
from components.registry import CalibrationRecord
from components.report.summary.old_summary import infer_outcome
from components.variants.results import VariantResults


class Rows(Value):
    """Number of rows by what happened to them: read = accepted + merged + quarantined."""

    read: int
    accepted: int
    quarantined: int
    merged: int = 0


class PartlyKnownLabel(Value):
    """Examples by what is known about one label."""

    positives: int = Field(description="Examples that have it.")
    negatives: int = Field(description="Examples that are known not to have it.")
    unknown: int = Field(description="Examples of which nobody knows whether they have it.")


class DataSummary(Value):
    """The data of a run, besides the number of its rows.

    Attributes:
        splits: Examples by split.
        spans: Spans read, ascending; empty if the inputs have none.
        incomplete_spans: Spans left out because one of the inputs has no file of them (yet).
        duplicates: Repeated texts, and what was done about them.
        retired_labels: Rows by retired label.
        soft_rows: Rows with a label that some but not all annotators gave.
        completed_labels: Rows by label that they lacked and got because another of their labels implies it.
        partly_known: What is known about each label that is unknown in some example; empty if everything is known.
        compared_with: The earlier data that this data was compared with, in words.
        drift: Drift of each feature from that data.
        warnings: What a person should look at, though it did not stop the run.
    """

    splits: dict[Split, int] = Field(default_factory=dict)
    spans: list[SpanCount] = Field(default_factory=list)
    incomplete_spans: list[int] = Field(default_factory=list)
    duplicates: Duplicates = Duplicates()
    retired_labels: dict[str, int] = Field(default_factory=dict)
    soft_rows: int = 0
    completed_labels: dict[str, int] = Field(default_factory=dict)
    partly_known: dict[str, PartlyKnownLabel] = Field(default_factory=dict)
    compared_with: str = ""
    drift: list[Drift] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class LabelSummary(LabelMetrics):
    """Metrics of one label on the test split, and the threshold that they were computed at."""

    threshold: float


class MetricsSummary(Metrics):
    """Metrics of one model on the test split."""

    per_label: dict[str, LabelSummary]  # type: ignore[assignment]  # narrower, and frozen


class DiskUse(Value):
    """Disk that a run took, in MiB, rounded up.

    Attributes:
        work_dir_mb: In the working directory: artifacts, metadata and the folder of the run.
        registry_mb: In the registry; 0 if that is remote.
    """

    work_dir_mb: int
    registry_mb: int


class StepCost(Value):
    """What a step took, besides its duration.

    Attributes:
        cpu_s: Processor time of the process that ran it, and of processes that it started and waited for, in seconds.
        peak_memory_mb: Peak memory of that process during the step, in MiB; None where it cannot be measured.
    """

    cpu_s: float
    peak_memory_mb: int | None = None


class Summary(Record):
    """What came of one run.

    Attributes:
        outcome: How the run ended; summaries of older versions, which lack the key, get it when they are read.
        attention: What a person should look at, even though the model passed.
        attention_labels: Labels that this concerns.
        blessed: Whether every gate and the canary passed.
        pushed: Path of the version's directory, or None.
        reasons: Why the model was not blessed, or was blessed but not pushed, or what ended the run early; otherwise
            empty.
        rows: Number of rows; None if the run ended before the data was read.
        data: Spans, duplicates and drift; None if the run ended before the data was judged.
        metrics: Metrics of the candidate; None if the run ended before it was evaluated.
        baseline: Metrics of the last blessed model on the same split; None if there is none.
        baseline_note: Which model is the baseline, or why there is none.
        gates: Results of the configuration's gates, in its order, then those of the groups of behavioural tests.
        gates_note: Why no gate was asked of the model; empty if one was.
        min_support: Number of examples below which no gate is asked of a slice.
        small_slices: Examples by slice, of those slices.
        slices: Metrics by slice, such as `language=zh`, then by model (candidate, baseline); only of labels that an
            example of the slice has or was given.
        slices_note: Which of the slices are left out, since there are too many labels; empty if none are.
        durations_s: Durations by component, in seconds. Where each step runs in a container of its own, of the steps
            before the Report that the service's cache did not answer.
        costs: Processor time and memory of the same components; empty for runs of older versions.
        scores: Folders of scores that a run of the scoring pipeline wrote; `rows.accepted` were scored.
        peak_memory_mb: Peak memory of the run's process, or of the largest step's, in MiB; None if it was not measured.
        disk: Disk that the run took; None if it was not measured, as of a run that failed.
        versions: Versions of the packages that trained the model.
        calibration: Calibration of the candidate; None if it was not calibrated.
        canary: Verdict of the canary; None if the run ended before it.
        variants: What became of the model's variants; None if the configuration asks for none, or the run ended before.
    """

    FILE: ClassVar = "summary.json"

    outcome: Outcome
    attention: list[str] = Field(default_factory=list)
    attention_labels: list[str] = Field(default_factory=list)
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
    slices_note: str = ""
    durations_s: dict[str, float] = Field(default_factory=dict)
    costs: dict[str, StepCost] = Field(default_factory=dict)
    scores: list[str] = Field(default_factory=list)
    peak_memory_mb: int | None = None
    disk: DiskUse | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    calibration: CalibrationRecord | None = None
    canary: CanaryVerdict | None = None
    variants: VariantResults | None = None

    @model_validator(mode="before")
    @classmethod
    def _complete_old_summary(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "outcome" not in value:
            return {**value, "outcome": infer_outcome(value)}
        return value


def summarize_rows(report: IngestReport) -> Rows:
    """Return the numbers of rows of an ingest report."""
    return Rows(read=report.rows_read, accepted=report.accepted, quarantined=report.quarantined, merged=report.merged)


def summarize_data(report: IngestReport, verdict: Verdict) -> DataSummary:
    """Return what an ingest report and the verdict of the data gate say of the data."""
    return DataSummary(
        splits=report.splits,
        spans=report.spans,
        duplicates=report.duplicates,
        retired_labels=report.retired_labels,
        soft_rows=report.soft,
        completed_labels=report.completed,
        partly_known=_partly_known(report),
        compared_with=verdict.compared_with,
        drift=verdict.drift,
        warnings=verdict.warnings,
    )


def _partly_known(report: IngestReport) -> dict[str, PartlyKnownLabel]:
    counts = {}
    for label, unknown in report.unknown.items():
        positives = report.labels[label].count if label in report.labels else 0
        counts[label] = PartlyKnownLabel(
            positives=positives, negatives=report.accepted - positives - unknown, unknown=unknown
        )
    return counts


def failed_summary(reason: str, outcome: Outcome) -> Summary:
    """Return the summary of a run that ended before its model was judged.

    Args:
        reason: What ended it, in one line.
        outcome: How it ended: no_new_data, refused, failed or untried.
    """
    return Summary(outcome=outcome, blessed=False, pushed=None, reasons=[reason])
