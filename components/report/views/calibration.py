"""Section of the report on calibration: predicted probabilities against observed frequencies."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.evaluation.insights.insights import Insights, Reliability
from components.report.drawing.charts import Axis, Chart, Line, chart
from components.report.views.material import Material
from components.report.views.training import CalibrationCurve

FEWEST_ROWS = 10
"""Number of rows below which a bin is not drawn: its frequency is mostly chance."""

_DIAGONAL = Line("", "guide", [(0.0, 0.0), (1.0, 1.0)])


@dataclass(frozen=True)
class CalibrationView:
    """Content of the section.

    Attributes:
        charts: Reliability on the eval split, where calibration was fitted, and on the test split.
        fewest: Number of rows below which a bin is not drawn.
    """

    charts: Sequence[Chart]
    fewest: int = FEWEST_ROWS


def calibration_view(material: Material) -> CalibrationView | None:
    """Return the content of the section; None if the run judged no model or left nothing of it."""
    if material.summary.metrics is None:
        return None
    curve = material.training.calibration if material.training is not None else None
    charts = [_eval_chart(curve)] if curve is not None else []
    if material.insights is not None:
        charts.append(reliability_chart("Test split, the exported model", {"candidate": _pool(material.insights)}))
    drawn = [each for each in charts if each is not None]
    return CalibrationView(drawn) if drawn else None


def reliability_chart(caption: str, curves: Mapping[str, Sequence[Reliability]], label: str = "") -> Chart | None:
    """Draw predicted probability against observed frequency, without bins of a few rows.

    Args:
        caption: Caption.
        curves: Bins by the class of their line, which is its name as well.
        label: The label; empty for all.

    Returns:
        The chart; None if no bin has enough rows.
    """
    lines = [
        Line(css_class, css_class, [(each.probability, each.frequency) for each in bins], dots=True)
        for css_class, every in curves.items()
        if (bins := [each for each in every if each.examples >= FEWEST_ROWS])
    ]
    if not lines:
        return None
    x, y = Axis("predicted probability"), Axis("observed frequency")
    return chart(caption, x, y, [_DIAGONAL, *lines], subject=label)


def _eval_chart(curve: CalibrationCurve) -> Chart | None:
    """Draw the eval split; before and after the calibration, if there is one."""
    if "after" not in curve.reliability:
        error = next(iter(curve.error.values()), 0.0)
        caption = f"Eval split, without calibration; expected calibration error {error:.3f}"
        return reliability_chart(caption, {"candidate": curve.reliability.get("before", [])})
    errors = " and ".join(f"{error:.3f} {when}" for when, error in curve.error.items())
    caption = f"Eval split, before and after calibration ({curve.method}); expected calibration error {errors}"
    return reliability_chart(
        caption, {"before": curve.reliability.get("before", []), "candidate": curve.reliability["after"]}
    )


def _pool(insights: Insights) -> list[Reliability]:
    """Return the reliability bins of all labels together."""
    by_bin: defaultdict[float, list[Reliability]] = defaultdict(list)
    for counts in insights.candidate.values():
        for each in counts.reliability:
            by_bin[each.low].append(each)
    pooled = []
    for low, bins in sorted(by_bin.items()):
        examples = sum(each.examples for each in bins)
        probability = sum(each.probability * each.examples for each in bins) / examples
        frequency = sum(each.frequency * each.examples for each in bins) / examples
        pooled.append(Reliability(low=low, examples=examples, probability=probability, frequency=frequency))
    return pooled
