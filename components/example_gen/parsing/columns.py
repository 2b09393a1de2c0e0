"""Search for the configured columns among those of a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from components.example_gen.formats.values import printable
from components.example_gen.parsing.settings import ColumnSettings, IndicatorLabels, SeveralColumns, TextColumns
from schema.errors import Refused
from schema.nearest import close_match

_MOST_COLUMNS_NAMED = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """Indices of the configured columns in a row's cells.

    Attributes:
        columns: Names of all columns, for messages.
        id: Column of the id; None if file and line identify a row.
        text: Column of the text.
        text_pair: Column of the second text; None if no pairs are classified.
        labels: Columns of the labels: one, or one per label for indicators; none where texts have no labels. None
            stands for a column of 0 and 1 that the file lacks, since its rows were not labelled for that.
        slices: Columns of the slices, in the order of the settings.
        group: Column of the group; None if none is configured.
        asked: Column that lists what a row was labelled for; None if there is none.
        key: Column whose value the rows that are merged have in common; None if none is configured.
    """

    columns: tuple[str, ...]
    id: int | None
    text: int
    text_pair: int | None
    labels: tuple[int | None, ...]
    slices: tuple[int, ...]
    group: int | None
    asked: int | None = None
    key: int | None = None


def find_columns(
    columns: Sequence[str],
    settings: TextColumns,
    name: str,
    *,
    others: Sequence[str] = (),
    asked: str | Sequence[str] | None = None,
) -> Layout:
    """Find every configured column among those of a table.

    Args:
        columns: Columns of the table, in order.
        settings: Columns to find.
        name: Name of the file in messages.
        others: Further columns of the file, which are not read; named in messages only.
        asked: Column that lists what a row was labelled for, or the labels that all rows were labelled for; None for
            all. A column of 0 and 1 that no row was labelled for may be missing.

    Raises:
        Refused: A column is missing, or two columns have the same name.
    """
    repeated = next((column for column, count in Counter(columns).items() if count > 1 and column), None)
    if repeated is not None:
        raise Refused(f"{name}: two columns are named '{printable(repeated)}'; rename one")
    indices = {column: index for index, column in enumerate(columns)}

    def index_of(column: str, key: str) -> int:
        if column not in indices:
            known = _known_columns(column, (*columns, *others))
            raise Refused(f"{name}: no column '{printable(column)}' ({known}); set examples.{key}")
        return indices[column]

    def index_if_set(column: str | None, key: str) -> int | None:
        return None if column is None else index_of(column, key)

    of_examples = settings if isinstance(settings, ColumnSettings) else None
    labels = None if of_examples is None else of_examples.labels
    is_optional = isinstance(labels, IndicatorLabels) and asked is not None and not isinstance(asked, str)
    labels_key = "labels.columns" if isinstance(labels, IndicatorLabels | SeveralColumns) else "labels.column"
    return Layout(
        columns=tuple(columns),
        id=index_if_set(settings.id, "id"),
        text=index_of(settings.text, "text"),
        text_pair=index_if_set(settings.text_pair, "text_pair"),
        labels=tuple(
            None
            if is_optional and column not in indices and column not in (asked or ())
            else index_of(column, labels_key)
            for column in settings.label_columns
        ),
        slices=tuple(index_of(column, "slices") for column in settings.slices),
        group=index_if_set(None if of_examples is None else of_examples.group, "group"),
        asked=index_if_set(asked if isinstance(asked, str) else None, "inputs[].asked"),
        key=index_if_set(None if of_examples is None else of_examples.merge_by, "merge_by"),
    )


def _known_columns(wanted: str, columns: Sequence[str]) -> str:
    listed = ", ".join(map(printable, columns[:_MOST_COLUMNS_NAMED]))
    more = ", ..." if len(columns) > _MOST_COLUMNS_NAMED else ""
    close = close_match(wanted, columns)
    return f"it has: {listed}{more}" + ("" if close is None else f"; did you mean '{printable(close)}'?")
