"""Readings of a column of texts: each value is one label, or several with a delimiter between."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cli.init.reading import LabelReading
from cli.init.survey import Column
from components.example_gen.parsing.labels import TAGS, split_labels
from components.example_gen.parsing.settings import DelimitedLabels, SeveralColumns

# Marks that hardly any label has inside.
STRONG_MARKS = ("|", ";", TAGS, "\n", "\t", "\u3001", "\uff1b", "\uff0c")
# Marks that labels have inside too: they are delimiters only if the labels between them recur.
_WEAK = (",", "#", "/", "&", "+", " ")
# What else may be between labels. It is taken for a delimiter only if the labels between it also stand alone.
_RARE = re.compile(
    r"<br ?/?>|\\[nt]|\s+(?:and|or|und|oder|et|ou|y|e|o)\s+|__+"
    r"|\s+[^\w\s]+\s+|[^\w\s.'()\[\]{}\"-]+\s?|[\x01-\x08\x0b-\x1f]"
)
_MOST_MARKS = 5
_ODD = re.compile(r".*[,;]|and|or|und|oder|et|ou|[-&+/|,;.\u2013\u2014]")  # what no label is that ends at a blank
_DEFAULT = "|"
_CONJUNCTIONS = ("and ", "or ", "und ", "oder ", "et ", "ou ", "y ", "e ")
_MANY = 5  # values with a mark: fewer prove nothing
_MOST_ALONE = 0.5  # share of the labels of values with several from which on those that also stand alone show a list
_MOST_RECURRING = 0.5


@dataclass(frozen=True)
class _Split:
    """Evidence about one mark.

    Attributes:
        parts: Distinct labels with the number of distinct values that have each.
        several: Values with at least two labels.
        values: Distinct values.
    """

    mark: str
    parts: Counter[str]
    several: Sequence[tuple[str, ...]]
    values: int

    @property
    def recurring(self) -> float:
        """Share of the values with several labels of which a label is in another value too, 0 to 1."""
        return sum(any(self.parts[part] > 1 for part in value) for value in self.several) / len(self.several)

    @property
    def has_prose(self) -> bool:
        """Return whether a label begins with a conjunction, as the end of an enumeration does."""
        return any(part.lower().startswith(_CONJUNCTIONS) for part in self.parts)


def read_values(column: Column) -> list[LabelReading]:
    """Return the readings of a column of texts that its values do not contradict, the most likely first."""
    values = [value for value in column.values if value.strip()]
    marks = (*STRONG_MARKS, *_WEAK, *rare_marks(values))
    found = [reading for mark in marks if (reading := _delimited(column, values, mark)) is not None]
    # The delimiter with the fewest distinct labels; of several, the first in the order above.
    found.sort(key=lambda reading: (-reading.support, len(reading.names)))
    return sorted([*found, single_labels(column)], key=lambda reading: -reading.support)


def split_at(column: Column, delimiter: str) -> LabelReading:
    """Return the reading of a column with a delimiter that a person has named."""
    names = sorted({name for value in column.values for name in split_labels(value, delimiter)})
    return _reading(column, delimiter, names, 2)


def single_labels(column: Column) -> LabelReading:
    """Return the reading of every value as one label."""
    names = sorted({stripped for value in column.values if (stripped := value.strip())})
    if any(_DEFAULT in name for name in names):
        settings: DelimitedLabels | SeveralColumns = SeveralColumns(kind="columns", columns=(column.name,))
    else:
        settings = DelimitedLabels(kind="delimited", column=column.name, delimiter=_DEFAULT)
    return LabelReading(settings, names, 1, {"label_kind": "single"}, "labels, one a row")


def _delimited(column: Column, values: Sequence[str], mark: str) -> LabelReading | None:
    evidence = _split(values, mark)
    if evidence is None:
        return None
    support = _support(evidence)
    return None if support == 0 else _reading(column, mark, sorted(evidence.parts), support)


def _reading(column: Column, mark: str, names: Sequence[str], support: int) -> LabelReading:
    settings = DelimitedLabels(kind="delimited", column=column.name, delimiter=mark)
    return LabelReading(settings, names, support, {"delimiter": mark}, f"labels separated by {mark!r}")


def rare_marks(values: Sequence[str]) -> list[str]:
    """Return further marks between words of the values, the most frequent first: signs, "and", <br> and such."""
    found = Counter(match for value in values for match in dict.fromkeys(_RARE.findall(value)))
    known = (*STRONG_MARKS, *_WEAK)
    return [
        mark
        for mark, count in found.most_common(_MOST_MARKS)
        if count > 1 and mark not in known and mark.strip() not in known
    ]


def _split(values: Sequence[str], mark: str) -> _Split | None:
    split = [tuple(split_labels(value, mark)) for value in values if mark in value or mark != TAGS]
    several = [value for value in split if len(value) > 1]
    if not several:
        return None
    parts = Counter(part for value in split for part in value)
    return _Split(mark, parts, several, len(values))


def _support(evidence: _Split) -> int:
    """Return how strongly the values support a mark: 2, 1, or 0 if they contradict it."""
    recurring, compresses = evidence.recurring, len(evidence.parts) < evidence.values
    if evidence.mark in STRONG_MARKS:
        return 2 if recurring > 0 or len(evidence.several) < _MANY else 0
    if not recurring:
        return 1 if evidence.mark == "," and len(evidence.several) == 1 and evidence.values <= 2 else 0
    if evidence.mark == " " and any(_ODD.fullmatch(part.lower()) for part in evidence.parts):
        return 0  # "a, b and c"
    within = {part for value in evidence.several for part in value}
    alone = sum(1 for _ in _alone(evidence))
    if evidence.mark != ",":
        # "account access", "account closure": labels with a word in common are no lists of words.
        is_list = alone >= _MOST_ALONE * len(within) or _MANY * len(evidence.parts) < evidence.values
        return 2 if is_list and compresses and recurring > _MOST_RECURRING else 0
    if evidence.has_prose:
        return 1
    return 2 if recurring > _MOST_RECURRING and (compresses or alone) else 1


def _alone(evidence: _Split) -> Iterator[str]:
    """Yield the labels that are in values with several labels, and in other values alone."""
    within = Counter(part for value in evidence.several for part in value)
    return (part for part, count in evidence.parts.items() if part in within and count > within[part])
