"""Where in a table each part of an example stands."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from components.example_gen.settings import DelimitedLabels, ExamplesSettings, IndexedLabels, IndicatorLabels
from schema.errors import Refused

_MOST_COLUMNS_NAMED = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions of columns, counted from 0.

    Attributes:
        id: None where the file and line are the id.
        text: The text's.
        labels: One, or with indicators one per label.
        slices: In the order of the settings.
    """

    id: int | None
    text: int
    labels: tuple[int, ...]
    slices: tuple[int, ...]


def find_columns(columns: Sequence[str], settings: ExamplesSettings, name: str) -> Layout:
    """Finds every configured column among those of a table.

    Args:
        columns: The table's, in order.
        settings: Names the columns to find.
        name: What messages call the file.

    Raises:
        Refused: A column is missing, or two columns have the same name.
    """
    twice = next((column for column, count in Counter(columns).items() if count > 1 and column), None)
    if twice is not None:
        raise Refused(f"{name}: two columns are named '{twice}'; rename one")

    def position(column: str, key: str) -> int:
        if column not in columns:
            raise Refused(f"{name}: no column '{column}' ({_what_there_is(column, columns)}); set examples.{key}")
        return columns.index(column)

    return Layout(
        id=None if settings.id is None else position(settings.id, "id"),
        text=position(settings.text, "text"),
        labels=tuple(position(column, _labels_key(settings)) for column in settings.labels.label_columns),
        slices=tuple(position(column, "slices") for column in settings.slices),
    )


def _labels_key(settings: ExamplesSettings) -> str:
    match settings.labels:
        case DelimitedLabels() | IndexedLabels():
            return "labels.column"
        case IndicatorLabels():
            return "labels.columns"


def _what_there_is(wanted: str, columns: Sequence[str]) -> str:
    listed = ", ".join(columns[:_MOST_COLUMNS_NAMED]) + (", ..." if len(columns) > _MOST_COLUMNS_NAMED else "")
    nearest = difflib.get_close_matches(wanted, columns, n=1)
    return f"it has: {listed}; did you mean '{nearest[0]}'?" if nearest else f"it has: {listed}"
