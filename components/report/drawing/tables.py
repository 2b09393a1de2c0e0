"""Tables of the report, as the templates draw them: sortable on a screen, and readable without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

# Display names of metrics by their names in summary.json.
_NAMES = {
    "examples": "examples",
    "support": "support",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "threshold": "threshold",
    "hamming_loss": "Hamming loss",
}


@dataclass(frozen=True)
class Cell:
    """Cell of a table.

    Attributes:
        shown: Its text, or our own markup.
        key: Sort key; None sorts last.
        css_class: Class of the style sheet.
        link: Id of the element of the page that it links to; empty for none.
    """

    shown: str | Markup
    key: float | str | None = None
    css_class: str = ""
    link: str = ""


@dataclass(frozen=True)
class Head:
    """Head of a column.

    Attributes:
        name: Name of the column.
        numeric: Whether its cells are numbers, which are aligned to the right.
        full: Full name, if `name` is an abbreviation.
    """

    name: str
    numeric: bool = True
    full: str = ""


@dataclass(frozen=True)
class Table:
    """Table whose first column names its rows.

    Attributes:
        caption: Caption.
        heads: Heads of the columns.
        rows: Cells of each row, one for each column.
        name: Name that is unique on the page; empty if nothing refers to the table.
        sortable: Whether a click on a head sorts the rows.
    """

    caption: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    name: str = ""
    sortable: bool = True


def display_name(metric: str) -> str:
    """Return the display name of a metric.

    Example:
        >>> display_name("macro_pr_auc")
        'macro PR AUC'
    """
    if metric in _NAMES:
        return _NAMES[metric]
    kind, _, rest = metric.partition("_")
    return f"{kind} {_NAMES[rest]}" if rest in _NAMES else metric.replace("_", " ")


def number(value: float | None, css_class: str = "") -> Cell:
    """Return the cell of a metric, with three decimals."""
    return Cell("–" if value is None else f"{value:.3f}", value, css_class)


def count(value: int | None) -> Cell:
    """Return the cell of a whole number."""
    return Cell("–" if value is None else f"{value:,}", value)


def text(value: str, css_class: str = "", link: str = "") -> Cell:
    """Return the cell of a text, which may link to an element of the page by its id."""
    return Cell(value, value.casefold(), css_class, link)


def change(value: float | None, baseline: float | None, direction: int = 1) -> Cell:
    """Return the cell of a metric's change, coloured by whether it is an improvement.

    Args:
        value: Value of the candidate.
        baseline: Value of the baseline.
        direction: 1 if higher is better, -1 if lower is better.
    """
    if value is None or baseline is None:
        return Cell("–", None)
    difference = value - baseline
    css_class = "" if abs(difference) < 0.0005 else "up" if difference * direction > 0 else "down"
    return Cell(f"{difference:+.3f}".replace("-", "−"), difference, css_class)


def interval(bounds: tuple[float, float]) -> str:
    """Return an interval as text.

    Example:
        >>> interval((0.48, 0.55))
        '0.480–0.550'
        >>> interval((-0.05, 0.02))  # spelled out, since a dash could be taken for a sign
        '−0.050 to 0.020'
    """
    low, high = (f"{bound:.3f}".replace("-", "−") for bound in bounds)
    return f"{low} to {high}" if bounds[0] < 0 else f"{low}–{high}"


def any_number(value: Any) -> Cell | None:
    """Return the cell of a count, a metric or an interval; None if the value is none of these."""
    match value:
        case bool():
            return None
        case None:
            return Cell("–")
        case int():
            return count(value)
        case float():
            return number(value)
        case (float(low), float(high)):
            return Cell(interval((low, high)), low)
    return None
