"""What a person should look at, even though the model passed its gates."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from components.report.settings import AttentionSettings
from components.report.summary import LabelSummary, MetricsSummary, Summary
from components.report.views.labels import FEW
from components.trainer.decisions.reliability import CalibrationReport
from schema.errors import Refused

_MOST_NAMES = 10
# In the slice of a label every example has that label, so its averages cannot be compared with those of all examples.
_SLICE_OF_A_LABEL = "labels="


@dataclass(frozen=True)
class Finding:
    """Something to look at.

    Attributes:
        line: The finding in one line.
        labels: Labels that it is about; empty if it is about the model or a slice.
    """

    line: str
    labels: tuple[str, ...] = ()


def with_attention(summary: Summary, eval_positives: Mapping[str, int], settings: AttentionSettings) -> Summary:
    """Return the summary with `attention` and `attention_labels`. The arguments are those of `find_attention`."""
    findings = find_attention(summary, eval_positives, settings)
    labels = dict.fromkeys(label for finding in findings for label in finding.labels)
    update = {"attention": [finding.line for finding in findings], "attention_labels": list(labels)}
    return summary.model_copy(update=update)


def find_attention(summary: Summary, eval_positives: Mapping[str, int], settings: AttentionSettings) -> list[Finding]:
    """Return what a person should look at, labels first.

    Args:
        summary: Summary of the run.
        eval_positives: Examples of the eval split by label, which thresholds were chosen on; empty if unknown.
        settings: Bounds.

    Returns:
        Findings; none if the run judged no model.
    """
    if summary.metrics is None:
        return []
    return [
        *_labels(summary.metrics, summary.baseline, eval_positives, settings),
        *(Finding(line) for line in lagging_slices(summary, settings.slice_drop)),
        *_calibration(summary, settings.calibration_error),
        *_variants(summary),
    ]


def read_eval_positives(model_run_uri: str) -> dict[str, int]:
    """Return the examples of the eval split by label; empty if the Trainer left no record of them."""
    try:
        report = CalibrationReport.read(model_run_uri)
    except (FileNotFoundError, Refused):
        return {}
    return {label: found.positives for label, found in report.labels.items()}


def headline(labels: int, findings: int) -> str:
    """Return the findings in a few words.

    Example:
        >>> headline(3, 4), headline(0, 1)
        ('3 labels need attention', '1 finding needs attention')
    """
    count, noun = (labels, "label") if labels else (findings, "finding")
    return f"{count} {noun} needs attention" if count == 1 else f"{count} {noun}s need attention"


def _labels(
    metrics: MetricsSummary,
    baseline: MetricsSummary | None,
    eval_positives: Mapping[str, int],
    settings: AttentionSettings,
) -> Iterator[Finding]:
    tested = {label: measured for label, measured in metrics.per_label.items() if measured.support}
    f1 = {label: measured.f1 or 0.0 for label, measured in tested.items()}
    yield from _finding(
        f"F1 below {settings.f1:g}",
        {label: f"{value:.3f}" for label, value in sorted(f1.items(), key=_value) if value < settings.f1},
    )
    changes = _changes(tested, {} if baseline is None else baseline.per_label)
    yield from _finding(
        f"F1 more than {settings.f1_drop:g} below the baseline's",
        {label: f"{value:+.3f}" for label, value in sorted(changes.items(), key=_value) if value < -settings.f1_drop},
    )
    untested = [label for label, measured in metrics.per_label.items() if not measured.support]
    yield from _finding("no example in the test split, so nothing is known", dict.fromkeys(untested, ""))
    few = sorted((label, count) for label, count in eval_positives.items() if count < settings.eval_positives)
    yield from _finding(
        f"threshold chosen from fewer than {settings.eval_positives} examples of the eval split",
        {label: str(count) for label, count in sorted(few, key=_value)},
    )


def _changes(candidate: Mapping[str, LabelSummary], baseline: Mapping[str, LabelSummary]) -> dict[str, float]:
    return {
        label: (measured.f1 or 0.0) - (baseline[label].f1 or 0.0)
        for label, measured in candidate.items()
        if label in baseline
    }


def lagging_slices(summary: Summary, drop: float) -> Iterator[str]:
    """Yield a line for each slice that falls behind, unless it has too few examples to tell.

    Args:
        summary: Summary of the run.
        drop: How far a slice's micro F1 may be below that of all examples.
    """
    overall = None if summary.metrics is None else summary.metrics.micro_f1
    for name, models in summary.slices.items():
        value, examples = models["candidate"].micro_f1, models["candidate"].examples
        few = name in summary.small_slices or examples < FEW
        if few or name.startswith(_SLICE_OF_A_LABEL) or value is None or overall is None:
            continue
        if value < overall - drop:
            yield f"{name} falls behind: micro F1 {value:.3f} on {examples:,} examples, {overall:.3f} overall"


def _calibration(summary: Summary, bound: float) -> Iterator[Finding]:
    if summary.calibration is not None and summary.calibration.error_after > bound:
        error = summary.calibration.error_after
        yield Finding(f"probabilities are off: expected calibration error {error:.3f}, above {bound:g}")


def _variants(summary: Summary) -> Iterator[Finding]:
    for variant in summary.variants.variants if summary.variants else ():
        if not variant.holds:
            more = f", and {len(variant.reasons) - 1} more" if len(variant.reasons) > 1 else ""
            yield Finding(f"variant {variant.name} is left out: {variant.reasons[0]}{more}")


def _finding(what: str, values: Mapping[str, str]) -> Iterator[Finding]:
    if values:
        yield Finding(f"{what}: {_names(values.items())}", tuple(values))


def _names(values: Iterable[tuple[str, str]]) -> str:
    shown = [f"{label} ({value})" if value else label for label, value in values]
    more = len(shown) - _MOST_NAMES
    return ", ".join(shown[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _value(item: tuple[str, float]) -> float:
    return item[1]
