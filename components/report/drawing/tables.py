"""Tables of the report, as the template draws them: every one can be sorted, and read without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

# Numbers of labels and slices by the names they have in summary.json, in the order and words of a person.
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
    """What a cell shows.

    Attributes:
        shown: Its text, or markup of our own.
        key: What it is sorted by; None sorts last.
        look: A class of the style sheet.
    """

    shown: str | Markup
    key: float | str | None = None
    look: str = ""


@dataclass(frozen=True)
class Head:
    """A column's name; `numeric`: its cells stand to the right."""

    name: str
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        caption: What it shows.
        heads: Of the columns.
        rows: As many cells each.
        name: Unique on the page, empty where nothing refers to it.
        sortable: Whether a click on a head sorts.
    """

    caption: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    name: str = ""
    sortable: bool = True


def in_words(name: str) -> str:
    """A metric's name as a person reads it: `macro_pr_auc` is macro PR AUC."""
    if name in _NAMES:
        return _NAMES[name]
    kind, _, rest = name.partition("_")
    return f"{kind} {_NAMES[rest]}" if rest in _NAMES else name.replace("_", " ")


def number(value: float | None, look: str = "") -> Cell:
    """A metric: three digits."""
    return Cell("–" if value is None else f"{value:.3f}", value, look)


def count(value: int | None) -> Cell:
    """A whole number."""
    return Cell("–" if value is None else f"{value:,}", value)


def text(value: str, look: str = "") -> Cell:
    """Words."""
    return Cell(value, value.casefold(), look)


def change(now: float | None, before: float | None, better: int = 1) -> Cell:
    """How much a metric changed, coloured by whether that is good.

    Args:
        now: Its value.
        before: What it was.
        better: 1 if more is better, -1 if less is.
    """
    if now is None or before is None:
        return Cell("–", None)
    difference = now - before
    look = "" if abs(difference) < 0.0005 else "up" if difference * better > 0 else "down"
    return Cell(f"{difference:+.3f}".replace("-", "−"), difference, look)


def interval(of: tuple[float, float]) -> str:
    """Its bounds; of one that reaches below 0, such as a change's, so that the dash is not taken for a sign."""
    low, high = (f"{bound:.3f}".replace("-", "−") for bound in of)
    return f"{low} to {high}" if of[0] < 0 else f"{low}–{high}"


def any_number(value: Any) -> Cell | None:
    """A cell of whatever a metric is: a count, a number, bounds of an interval; None of anything else."""
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
