"""Sections of the report on each label: scores, curves, confusions, and the most confident mistakes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from components.evaluation.insights.insights import Confusion, Insights, LabelMistakes, Mistake, ScoreCounts
from components.report.drawing.charts import Axis, Bars, Chart, Line, Point, bar_chart, chart
from components.report.drawing.curves import Cut, cuts, precision_recall, receiver_operating, score_bins
from components.report.summary import LabelSummary
from components.report.views.calibration import reliability_chart
from components.report.views.labels import label_anchors
from components.report.views.material import Material

_MOST_PAIRS = 12
# With more labels than this, curves have fewer points and labels fewer mistakes: a phone should open the page.
_MOST_SMOOTH = 60
_COARSE_POINTS = 30
_FEW_MISTAKES = 3
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
        surplus: Number of rows that it was given to in addition to all labels that they have.
        missed_alone: Number of rows that it was missed on while no wrong label was given.
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
    surplus: int = 0
    missed_alone: int = 0
    wrongly_given: list[Mistake] = field(default_factory=list)
    missed: list[Mistake] = field(default_factory=list)


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

    @property
    def is_explained(self) -> bool:
        """Return whether the words of any mistake are explained."""
        return any(mistake.why for label in self.labels for mistake in (*label.wrongly_given, *label.missed))


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
        surplus=insights.surplus.get(label, 0),
        missed_alone=insights.missed_alone.get(label, 0),
        wrongly_given=_shown(mistakes.wrongly_given, material),
        missed=_shown(mistakes.missed, material),
    )


def _charts(label: str, measured: LabelSummary, insights: Insights) -> Iterator[Chart]:
    counts, baseline = insights.candidate[label], (insights.baseline or {}).get(label)
    points = _COARSE_POINTS if len(insights.candidate) > _MOST_SMOOTH else None
    curve = cuts(counts, points)
    yield _scores(label, counts, measured.threshold)
    if curve:
        others = cuts(baseline, points) if baseline is not None else []
        yield _precision_recall(label, curve, others, measured)
        yield _receiver_operating(label, curve, others, measured)
        yield _thresholds(label, curve, measured.threshold)
    reliability = reliability_chart("Reliability", {"candidate": counts.reliability}, label)
    if reliability is not None:
        yield reliability


def _scores(label: str, counts: ScoreCounts, threshold: float) -> Chart:
    """Draw how many rows have a score, those with the label to the right of those without in each bin."""
    bins = score_bins(counts)
    shares = [Bars("rows that have it", "with", [with_it for _, with_it in bins])]
    shares.append(Bars("rows that do not", "without", [without for without, _ in bins]))
    return bar_chart(
        "Scores, as shares of either kind of row on a root scale; the dashed line is the threshold",
        Axis("predicted probability"), shares, subject=label, cut=threshold,
    )  # fmt: skip


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


def _receiver_operating(label: str, candidate: Sequence[Cut], baseline: Sequence[Cut], measured: LabelSummary) -> Chart:
    lines = [_DIAGONAL, *([Line("baseline", "baseline", receiver_operating(baseline))] if baseline else [])]
    lines.append(Line("candidate", "candidate", receiver_operating(candidate)))
    operating_point: list[Point] = []
    wrong, right = measured.false_positives, measured.true_negatives
    if measured.recall is not None and wrong is not None and right is not None and wrong + right:
        operating_point.append((wrong / (wrong + right), measured.recall))
    return chart(
        "ROC; the ring is at the threshold",
        Axis("false positive rate"), Axis("recall"), lines, subject=label, marks=operating_point,
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


def _shown(mistakes: Sequence[Mistake], material: Material) -> list[Mistake]:
    many = material.insights is not None and len(material.insights.candidate) > _MOST_SMOOTH
    first = mistakes[: min(material.mistakes, _FEW_MISTAKES) if many else material.mistakes]
    if material.texts:
        return list(first)
    return [mistake.model_copy(update={"text": "", "text_pair": None, "why": [], "why_pair": []}) for mistake in first]
