"""Survey of a data file: its columns and their values, from one pass over the rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from components.example_gen.formats.formats import format_named
from components.example_gen.formats.opening import open_table, refuse_other_format
from components.example_gen.formats.rows import Cell, Row
from components.example_gen.formats.values import printable
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused

MOST_VALUES = 5_000
"""Number of distinct values above which a column is neither labels nor a slice."""

_MOST_SLICE_VALUES = 20
_MOST_CHARACTERS = 10_000  # kept of a value; a longer one is not a label


@dataclass
class Column:
    """Column of a data file and its values.

    Attributes:
        name: Name of the column.
        values: Distinct values with their counts, up to a limit; of lists, their elements.
        characters: Number of characters of all values.
        rows: Number of rows that have a value in this column.
        lists: Number of rows whose value is a list.
        missing: Number of rows without a value, or with one that is neither a string nor a list of strings.
    """

    name: str
    values: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    rows: int = 0
    lists: int = 0
    missing: int = 0

    def add(self, cell: Cell) -> None:
        """Count the value of a row."""
        if cell is None:
            self.missing += 1
            return
        self.rows += 1
        self.lists += isinstance(cell, list)
        for value in [cell] if isinstance(cell, str) else cell:
            self.characters += len(value)
            kept = value[:_MOST_CHARACTERS]
            if len(self.values) <= MOST_VALUES or kept in self.values:
                self.values[kept] += 1

    @property
    def is_list(self) -> bool:
        """True if any row has a list."""
        return self.lists > 0

    @property
    def is_in_every_row(self) -> bool:
        """True if every row has a string."""
        return not self.is_list and not self.missing

    @property
    def is_indicator(self) -> bool:
        """True if every row has 0 or 1."""
        return self.is_in_every_row and set(self.values) <= {"0", "1"}

    @property
    def is_slice(self) -> bool:
        """True if every row has one of a few values."""
        return self.is_in_every_row and 1 < len(self.values) <= _MOST_SLICE_VALUES


@dataclass(frozen=True)
class Survey:
    """Result of a survey.

    Attributes:
        columns: Columns in which some row has a value, in the order of the file.
        rows: Number of rows that could be read.
    """

    columns: Sequence[Column]
    rows: int


def survey(data: Path, settings: ExamplesSettings) -> Survey:
    """Read a data file to its end and count the values of its columns.

    Args:
        data: The file.
        settings: Settings with its format.

    Raises:
        Refused: There is no such file, no row of it can be read, or two columns have the same name.
    """
    refuse_other_format(str(data), settings, str(data))
    file_format = format_named(settings.format)
    rows = 0
    with open_table(str(data), settings, str(data)) as table:
        _refuse_repeated_names(data, table.columns)
        columns = [Column(name) for name in table.columns]
        for row in table.rows:
            if isinstance(row, Row):
                rows += 1
                for column, cell in zip(columns, row.cells, strict=True):
                    column.add(_unwrap(cell) if file_format.wraps_in_lists else cell)
    if not rows:
        header = " with a header" if file_format.has_header else ""
        raise Refused(f"{data}: no row could be read; is it {settings.format.upper()} in UTF-8{header}?")
    return Survey([column for column in columns if column.rows and column.name], rows)


def _refuse_repeated_names(data: Path, names: Sequence[str]) -> None:
    repeated = next((name for name, count in Counter(names).items() if count > 1 and name), None)
    if repeated is not None:
        raise Refused(f"{data}: two columns are named '{printable(repeated)}'; rename one")


def _unwrap(cell: Cell) -> Cell:
    """Return the element of a list of one, "" for an empty list: what such a list means if every cell is a list."""
    return "".join(cell) if isinstance(cell, list) and len(cell) < 2 else cell
