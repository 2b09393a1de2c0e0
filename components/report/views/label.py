"""Sections of the report on each label: curves, confusions, and the most confident mistakes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from components.evaluation.insights.insights import (
    MATRIX_LABELS,
    Confusion,
    Insights,
    LabelMistakes,
    Mistake,
    Reliability,
)
from components.report.drawing.charts import Axis, Chart, Line, Point, chart, ticks
from components.report.drawing.curves import Cut, cuts, precision_recall
from components.report.summary import LabelSummary
from components.report.views.labels import label_anchors
from components.report.views.material import Material
from components.report.views.training import Training

_MOST_PAIRS = 12
_DIAGONAL = Line("", "guide", [(0.0, 0.0), (1.0, 1.0)])


@dataclass(frozen=True)
class LabelView:
    """Content of one label's section.

    Attributes:
        name: Name of the label.
        anchor: Id of the section.
        measured: Metrics on the test split.
        charts: Charts of the label.
        confusions: Labels that were right where this one was wrongly given, the most frequent first.
        false_positives: Number of rows that it was wrongly given to.
        false_negatives: Number of rows that it was missed on.
        wrongly_given: The most confident false positives.
        missed: The most confident false negatives.
    """

    name: str
    anchor: str
    measured: LabelSummary
    charts: list[Chart] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    false_positives: int = 0
    false_negatives: int = 0
    wrongly_given: list[Mistake] = field(default_factory=list)
    missed: list[Mistake] = field(default_factory=list)


@dataclass(frozen=True)
class MatrixRow:
    """Row of the confusion matrix.

    Attributes:
        given: Label that was wrongly given.
        cells: (examples, shade 0..4) by the label that was missed instead.
    """

    given: str
    cells: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class ConfusionView:
    """Labels that are confused with each other.

    Attributes:
        pairs: The most frequent confusions.
        columns: Labels of the matrix's columns, the last one for examples without any label; empty if there is no
            matrix.
        rows: Rows of the matrix.
    """

    pairs: list[Confusion]
    columns: list[str]
    rows: list[MatrixRow]


@dataclass(frozen=True)
class LabelsView:
    """Content of the section.

    Attributes:
        labels: Sections of the labels, the worst first.
        left_out: Number of labels without a section.
        insights: Whether curves and mistakes are known.
    """

    labels: list[LabelView]
    left_out: int
    insights: bool


def labels_view(material: Material) -> LabelsView | None:
    """Return the labels' sections, or those of the most frequent labels; None if no model was judged."""
    metrics, insights = material.summary.metrics, material.insights
    if metrics is None:
        return None
    anchors = label_anchors(metrics)
    confusions: defaultdict[str, list[Confusion]] = defaultdict(list)
    for each in insights.confusions if insights is not None else ():
        confusions[each.given].append(each)
    views = [
        _label_view(label, anchor, metrics.per_label[label], confusions[label], material)
        for label, anchor in anchors.items()
    ]
    return LabelsView(views, len(metrics.per_label) - len(views), insights is not None)


def _label_view(
    label: str, anchor: str, measured: LabelSummary, confusions: Sequence[Confusion], material: Material
) -> LabelView:
    insights = material.insights
    if insights is None or label not in insights.candidate:
        return LabelView(label, anchor, measured)
    mistakes = insights.mistakes.get(
        label, LabelMistakes(false_positives=0, false_negatives=0, wrongly_given=[], missed=[])
    )
    return LabelView(
        name=label,
        anchor=anchor,
        measured=measured,
        charts=list(_charts(label, measured, insights)),
        confusions=list(confusions[:_MOST_PAIRS]),
        false_positives=mistakes.false_positives,
        false_negatives=mistakes.false_negatives,
        wrongly_given=_shown(mistakes.wrongly_given, material),
        missed=_shown(mistakes.missed, material),
    )


def confusion_view(insights: Insights | None) -> ConfusionView | None:
    """Return the confusions, with a matrix unless there are too many labels; None if they are not known."""
    if insights is None:
        return None
    pairs = [each for each in insights.confusions if each.right is not None and each.missed][:_MOST_PAIRS]
    labels = list(insights.candidate)
    if len(labels) > MATRIX_LABELS:
        return ConfusionView(pairs, [], [])
    missed: defaultdict[str, dict[str | None, int]] = defaultdict(dict)
    for each in insights.confusions:
        missed[each.given][each.right] = each.missed
    highest = max((each.missed for each in insights.confusions), default=0)
    columns: list[str | None] = [*labels, None]
    rows = [
        MatrixRow(label, [(n, _shade(n, highest)) for n in (missed[label].get(right, 0) for right in columns)])
        for label in labels
    ]
    return ConfusionView(pairs, [*labels, "(no label)"], rows)


