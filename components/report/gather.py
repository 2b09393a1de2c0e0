"""Summary of a completed run, gathered from its artifacts."""

from collections.abc import Mapping, Sequence

from tfx.utils import path_utils

from components.baseline.record import BaselineRecord
from components.baseline.shared_labels import match_outputs
from components.blessing.judgement import Judgement
from components.canary.verdict import CanaryVerdict
from components.data_gate.verdict import Verdict
from components.evaluation import results
from components.evaluation.metrics.values import Metrics
from components.example_gen.report import IngestReport
from components.pusher.push_result import PushResult
from components.registry import ModelRecord
from components.report.summary import LabelSummary, MetricsSummary, Summary, summarize_data, summarize_rows
from components.report.summary.cut import Slices, cut_slices, describe_cut
from components.variants.results import VariantResults


def gather_summary(
    *,
    quarantine_uri: str,
    data_verdict_uri: str,
    model_uri: str,
    baseline_uri: str,
    evaluation_uri: str,
    blessing_uri: str,
    canary_uri: str,
    pushed_uri: str,
    variants_uri: str | None = None,
) -> tuple[Summary, Slices]:
    """Build the summary of a run from its artifacts, and return it with all slices, of which it may have a part.

    The decisions of Blessing, Canary and RegistryPusher are taken over, not made again.

    Args:
        quarantine_uri: URI of TextExampleGen's Quarantine.
        data_verdict_uri: URI of DataGate's DataVerdict.
        model_uri: URI of the candidate.
        baseline_uri: URI of RegistryBaseline's Model.
        evaluation_uri: URI of MultiLabelEvaluator's ModelEvaluation.
        blessing_uri: URI of Blessing's ModelBlessing.
        canary_uri: URI of Canary's InfraBlessing.
        pushed_uri: URI of RegistryPusher's PushedModel.
        variants_uri: URI of Variants' ModelVariants; None if the configuration asks for none.
    """
    ingest = IngestReport.read(quarantine_uri)
    model = ModelRecord.read(path_utils.serving_model_path(model_uri))
    baseline = BaselineRecord.read(baseline_uri)
    active = [label for label in model.outputs if label is not None]
    evaluation = results.read_evaluation(evaluation_uri, active, baseline.lacks)
    judged = Judgement.read(blessing_uri)
    canary, pushed = CanaryVerdict.read(canary_uri), PushResult.read(pushed_uri)
    slices = {name: _without_absent_labels(models) for name, models in evaluation.slices.items()}
    kept = cut_slices(slices, judged.gates)
    summary = Summary(
        outcome="not_blessed" if pushed.path is None else "blessed",
        blessed=judged.blessed and canary.passed,
        pushed=pushed.path,
        reasons=[*judged.reasons, *canary.reasons, *filter(None, [pushed.reason])],
        rows=summarize_rows(ingest),
        data=summarize_data(ingest, Verdict.read(data_verdict_uri)),
        metrics=_with_thresholds(evaluation.candidate, model.outputs, model.thresholds),
        baseline=_baseline_metrics(evaluation.baseline, baseline_uri, model),
        baseline_note=_baseline_note(baseline, active),
        gates=judged.gates,
        gates_note=judged.note,
        min_support=judged.min_support,
        small_slices=judged.small_slices,
        slices=kept,
        slices_note=describe_cut(slices, kept),
        versions=model.versions,
        calibration=model.calibration,
        canary=canary,
        variants=None if variants_uri is None else VariantResults.read(variants_uri),
    )
    return summary, slices


def _without_absent_labels(models: Mapping[str, Metrics]) -> dict[str, Metrics]:
    """Drop from a slice's metrics the labels that no example has and no model gave.

    With 500 labels and a slice for each, the summary would consist mostly of these.
    """
    present = {
        label
        for model in models.values()
        for label, one in model.per_label.items()
        if one.support or one.false_positives
    }
    return {
        name: metrics.model_copy(
            update={"per_label": {label: one for label, one in metrics.per_label.items() if label in present}}
        )
        for name, metrics in models.items()
    }


def _with_thresholds(metrics: Metrics, outputs: Sequence[str | None], thresholds: Sequence[float]) -> MetricsSummary:
    threshold_of = dict(zip(outputs, thresholds, strict=True))
    averages = metrics.model_dump(exclude={"per_label"})
    return MetricsSummary(
        **averages,
        per_label={
            label: LabelSummary(**measured.model_dump(), threshold=threshold_of[label])
            for label, measured in metrics.per_label.items()
        },
    )


def _baseline_metrics(metrics: Metrics | None, baseline_uri: str, candidate: ModelRecord) -> MetricsSummary | None:
    if metrics is None:
        return None
    baseline = ModelRecord.read(path_utils.serving_model_path(baseline_uri))
    return _with_thresholds(metrics, match_outputs(baseline, candidate), baseline.thresholds)


def _baseline_note(baseline: BaselineRecord, labels: Sequence[str]) -> str:
    if baseline.set_aside:
        return f"version {baseline.version} was set aside: {baseline.set_aside}"
    if not baseline.has_baseline:
        return "none yet: no model has been pushed"
    notes = [f"version {baseline.version}"]
    if baseline.lacks:
        shared = [label for label in labels if label not in baseline.lacks]
        which = f"all but {', '.join(baseline.lacks)}" if len(baseline.lacks) <= len(shared) else ", ".join(shared)
        notes.append(f"compared on {len(shared)} of {len(labels)} labels: {which}")
    if baseline.only_its:
        notes.append(f"labels that only the baseline has are left out: {', '.join(baseline.only_its)}")
    return "; ".join(notes)
