"""Section of the report on labels that are confused with each other, and on labels that occur together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.evaluation.insights.insights import MATRIX_LABELS, Confusion, Insights
from components.report.drawing.tables import Cell, Head, Table, count, text

_MOST_PAIRS = 12
_NOTHING = "(nothing)"
_NO_LABEL = "(no label)"
_BESIDES = "(besides)"


@dataclass(frozen=True)
class MatrixRow:
    """Row of a matrix of labels.

    Attributes:
        name: Name of the row.
        cells: (examples, shade 0..4) by column; None on the diagonal, and where there is nothing to count.
    """

    name: str
    cells: Sequence[tuple[int, int] | None]


@dataclass(frozen=True)
class Matrix:
    """Counts of examples by two labels.

    Attributes:
        caption: Caption.
        columns: Names of the columns.
        rows: Rows.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[MatrixRow]


@dataclass(frozen=True)
class ConfusionView:
    """Content of the section.

    Attributes:
        pairs: The most frequent confusions.
        confusions: Label that was given by label that was missed; None with too many labels.
        together: Pairs of labels whose number of examples differs most between data and predictions; None if it is not
            known.
        pairs_matrix: Pairs of labels, in the data and predicted; None with too many labels.
    """

    pairs: Sequence[Confusion]
    confusions: Matrix | None
    together: Table | None
    pairs_matrix: Matrix | None


def confusion_view(insights: Insights | None) -> ConfusionView | None:
    """Return the content of the section; None if confusions are not known."""
    if insights is None:
        return None
    pairs = [each for each in insights.confusions if each.right is not None and each.missed][:_MOST_PAIRS]
    fits = len(insights.candidate) <= MATRIX_LABELS
    return ConfusionView(
        pairs,
        _confusions(insights) if fits else None,
        _together(insights) if insights.together else None,
        _pairs_matrix(insights) if fits and insights.together else None,
    )


def _confusions(insights: Insights) -> Matrix:
    """Return the matrix of confusions, with misses that nothing took the place of, and labels given besides."""
    labels = list(insights.candidate)
    missed: defaultdict[str, dict[str | None, int]] = defaultdict(dict)
    for each in insights.confusions:
        missed[each.given][each.right] = each.missed
    with_surplus = bool(insights.surplus)
    counts: dict[str, list[int | None]] = {}
    if insights.missed_alone:
        counts[_NOTHING] = [*(insights.missed_alone.get(label, 0) for label in labels), None, None]
    for label in labels:
        of_labels = [None if right == label else missed[label].get(right, 0) for right in labels]
        surplus = [insights.surplus.get(label, 0)] if with_surplus else []
        counts[label] = [*of_labels, missed[label].get(None, 0), *surplus]
    columns = [*labels, _NO_LABEL, *([_BESIDES] if with_surplus else [])]
    return Matrix("Given label (rows) and label that was missed instead (columns)", columns, _shaded(counts))


def _together(insights: Insights) -> Table:
    most_different = sorted(insights.together, key=lambda each: -abs(each.predicted - each.truth))[:_MOST_PAIRS]
    rows = [
        [
            text(f"{each.first} + {each.second}"), count(each.truth), count(each.predicted),
            Cell(f"{each.predicted - each.truth:+,}".replace("-", "−"), each.predicted - each.truth),
        ]
        for each in most_different
    ]  # fmt: skip
    heads = [Head("labels", False), Head("in the data"), Head("predicted"), Head("difference")]
    return Table("Labels that occur together, where data and predictions differ most", heads, rows, "together")


def _pairs_matrix(insights: Insights) -> Matrix:
    """Return the matrix of pairs: in the data below the diagonal, predicted above it."""
    labels = list(insights.candidate)
    found = {(each.first, each.second): each for each in insights.together}
    counts: dict[str, list[int | None]] = {}
    for row, label in enumerate(labels):
        cells: list[int | None] = []
        for column, other in enumerate(labels):
            pair = found.get((other, label) if column < row else (label, other))
            number = 0 if pair is None else pair.truth if column < row else pair.predicted
            cells.append(None if column == row else number)
        counts[label] = cells
    return Matrix("Labels together: in the data (below the diagonal) and predicted (above it)", labels, _shaded(counts))


def _shaded(counts: Mapping[str, Sequence[int | None]]) -> list[MatrixRow]:
    highest = max((n for row in counts.values() for n in row if n is not None), default=0)
    return [
        MatrixRow(name, [None if n is None else (n, _shade(n, highest)) for n in row]) for name, row in counts.items()
    ]


def _shade(n: int, highest: int) -> int:
    """Return 0 for none, else 1 to 4 by the square root of the share, which keeps small numbers apart."""
    return 0 if not n else min(4, 1 + int(4 * (n / highest) ** 0.5 - 1e-9))