def training_charts(training: Training | None, batches: int | None) -> list[Chart]:
    """Draw the losses by epoch.

    Args:
        training: Losses; None if they are not known.
        batches: Number of batches in an epoch, which maps steps to epochs; None leaves the steps out.
    """
    if training is None or not training.losses:
        return []
    epochs = len(training.losses)
    lines = []
    if batches and training.steps:
        running = [(step / batches, loss) for step, loss in training.steps]
        lines.append(Line("train, running mean", "steps", running))
    ends = range(1, epochs + 1)
    lines.append(Line("train", "train", list(zip(ends, training.losses, strict=True)), dots=True))
    lines.append(Line("eval", "eval", list(zip(ends, training.eval_losses, strict=False)), dots=True))
    highest = max(loss for line in lines for _, loss in line.points)
    y = ticks(highest)
    x = Axis("epoch", 0, epochs, [tick for tick in ticks(epochs) if tick <= epochs and tick == int(tick)])
    return [chart("Loss by epoch, train and eval", x, Axis("loss", 0, y[-1], y), lines)]


def calibration_charts(material: Material) -> list[Chart]:
    """Draw the reliability of all labels together, on the eval split and on the test split."""
    charts = []
    curve = material.training.calibration if material.training is not None else None
    if curve is not None:
        calibrated = "after" in curve.reliability
        classes = {"before": "before", "after": "candidate"} if calibrated else {"before": "candidate"}
        lines = [Line(when, each, _points(curve.reliability[when]), dots=True) for when, each in classes.items()]
        errors = " and ".join(f"{error:.3f} {when}" for when, error in curve.error.items())
        error = errors if len(curve.error) > 1 else errors.partition(" ")[0]
        charts.append(_reliability(f"Eval split; expected calibration error {error}", lines))
    if material.insights is not None:
        pooled = _points(_pool(material.insights))
        line = Line("candidate", "candidate", pooled, dots=True)
        charts.append(_reliability("Test split, the exported model", [line]))
    return charts


def _charts(label: str, measured: LabelSummary, insights: Insights) -> Iterator[Chart]:
    candidate = cuts(insights.candidate[label])
    counts = (insights.baseline or {}).get(label)
    if candidate:
        yield _precision_recall(label, candidate, cuts(counts) if counts is not None else [], measured)
        yield _thresholds(label, candidate, measured.threshold)
    yield _reliability(
        "Reliability",
        [Line("candidate", "candidate", _points(insights.candidate[label].reliability), dots=True)],
        label,
    )


def _precision_recall(label: str, candidate: Sequence[Cut], baseline: Sequence[Cut], measured: LabelSummary) -> Chart:
    lines = [Line("baseline", "baseline", precision_recall(baseline))] if baseline else []
    lines.append(Line("candidate", "candidate", precision_recall(candidate)))
    operating_point: list[Point] = []
    if measured.precision is not None and measured.recall is not None:
        operating_point.append((measured.recall, measured.precision))
    return chart(
        "Precision and recall; the ring is at the threshold",
        Axis("recall"), Axis("precision"), lines, subject=label, marks=operating_point,
    )  # fmt: skip


def _thresholds(label: str, curve: Sequence[Cut], threshold: float) -> Chart:
    lines = [
        Line("precision", "precision", [(cut.threshold, cut.precision) for cut in curve if cut.precision is not None]),
        Line("recall", "recall", [(cut.threshold, cut.recall) for cut in curve]),
        Line("F1", "f1", [(cut.threshold, cut.f1) for cut in curve]),
    ]
    return chart(
        "Metrics by threshold; the dashed line is the label's threshold",
        Axis("threshold"), Axis(""), lines, subject=label, cut=threshold,
    )  # fmt: skip


def _reliability(caption: str, lines: Sequence[Line], label: str = "") -> Chart:
    return chart(caption, Axis("predicted probability"), Axis("observed frequency"), [_DIAGONAL, *lines], subject=label)


def _points(bins: Sequence[Reliability]) -> list[Point]:
    return [(each.probability, each.frequency) for each in bins]


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


def _shown(mistakes: Sequence[Mistake], material: Material) -> list[Mistake]:
    first = mistakes[: material.mistakes]
    if material.texts:
        return list(first)
    return [mistake.model_copy(update={"text": "", "text_pair": None}) for mistake in first]


def _shade(n: int, highest: int) -> int:
    """Return 0 for none, else 1 to 4 by the square root of the share, which keeps small numbers apart."""
    return 0 if not n else min(4, 1 + int(4 * (n / highest) ** 0.5 - 1e-9))
