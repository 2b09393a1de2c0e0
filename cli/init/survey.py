"""Survey of a data file: its columns and their values, from one pass over the rows."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from components.example_gen.formats.formats import format_named
from components.example_gen.formats.opening import open_table, refuse_other_format
from components.example_gen.formats.rows import Cell, Object, Row
from components.example_gen.formats.values import printable
from components.example_gen.parsing.flags import parse_flag, parse_share, parse_vector
from components.example_gen.parsing.printed import is_printed
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused

MOST_VALUES = 5_000
"""Number of distinct values above which a column is neither labels nor a slice."""

_MOST_SLICE_VALUES = 20
_MOST_CHARACTERS = 10_000  # kept of a value; a longer one is not a label
_UNKNOWN = ("", "nan", "none", "null", "na", "n/a", "?", "unknown", "uncertain")  # beside yes and no
_MINUS_ONE = re.compile(r"-1(\.0*)?")
_NUMBER = re.compile(r"-?\d{1,3}(\.\d+)?")
_NEARLY = 0.5  # share of rows with a flag from which on a column beside others of 0 and 1 is one of them


@dataclass
class Column:
    """Column of a data file and its values.

    Attributes:
        name: Name of the column.
        values: Distinct values with their counts, up to a limit; of lists, their elements.
        characters: Number of characters of all values.
        rows: Number of rows that have a value in this column.
        blank: Number of rows whose value is blank.
        lists: Number of rows whose value is a list.
        longest: Number of elements of the longest list.
        objects: Number of rows whose value is an object.
        printed: Number of rows whose value is a printed list or object.
        flags: Number of rows whose value says yes or no.
        vectors: Number of rows whose value is a vector of 0 and 1, by the length of the vector.
        missing: Number of rows without a value.
    """

    name: str
    values: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    rows: int = 0
    blank: int = 0
    lists: int = 0
    longest: int = 0
    objects: int = 0
    printed: int = 0
    flags: int = 0
    vectors: Counter[int] = field(default_factory=Counter)
    missing: int = 0

    def add(self, cell: Cell) -> None:
        """Count the value of a row."""
        if cell is None:
            self.missing += 1
            return
        self.rows += 1
        if isinstance(cell, str):
            self._add_text(cell)
        else:
            self.lists += 1
            self.longest = max(self.longest, len(cell))
            self.blank += not cell
            self._add_vector(parse_vector(cell) if len(cell) > 1 else None)
        for value in [cell] if isinstance(cell, str) else cell:
            self.characters += len(value)
            kept = value[:_MOST_CHARACTERS]
            if len(self.values) <= MOST_VALUES or kept in self.values:
                self.values[kept] += 1

    def _add_text(self, cell: str) -> None:
        self.blank += not cell.strip()
        self.objects += isinstance(cell, Object)
        if is_printed(cell):
            self.printed += 1
            self._add_vector(parse_vector(cell))
        elif parse_flag(cell) is not None:
            self.flags += 1
        elif cell[:1] in "01" and len(cell) < 10 * MOST_VALUES:
            self._add_vector(parse_vector(cell))

    def _add_vector(self, vector: Sequence[bool] | None) -> None:
        if vector is not None and len(vector) > 1:
            self.vectors[len(vector)] += 1

    @property
    def is_list(self) -> bool:
        """True if any row has a list, also a printed one, or an object."""
        return self.lists > 0 or self.objects > 0 or self.printed > max(1, self.rows - self.blank) // 2

    @property
    def is_vector(self) -> bool:
        """True if most values are vectors of one length with 0 and 1."""
        filled = self.rows - self.blank
        return filled > 0 and max(self.vectors.values(), default=0) > 0.9 * filled

    @property
    def is_in_every_row(self) -> bool:
        """True if every row has a string."""
        return not self.is_list and not self.missing

    @property
    def is_indicator(self) -> bool:
        """True if every row says yes or no."""
        return self.is_in_every_row and self.flags == self.rows and self._is_both_or_number

    @property
    def is_nearly_indicator(self) -> bool:
        """True if most rows say yes or no, and the others are blank or hold a number or word for "unknown"."""
        others = {value for value in self.values if parse_flag(value) is None}
        is_flag = not self.is_list and self.flags >= _NEARLY * (self.rows + self.missing) and self._is_both_or_number
        return is_flag and all(
            value.strip().lower() in _UNKNOWN or _NUMBER.fullmatch(value.strip()) for value in others
        )

    @property
    def unknown_values(self) -> list[str]:
        """Values beside yes and no that usually mean that nobody knows, sorted; "" for a missing field.

        None if there are no rows with yes, or none with no: a blank may then mean the other.
        """
        flags = {parse_flag(value) for value in self.values}
        if not {True, False} <= flags:
            return []
        found = {value.strip() for value in self.values if _may_mean_unknown(value.strip())}
        return sorted(found | ({""} if self.missing else set()))

    @property
    def has_shares(self) -> bool:
        """True if some values are between 0 and 1, and none is another number but -1."""
        others = [value.strip() for value in self.values if parse_flag(value) is None and value.strip()]
        numbers = [value for value in others if _NUMBER.fullmatch(value) and not _MINUS_ONE.fullmatch(value)]
        return bool(numbers) and all(parse_share(value) is not None for value in numbers)

    @property
    def _is_both_or_number(self) -> bool:
        """False if the only flag is a letter, such as f for female."""
        flags = {value.strip().lower() for value in self.values if parse_flag(value) is not None}
        return len(flags) > 1 or not flags <= {"y", "n", "t", "f"}

    @property
    def is_slice(self) -> bool:
        """True if every row has one of a few values."""
        return self.is_in_every_row and 1 < len(self.values) <= _MOST_SLICE_VALUES


def _may_mean_unknown(value: str) -> bool:
    return value.lower() in _UNKNOWN or _MINUS_ONE.fullmatch(value) is not None


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
    rows, first_rejected = 0, None
    with open_table(str(data), settings, str(data), objects=None) as table:
        _refuse_repeated_names(data, table.columns)
        columns = [Column(name) for name in table.columns]
        for row in table.rows:
            if isinstance(row, Row):
                rows += 1
                for column, cell in zip(columns, row.cells, strict=True):
                    column.add(_unwrap(cell) if file_format.wraps_in_lists else cell)
            elif first_rejected is None:
                first_rejected = row
    if not rows:
        header = " with a header" if file_format.has_header else ""
        why = f" (line {first_rejected.line}: {first_rejected.explanation})" if first_rejected is not None else ""
        raise Refused(f"{data}: no row could be read{why}; is it {settings.format.upper()} in UTF-8{header}?")
    return Survey([column for column in columns if column.rows and column.name], rows)


def _refuse_repeated_names(data: Path, names: Sequence[str]) -> None:
    repeated = next((name for name, count in Counter(names).items() if count > 1 and name), None)
    if repeated is not None:
        raise Refused(f"{data}: two columns are named '{printable(repeated)}'; rename one")


def _unwrap(cell: Cell) -> Cell:
    """Return the element of a list of one, "" for an empty list: what such a list means if every cell is a list."""
    return "".join(cell) if isinstance(cell, list) and len(cell) < 2 else cell
