"""`summary.json`: what came of a run, for a program."""

from pydantic import Field

from components.evaluation.measured import GateResult, LabelMetrics, Metrics
from components.files import read_bytes, write_whole
from components.settings import Settings

SUMMARY_FILE = "summary.json"


class Rows(Settings):
    """What became of the rows: read = accepted + quarantined."""

    read: int
    accepted: int
    quarantined: int


class LabelSummary(LabelMetrics):
    """One label on the test split, with the threshold its metrics were taken at."""

    threshold: float


class MetricsSummary(Metrics):
    """One model on the test split."""

    per_label: dict[str, LabelSummary]  # type: ignore[assignment]  # narrower, and frozen


class Summary(Settings):
    """One run.

    Attributes:
        blessed: Whether every gate held.
        pushed: The version directory, or None.
        reasons: Why it was not blessed, or what stopped the run; empty otherwise.
        rows: None where the run ended before the data was read.
        metrics: The candidate's, None where the run ended before it was evaluated.
        baseline: The last blessed model's on the same split; None if there was none.
        baseline_note: Why there is no baseline, or which it is.
        gates: In the order of the configuration.
        slices: Slice such as `language=zh` -> model (candidate, baseline) -> metrics.
        durations_s: Seconds by component.
        peak_memory_mb: The most that the run's process held, in MiB; None where nothing measured it.
        versions: Of the packages that made the model.
    """

    blessed: bool
    pushed: str | None
    reasons: list[str]
    rows: Rows | None = None
    metrics: MetricsSummary | None = None
    baseline: MetricsSummary | None = None
    baseline_note: str = ""
    gates: list[GateResult] = Field(default_factory=list)
    slices: dict[str, dict[str, Metrics]] = Field(default_factory=dict)
    durations_s: dict[str, float] = Field(default_factory=dict)
    peak_memory_mb: int | None = None
    versions: dict[str, str] = Field(default_factory=dict)


def failed_summary(reason: str) -> Summary:
    """Of a run that ended before its model was judged."""
    return Summary(blessed=False, pushed=None, reasons=[reason])


def write_summary(folder: str, summary: Summary) -> None:
    """Writes summary.json into a folder, local or remote, complete or not at all."""
    write_whole(f"{folder}/{SUMMARY_FILE}", f"{summary.model_dump_json(indent=2)}\n".encode())


def read_summary(folder: str) -> Summary:
    """Reads the summary.json of a folder."""
    return Summary.model_validate_json(read_bytes(f"{folder}/{SUMMARY_FILE}"))
