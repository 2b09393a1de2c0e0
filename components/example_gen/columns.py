"""Where in a table each part of an example stands."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from components.example_gen.formats.values import shown
from components.example_gen.settings import ExamplesSettings, IndicatorLabels
from schema.errors import Refused

_MOST_COLUMNS_NAMED = 12
_LONGEST_NAME_COMPARED = 100  # characters: comparing takes their square


@dataclass(frozen=True, slots=True)
class Layout:
    """Positions of columns, counted from 0.

    Attributes:
        columns: The table's, for messages.
        id: None where the file and line are the id.
        text: The text's.
        text_pair: None where no pairs are classified.
        labels: One, or with indicators one per label.
        slices: In the order of the settings.
        group: None where none is configured.
    """

    columns: tuple[str, ...]
    id: int | None
    text: int
    text_pair: int | None
    labels: tuple[int, ...]
    slices: tuple[int, ...]
    group: int | None


def find_columns(
    columns: Sequence[str], settings: ExamplesSettings, name: str, *, others: Sequence[str] = ()
) -> Layout:
    """Finds every configured column among those of a table.

    Args:
        columns: The table's, in order.
        settings: Names the columns to find.
        name: What messages call the file.
        others: Columns that the file has beside them.

    Raises:
        Refused: A column is missing, or two columns have the same name.
    """
    twice = next((column for column, count in Counter(columns).items() if count > 1 and column), None)
    if twice is not None:
        raise Refused(f"{name}: two columns are named '{shown(twice)}'; rename one")
    positions = {column: position for position, column in enumerate(columns)}

    def position(column: str, key: str) -> int:
        if column not in positions:
            there = _what_there_is(column, (*columns, *others))
            raise Refused(f"{name}: no column '{shown(column)}' ({there}); set examples.{key}")
        return positions[column]

    def position_if_set(column: str | None, key: str) -> int | None:
        return None if column is None else position(column, key)

    labels_key = "labels.columns" if isinstance(settings.labels, IndicatorLabels) else "labels.column"
    return Layout(
        columns=tuple(columns),
        id=position_if_set(settings.id, "id"),
        text=position(settings.text, "text"),
        text_pair=position_if_set(settings.text_pair, "text_pair"),
        labels=tuple(position(column, labels_key) for column in settings.labels.label_columns),
        slices=tuple(position(column, "slices") for column in settings.slices),
        group=position_if_set(settings.group, "group"),
    )


def _what_there_is(wanted: str, columns: Sequence[str]) -> str:
    listed = ", ".join(map(shown, columns[:_MOST_COLUMNS_NAMED]))
    more = ", ..." if len(columns) > _MOST_COLUMNS_NAMED else ""
    nearest = difflib.get_close_matches(wanted, [name for name in columns if len(name) <= _LONGEST_NAME_COMPARED], n=1)
    hint = f"; did you mean '{shown(nearest[0])}'?" if nearest else ""
    return f"it has: {listed}{more}{hint}"
