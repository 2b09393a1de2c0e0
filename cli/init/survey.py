"""Survey of a data file: its columns and their values, from one pass over the rows."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from components.example_gen.formats.formats import format_named
from components.example_gen.formats.opening import open_table, refuse_other_format
from components.example_gen.formats.rows import Cell, Object, Reason, Rejected, Row
from components.example_gen.formats.values import printable
from components.example_gen.parsing.flags import UnknownValues, parse_flag, parse_share
from components.example_gen.parsing.printed import is_cut, is_number, is_printed
from components.example_gen.parsing.vectors import parse_shares, vector_parts
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused

MOST_VALUES = 5_000
"""Number of distinct values above which a column is neither labels nor a slice."""

_MOST_SLICE_VALUES = 20
_MOST_NAMES = 5  # of columns in a message
_MOST_CHARACTERS = 10_000  # kept of a value; a longer one is not a label
# Beside yes and no; the backslash is MySQL's null.
_UNKNOWN = ("", "nan", "none", "null", "na", "n/a", "<na>", "#n/a", "\\n", "?", "unknown", "uncertain")
_MINUS_ONE = re.compile(r"-1(\.0*)?")
# Two words, or two letters of a script without blanks between words.
_WORDED = re.compile(r"\w\W*\s+\W*\w|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{2}")
_NUMBER = re.compile(r"-?\d{1,3}(\.\d+)?")
_LEAST_JOINED = 3  # digits of a vector without anything between them: 10 and 11 are numbers
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
        vectors: Number of rows whose value is a vector, by the length of the vector.
        vector_marks: Values in vectors beside numbers from 0 to 1, which usually mean that nobody knows.
        has_vector_shares: Whether vectors have numbers between 0 and 1.
        repeats: Number of vectors that have a value twice, as no list of positions does.
        cut: Number of rows whose value begins like a printed list, but is not closed.
        worded: Number of rows whose value has several words, or is in a script without blanks.
        missing: Number of rows without a value.
        label_names: Names of all labels that the column can hold, in order, where the file itself says so.
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
    vector_marks: set[str] = field(default_factory=set)
    has_vector_shares: bool = False
    repeats: int = 0
    cut: int = 0
    worded: int = 0
    missing: int = 0
    label_names: tuple[str, ...] = ()

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
            self._add_vector(cell)
        for value in [cell] if isinstance(cell, str) else cell:
            self.characters += len(value)
            kept = value[:_MOST_CHARACTERS]
            if len(self.values) <= MOST_VALUES or kept in self.values:
                self.values[kept] += 1

    def _add_text(self, cell: str) -> None:
        self.blank += not cell.strip()
        self.objects += isinstance(cell, Object)
        self.worded += _WORDED.search(cell) is not None
        if is_printed(cell):
            self.printed += 1
            self._add_vector(cell)
        elif parse_flag(cell) is not None:
            self.flags += 1
        elif is_cut(cell):
            self.cut += 1
        elif cell[:1] in ("0", "1", ".", "-") and len(cell) < 10 * MOST_VALUES:
            self._add_vector(cell)

    def _add_vector(self, cell: str | Sequence[str]) -> None:
        """Count a value if it is a vector of numbers from 0 to 1, -1, or marks of what nobody knows."""
        parts = vector_parts(cell)
        is_number = isinstance(cell, str) and cell.isdigit() and len(cell) < _LEAST_JOINED
        if len(parts) < 2 or is_number:
            return
        marks = {part for part in parts if may_mean_unknown(part.strip())}
        shares = parse_shares(parts, UnknownValues(marks))
        if shares is None or (all(share is None for share in shares) and not all(map(_MINUS_ONE.fullmatch, parts))):
            return
        self.vectors[len(shares)] += 1
        self.vector_marks |= {part.strip() for part in marks}
        self.has_vector_shares |= any(share is not None and 0 < share < 1 for share in shares)
        self.repeats += len(set(shares)) < len(shares)

    @property
    def is_list(self) -> bool:
        """True if any row has a list, also a printed one, or an object."""
        return self.lists > 0 or self.objects > 0 or self.printed + self.cut > max(1, self.rows - self.blank) // 2

    @property
    def is_vector(self) -> bool:
        """True if most values are vectors with 0 and 1."""
        filled = self.rows - self.blank
        return self.vectors.total() > 0.9 * filled > 0 and (len(self.vectors) == 1 or self.repeats > 0)

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
        """True if most rows say yes or no; the others are to be looked at, or say that nobody knows."""
        if self.is_list or not self.flags or not self._is_both_or_number:
            return False
        return self.has_unknown_only or (self.has_both and self.flags >= _NEARLY * (self.rows + self.missing))

    @property
    def holds_its_name(self) -> bool:
        """True if every value is the name of the column or blank, as surveys export an option that was ticked."""
        values = {value.strip() for value in self.values}
        return self.is_in_every_row and values == {"", self.name.strip()}

    @property
    def has_both(self) -> bool:
        """True if there are rows with yes, and rows with no."""
        return {parse_flag(value) for value in self.values} >= {True, False}

    @property
    def unknown_values(self) -> list[str]:
        """Values beside yes and no that usually mean that nobody knows, sorted; "" for a missing field.

        None if there are no rows with yes, or none with no: a blank may then mean the other.
        """
        if not self.has_both:
            return []
        found = {value.strip() for value in self.values if may_mean_unknown(value.strip())}
        return sorted(found | ({""} if self.missing else set()))

    @property
    def has_unknown_only(self) -> bool:
        """True if all values beside flags usually mean that nobody knows."""
        return all(may_mean_unknown(value.strip()) for value in self.values if parse_flag(value) is None)

    @property
    def is_flag_or_blank(self) -> bool:
        """True if there are rows with yes, rows with no, and others that are blank or have a word for it."""
        words = {value.strip() for value in self.values if parse_flag(value) is None}
        return (
            not self.is_list
            and self.has_both
            and all(may_mean_unknown(word) and not _MINUS_ONE.fullmatch(word) for word in words)
        )

    @property
    def varies(self) -> bool:
        """True if rows differ in their values, or there is only one."""
        return len(self.values) > 1 or self.rows <= 1

    @property
    def has_shares(self) -> bool:
        """True if some values are between 0 and 1, and none is another number but -1."""
        others = [value.strip() for value in self.values if parse_flag(value) is None and value.strip()]
        numbers = [value for value in others if _NUMBER.fullmatch(value) and not _MINUS_ONE.fullmatch(value)]
        return bool(numbers) and all(parse_share(value) is not None for value in numbers)

    @property
    def is_share(self) -> bool:
        """True if every row has a number from 0 to 1, and some are in between."""
        return self.is_in_every_row and self.has_shares and all(parse_share(value) is not None for value in self.values)

    @property
    def _is_both_or_number(self) -> bool:
        """False if the only flag is a letter, such as f for female."""
        flags = {value.strip().lower() for value in self.values if parse_flag(value) is not None}
        return len(flags) > 1 or not flags <= {"y", "n", "t", "f"}

    @property
    def is_slice(self) -> bool:
        """True if every row has one of a few values."""
        return self.is_in_every_row and 1 < len(self.values) <= _MOST_SLICE_VALUES


def may_mean_unknown(value: str) -> bool:
    """Return whether a value beside yes and no usually means that nobody knows."""
    return value.casefold() in _UNKNOWN or _MINUS_ONE.fullmatch(value) is not None


@dataclass(frozen=True)
class Survey:
    """Result of a survey.

    Attributes:
        columns: Columns in which some row has a value, in the order of the file.
        rows: Number of rows that could be read.
        width: Number of columns with values, those without a name included.
    """

    columns: Sequence[Column]
    rows: int
    width: int


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
        columns = [Column(name, label_names=table.label_names.get(name, ())) for name in table.columns]
        for row in table.rows:
            if isinstance(row, Row):
                rows += 1
                for column, cell in zip(columns, row.cells, strict=True):
                    column.add(_unwrap(cell) if file_format.wraps_in_lists else cell)
            elif first_rejected is None:
                first_rejected = row
    if not rows:
        _refuse_without_rows(data, settings, columns, first_rejected)
    named = [column for column in columns if column.rows and column.name]
    if not named:
        raise Refused(f"{data}: no column has a name and values; see the first rows of the file")
    width = sum(column.blank < column.rows for column in columns)
    return Survey(named, rows, width)


def _refuse_without_rows(
    data: Path, settings: ExamplesSettings, columns: Sequence[Column], rejected: Rejected | None
) -> NoReturn:
    has_header = format_named(settings.format).has_header and settings.columns is None
    text = ""
    if format_named(settings.format).is_text:
        text = f"; is it {settings.format.upper()} in UTF-8{' with a header' if has_header else ''}?"
    if rejected is None:
        what = "there is no row below the header" if has_header else "it has no rows"
        raise Refused(f"{data}: {what}{text}")
    why = f"no row could be read (line {rejected.line}: {rejected.explanation})"
    if rejected.reason is Reason.WRONG_FIELDS and has_header:
        names = ", ".join(printable(column.name) for column in columns[:_MOST_NAMES])
        raise Refused(
            f"{data}: {why}; the first line ({names}) is taken for the names of the columns: remove lines above them,"
            " name the columns by --columns, or the character between fields by --separator"
        )
    raise Refused(f"{data}: {why}{text}")


def _refuse_repeated_names(data: Path, names: Sequence[str]) -> None:
    repeated = next((name for name, count in Counter(names).items() if count > 1 and name), None)
    if repeated is not None and (is_number(repeated) or parse_flag(repeated) is not None):
        raise Refused(
            f"{data}: its first row has '{printable(repeated)}' twice, as data has; if there is no header, name the"
            " columns in order by --columns, such as --columns id,text,labels"
        )
    if repeated is not None:
        name = printable(repeated)
        numbered = f", such as to {name}_1 and {name}_2, which are read as one list if they hold labels"
        raise Refused(f"{data}: two columns are named '{name}'; rename one{numbered}")


def _unwrap(cell: Cell) -> Cell:
    """Return the element of a list of one, "" for an empty list: what such a list means if every cell is a list."""
    return "".join(cell) if isinstance(cell, list) and len(cell) < 2 else cell
