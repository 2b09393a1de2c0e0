"""What a report shows of each label: its curves, what it is taken for, and the most confident mistakes."""

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
from components.report.views.material import Material
from components.report.views.training import Training

# Of more labels, the commonest ones get curves: the page would be too large to open on a phone.
MOST_LABELS = 100
_MOST_PAIRS = 12
_DIAGONAL = Line("", "guide", [(0.0, 0.0), (1.0, 1.0)])


@dataclass(frozen=True)
class LabelView:
    """One label."""

    name: str
    measured: LabelSummary
    charts: list[Chart] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    false_positives: int = 0
    false_negatives: int = 0
    wrongly_given: list[Mistake] = field(default_factory=list)
    missed: list[Mistake] = field(default_factory=list)


@dataclass(frozen=True)
class MatrixRow:
    """What was wrongly given: `cells` are (examples, shade 0..4) by the label that was right in its place."""

    given: str
    cells: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class ConfusionView:
    """Which labels are taken for which.

    Attributes:
        pairs: The most frequent ones.
        columns: Of the matrix, the last one for examples without any label; empty where there is no matrix.
        rows: Of the matrix.
    """

    pairs: list[Confusion]
    columns: list[str]
    rows: list[MatrixRow]


def label_views(material: Material) -> tuple[list[LabelView], int]:
    """Every label, or the commonest ones of many; and how many were left out."""
    metrics, insights = material.summary.metrics, material.insights
    if metrics is None:
        return [], 0
    labels = list(metrics.per_label)
    shown = set(sorted(labels, key=lambda label: -metrics.per_label[label].support)[:MOST_LABELS])
    confusions: defaultdict[str, list[Confusion]] = defaultdict(list)
    for each in insights.confusions if insights is not None else ():
        confusions[each.given].append(each)
    views = []
    for label in (label for label in labels if label in shown):
        measured = metrics.per_label[label]
        if insights is None or label not in insights.candidate:
            views.append(LabelView(label, measured))
            continue
        mistakes = insights.mistakes.get(
            label, LabelMistakes(false_positives=0, false_negatives=0, wrongly_given=[], missed=[])
        )
        views.append(
            LabelView(
                name=label,
                measured=measured,
                charts=list(_charts(label, measured, insights)),
                confusions=confusions[label][:_MOST_PAIRS],
                false_positives=mistakes.false_positives,
                false_negatives=mistakes.false_negatives,
                wrongly_given=_shown(mistakes.wrongly_given, material),
                missed=_shown(mistakes.missed, material),
            )
        )
    return views, len(labels) - len(views)


def confusion_view(insights: Insights | None) -> ConfusionView | None:
    """The pairs and the matrix; None where nothing is known."""
    if insights is None:
        return None
    pairs = [each for each in insights.confusions if each.right is not None and each.missed][:_MOST_PAIRS]
    labels = list(insights.candidate)
    if len(labels) > MATRIX_LABELS:
        return ConfusionView(pairs, [], [])
    missed: defaultdict[str, dict[str | None, int]] = defaultdict(dict)
    for each in insights.confusions:
        missed[each.given][each.right] = each.missed
    most = max((each.missed for each in insights.confusions), default=0)
    columns: list[str | None] = [*labels, None]
    rows = [
        MatrixRow(label, [(many, _shade(many, most)) for many in (missed[label].get(right, 0) for right in columns)])
        for label in labels
    ]
    return ConfusionView(pairs, [*labels, "(no label)"], rows)


def training_charts(training: Training | None, batches: int | None) -> list[Chart]:
    """Losses over the epochs.

    Args:
        training: None where nothing is known.
        batches: Of an epoch, to tell which epoch a step is in; None: unknown, steps are left out.
    """
    if training is None or not training.losses:
        return []
    epochs = len(training.losses)
    lines = []
    if batches and training.steps:
        so_far = [(step / batches, loss) for step, loss in training.steps]
        lines.append(Line("train, epoch so far", "steps", so_far))
    ends = range(1, epochs + 1)
    lines.append(Line("train", "baseline", list(zip(ends, training.losses, strict=True)), dots=True))
    lines.append(Line("eval", "candidate", list(zip(ends, training.eval_losses, strict=False)), dots=True))
    highest = max(loss for line in lines for _, loss in line.points)
    y = ticks(highest)
    x = Axis("epoch", 0, epochs, [tick for tick in ticks(epochs) if tick <= epochs and tick == int(tick)])
    return [chart("Loss by epoch, train and eval", x, Axis("loss", 0, y[-1], y), lines)]


