"""From the artifacts of a finished run to its summary."""

from collections.abc import Sequence

from tfx.utils import path_utils

from components.baseline.record import BaselineRecord, read_baseline
from components.evaluation import results
from components.evaluation.gates import parse_gate
from components.evaluation.measured import Metrics
from components.example_gen.report import read_report
from components.registry import ModelRecord, read_record
from components.report.summary import LabelSummary, MetricsSummary, Rows, Summary


def gather_summary(
    *,
    quarantine_uri: str,
    model_uri: str,
    baseline_uri: str,
    evaluation_uri: str,
    blessed: bool,
    pushed: str | None,
    gates: Sequence[str],
) -> Summary:
    """Reads the artifacts of a run; the Evaluator's and the Pusher's verdicts are taken as they are.

    Args:
        quarantine_uri: Of the ExampleGen's Quarantine artifact.
        model_uri: Of the candidate.
        baseline_uri: Of what `RegistryBaseline` gave.
        evaluation_uri: Of the Evaluator's ModelEvaluation.
        blessed: The Evaluator's verdict.
        pushed: Where to, or None.
        gates: As configured.
    """
    ingest = read_report(quarantine_uri)
    model = read_record(path_utils.serving_model_path(model_uri))
    baseline = read_baseline(baseline_uri)
    evaluation = results.read_evaluation(evaluation_uri, model.labels)
    outcomes = results.gate_results([parse_gate(gate) for gate in gates], evaluation)
    return Summary(
        blessed=blessed,
        pushed=pushed,
        reasons=results.reasons_against(outcomes),
        rows=Rows(read=ingest.read, accepted=ingest.accepted, quarantined=ingest.quarantined),
        metrics=_with_thresholds(evaluation.candidate, model),
        baseline=_baseline_metrics(evaluation.baseline, baseline_uri),
        baseline_note=_baseline_note(baseline),
        gates=outcomes,
        slices=evaluation.slices,
        versions=model.versions,
    )


def _with_thresholds(metrics: Metrics, model: ModelRecord) -> MetricsSummary:
    thresholds = dict(zip(model.labels, model.thresholds, strict=True))
    averages = metrics.model_dump(exclude={"per_label"})
    return MetricsSummary(
        **averages,
        per_label={
            label: LabelSummary(**measured.model_dump(), threshold=thresholds[label])
            for label, measured in metrics.per_label.items()
        },
    )


def _baseline_metrics(metrics: Metrics | None, baseline_uri: str) -> MetricsSummary | None:
    if metrics is None:
        return None
    return _with_thresholds(metrics, read_record(path_utils.serving_model_path(baseline_uri)))


def _baseline_note(baseline: BaselineRecord) -> str:
    if baseline.set_aside:
        return f"version {baseline.version} was set aside: {baseline.set_aside}"
    return f"version {baseline.version}" if baseline.has_baseline else "none yet: nothing has been pushed before"
