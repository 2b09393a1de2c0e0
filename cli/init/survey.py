"""What is in a data file: a pass over its rows for `bert-multilabel init`."""

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

# A column of more distinct values than this is no label column and no slice.
MOST_VALUES = 5_000
_MOST_SLICE_VALUES = 20
_MOST_CHARACTERS = 10_000  # kept of a value: a longer one is no label


@dataclass
class Column:
    """What is seen of a column.

    Attributes:
        name: Of the column.
        values: Its distinct values up to a limit; of lists, their elements.
        characters: Of all its values.
        rows: So many have it.
        lists: In so many of these it is a list.
        missing: So many rows lack it, or have something else there than a string or a list of strings.
    """

    name: str
    values: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    rows: int = 0
    lists: int = 0
    missing: int = 0

    def see(self, value: Cell) -> None:
        if value is None:
            self.missing += 1
            return
        self.rows += 1
        self.lists += isinstance(value, list)
        for part in [value] if isinstance(value, str) else value:
            self.characters += len(part)
            kept = part[:_MOST_CHARACTERS]
            if len(self.values) <= MOST_VALUES or kept in self.values:
                self.values[kept] += 1

    @property
    def is_list(self) -> bool:
        return self.lists > 0

    @property
    def is_in_every_row(self) -> bool:
        return not self.is_list and not self.missing

    @property
    def is_indicator(self) -> bool:
        return self.is_in_every_row and set(self.values) <= {"0", "1"}

    @property
    def is_slice(self) -> bool:
        return self.is_in_every_row and 1 < len(self.values) <= _MOST_SLICE_VALUES


def survey(data: Path, settings: ExamplesSettings) -> tuple[list[Column], int]:
    """Reads all of a file.

    Args:
        data: The file.
        settings: Give its format.

    Returns:
        The columns of which some row has a value, in their order, and the number of rows that could be read.

    Raises:
        Refused: There is no such file, no row of it can be read, or two columns have one name.
    """
    refuse_other_format(str(data), settings, str(data))
    file_format = format_named(settings.format)
    rows = 0
    with open_table(str(data), settings, str(data)) as table:
        _refuse_twins(data, table.columns)
        columns = [Column(name) for name in table.columns]
        for row in table.rows:
            if isinstance(row, Row):
                rows += 1
                for column, value in zip(columns, row.cells, strict=True):
                    column.see(_unwrapped(value) if file_format.wraps_in_lists else value)
    if not rows:
        header = " with a header" if file_format.has_header else ""
        raise Refused(f"{data}: no row could be read; is it {settings.format.upper()} in UTF-8{header}?")
    return [column for column in columns if column.rows and column.name], rows


def _refuse_twins(data: Path, names: Sequence[str]) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1 and name), None)
    if twice is not None:
        raise Refused(f"{data}: two columns are named '{printable(twice)}'; rename one")


def _unwrapped(cell: Cell) -> Cell:
    """Return the element of a list of one, "" for an empty list: what such a list means if every cell is a list."""
    return "".join(cell) if isinstance(cell, list) and len(cell) < 2 else cell