def calibration_charts(material: Material) -> list[Chart]:
    """Reliability of all labels together."""
    found = []
    curve = material.training.calibration if material.training is not None else None
    if curve is not None:
        calibrated = "after" in curve.reliability
        looks = {"before": "baseline", "after": "candidate"} if calibrated else {"before": "candidate"}
        lines = [Line(when, look, _points(curve.reliability[when]), dots=True) for when, look in looks.items()]
        said = " and ".join(f"{error:.3f} {when}" for when, error in curve.error.items())
        error = said if len(curve.error) > 1 else said.partition(" ")[0]
        found.append(_reliability(f"Eval split; expected calibration error {error}", lines))
    if material.insights is not None:
        pooled = _points(_pooled(material.insights))
        line = Line("candidate", "candidate", pooled, dots=True)
        found.append(_reliability("Test split, the model as it was exported", [line]))
    return found


def _charts(label: str, measured: LabelSummary, insights: Insights) -> Iterator[Chart]:
    of_candidate = cuts(insights.candidate[label])
    before = (insights.baseline or {}).get(label)
    if of_candidate:
        yield _precision_recall(label, of_candidate, cuts(before) if before is not None else [], measured)
        yield _thresholds(label, of_candidate, measured.threshold)
    yield _reliability(
        "Reliability",
        [Line("candidate", "candidate", _points(insights.candidate[label].reliability), dots=True)],
        label,
    )


def _precision_recall(label: str, now: Sequence[Cut], before: Sequence[Cut], measured: LabelSummary) -> Chart:
    lines = [Line("baseline", "baseline", precision_recall(before))] if before else []
    lines.append(Line("candidate", "candidate", precision_recall(now)))
    at_work: list[Point] = []
    if measured.precision is not None and measured.recall is not None:
        at_work.append((measured.recall, measured.precision))
    return chart(
        "Precision and recall; the ring is at the threshold",
        Axis("recall"), Axis("precision"), lines, of=label, marks=at_work,
    )  # fmt: skip


def _thresholds(label: str, of: Sequence[Cut], threshold: float) -> Chart:
    lines = [
        Line("precision", "precision", [(cut.threshold, cut.precision) for cut in of if cut.precision is not None]),
        Line("recall", "recall", [(cut.threshold, cut.recall) for cut in of]),
        Line("F1", "f1", [(cut.threshold, cut.f1) for cut in of]),
    ]
    return chart(
        "By threshold; the dashed line is the label's own",
        Axis("threshold"), Axis(""), lines, of=label, cut=threshold,
    )  # fmt: skip


def _reliability(caption: str, lines: Sequence[Line], label: str = "") -> Chart:
    return chart(caption, Axis("probability said"), Axis("frequency"), [_DIAGONAL, *lines], of=label)


def _points(bins: Sequence[Reliability]) -> list[Point]:
    return [(each.probability, each.frequency) for each in bins]


def _pooled(insights: Insights) -> list[Reliability]:
    """The bins of all labels together."""
    by_bin: defaultdict[float, list[Reliability]] = defaultdict(list)
    for counts in insights.candidate.values():
        for each in counts.reliability:
            by_bin[each.low].append(each)
    pooled = []
    for low, bins in sorted(by_bin.items()):
        examples = sum(each.examples for each in bins)
        said = sum(each.probability * each.examples for each in bins) / examples
        was = sum(each.frequency * each.examples for each in bins) / examples
        pooled.append(Reliability(low=low, examples=examples, probability=said, frequency=was))
    return pooled


def _shown(mistakes: Sequence[Mistake], material: Material) -> list[Mistake]:
    first = mistakes[: material.mistakes]
    if material.texts:
        return list(first)
    return [mistake.model_copy(update={"text": "", "text_pair": None}) for mistake in first]


def _shade(many: int, most: int) -> int:
    """0 for none, then 1 to 4 by the square root of the share of the most: small numbers stay apart."""
    return 0 if not many else min(4, 1 + int(4 * (many / most) ** 0.5 - 1e-9))
