"""Parsers from the label columns of a row to its labels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from components.common.files import read_bytes
from components.example_gen.formats.rows import Cell, Reason
from components.example_gen.formats.values import UnusableValueError, printable, single_string
from components.example_gen.parsing.flags import (
    NO_VALUES,
    UnknownValues,
    parse_flag,
    parse_partial_vector,
    parse_share,
)
from components.example_gen.parsing.printed import is_printed, labels_of, parse_printed, scores_of
from components.example_gen.parsing.settings import (
    ASKABLE,
    DelimitedLabels,
    IndexedLabels,
    IndicatorLabels,
    LabelSettings,
    ListLabels,
    MultihotLabels,
    PositionalLabels,
    SeveralColumns,
)
from schema.errors import Refused

# Takes the cells of a row's label columns; returns its labels in the order of the row, each once. Raises
# UnusableValueError.
LabelParser = Callable[[Sequence[Cell]], list[str]]
# Takes the same; returns scores between 0 and 1 by label.
ScoreParser = Callable[[Sequence[Cell]], dict[str, float]]

_SHOWN_CHARACTERS = 40  # of a wrong value
TAGS = "><"  # the delimiter of <python><pandas>, whose first and last mark are no part of a label either


def make_label_parser(labels: LabelSettings, names: Sequence[str] = ()) -> LabelParser:
    """Return the parser for a kind of labels.

    Args:
        labels: Kind and columns of the labels.
        names: Labels that indices point to, from `read_label_names`.

    Example:
        >>> parse = make_label_parser(DelimitedLabels(kind="delimited", column="labels"))
        >>> parse(["joy| anger|joy"])
        ['joy', 'anger']
    """
    match labels:
        case DelimitedLabels(column=column, delimiter=delimiter):
            return lambda cells: split_labels(single_string(cells[0], column), delimiter)
        case IndicatorLabels(columns=columns, unknown=unknown):
            return _IndicatorParser(columns, UnknownValues(unknown), labels.cut if labels.soft else None)
        case IndexedLabels(column=column, delimiter=delimiter):
            return _IndexParser(column, delimiter, tuple(names))
        case MultihotLabels(column=column, unknown=unknown):
            return _VectorParser(column, tuple(names), UnknownValues(unknown))
        case SeveralColumns(columns=columns):
            return lambda cells: _distinct(map(single_string, cells, columns))
        case ListLabels(column=column):
            return _ListParser(column, labels.cut if labels.soft else None)


def make_unknown_parser(labels: LabelSettings, names: Sequence[str] = ()) -> LabelParser | None:
    """Return the parser from the same cells to the labels that they call unknown; None if they cannot.

    Args:
        labels: Kind, columns and unknown values of the labels.
        names: Labels that indices point to, from `read_label_names`.

    Example:
        >>> settings = IndicatorLabels(kind="indicators", columns=("toxic", "insult"), unknown=(-1,))
        >>> parse = make_unknown_parser(settings)
        >>> parse(["1", "-1"])
        ['insult']
    """
    match labels:
        case IndicatorLabels(columns=columns, unknown=unknown) if unknown:
            return _IndicatorParser(columns, UnknownValues(unknown)).unknown
        case MultihotLabels(column=column, unknown=unknown) if unknown:
            return _VectorParser(column, tuple(names), UnknownValues(unknown)).unknown
        case _:
            return None


def make_score_parser(labels: LabelSettings) -> ScoreParser | None:
    """Return the parser from the same cells to the labels whose value is between yes and no; None if there are none.

    Args:
        labels: Kind and columns of the labels.

    Example:
        >>> parse = make_score_parser(IndicatorLabels(kind="indicators", columns=("toxic", "insult"), soft=True))
        >>> parse(["0.3", "1"])
        {'toxic': 0.3}
    """
    match labels:
        case IndicatorLabels(columns=columns, unknown=unknown, soft=True):
            return _IndicatorParser(columns, UnknownValues(unknown), labels.cut).scores
        case ListLabels(column=column, soft=True):
            return _ListParser(column, labels.cut).scores
        case _:
            return None


def make_asked_parser(labels: LabelSettings, column: str, names: Sequence[str] = ()) -> LabelParser:
    """Return the parser for the cell of a column that lists labels in the way of the labels themselves.

    Args:
        labels: Kind of the labels: delimited, list or indices.
        column: The column.
        names: Labels that indices point to, from `read_label_names`.
    """
    if not isinstance(labels, ASKABLE):
        raise ValueError(f"labels of kind {labels.kind} cannot be listed in a column")
    return make_label_parser(labels.model_copy(update={"column": column}), names)


def read_label_names(labels: LabelSettings, input_base: str) -> tuple[str, ...]:
    """Read the list that label indices point into; return () for the other kinds of labels.

    Args:
        labels: Kind of the labels, and the path of the list.
        input_base: Folder that the path is relative to.

    Raises:
        Refused: The file is missing, empty or not UTF-8, has a blank line, or lists a label twice.
    """
    if not isinstance(labels, PositionalLabels):
        return ()
    path = f"{input_base.rstrip('/')}/{labels.names}"
    try:
        names = tuple(name.strip() for name in read_bytes(path).decode("utf-8-sig").rstrip().split("\n"))
    except UnicodeDecodeError:
        raise Refused(f"{path}: the list of labels is not UTF-8; save it as UTF-8") from None
    except Exception as error:  # every remote file system raises classes of its own
        raise Refused(f"{path}: no such list of labels ({error}); set examples.labels.names") from None
    for line, name in enumerate(names, start=1):
        if not name:
            raise Refused(f"{path}:{line}: a blank line in the list of labels; name a label on every line")
        if name in names[: line - 1]:
            raise Refused(f"{path}:{line}: label '{name}' is listed twice; name each label once")
    return names


def split_labels(value: str, delimiter: str) -> list[str]:
    """Split a delimited list; return its parts in order, stripped, without blank and repeated ones.

    Example:
        >>> split_labels(" joy ||anger|joy", "|")
        ['joy', 'anger']
    """
    if delimiter == TAGS:
        value = value.strip().removeprefix("<").removesuffix(">")
    return _distinct(value.split(delimiter))


def _distinct(labels: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(stripped for label in labels if (stripped := label.strip())))


@dataclass(frozen=True, slots=True)
class _ListParser:
    column: str
    cut: float | None = None

    def scores(self, cells: Sequence[Cell]) -> dict[str, float]:
        (labels,) = cells
        if not isinstance(labels, str) or not is_printed(labels):
            return {}
        try:
            return scores_of(parse_printed(labels))
        except ValueError:
            return {}  # the labels themselves cannot be read either, which is told

    def __call__(self, cells: Sequence[Cell]) -> list[str]:
        (labels,) = cells
        if labels is None:
            raise UnusableValueError(Reason.MISSING_FIELD, f"'{printable(self.column)}'")
        if not isinstance(labels, str):
            return _distinct(labels)
        if not is_printed(labels):
            return _distinct([labels])  # a list of one, or "" for null
        try:
            value = parse_printed(labels)
            return _distinct(labels_of(value) if self.cut is None else labels_of(value, self.cut))
        except ValueError as error:
            detail = f"'{printable(self.column)}' holds '{printable(labels)}': {error}"
            raise UnusableValueError(Reason.NOT_A_LIST, detail) from None


@dataclass(frozen=True, slots=True)
class _VectorParser:
    column: str
    names: tuple[str, ...]
    values: UnknownValues = NO_VALUES

    def __call__(self, cells: Sequence[Cell]) -> list[str]:
        return [name for name, flag in self._flags(cells) if flag]

    def unknown(self, cells: Sequence[Cell]) -> list[str]:
        unknown = [name for name, flag in self._flags(cells) if flag is None]
        return _unless_all(unknown, len(self.names))

    def _flags(self, cells: Sequence[Cell]) -> Iterable[tuple[str, bool | None]]:
        (cell,) = cells
        if cell is None:
            raise UnusableValueError(Reason.MISSING_FIELD, f"'{printable(self.column)}'")
        flags = parse_partial_vector(cell[0] if isinstance(cell, list) and len(cell) == 1 else cell, self.values)
        if flags is None:
            raise UnusableValueError(Reason.NOT_A_VECTOR, f"'{printable(str(cell))}'")
        if len(flags) != len(self.names):
            raise UnusableValueError(Reason.NOT_A_VECTOR, f"{len(flags)} values for {len(self.names)} labels")
        return zip(self.names, flags, strict=True)


@dataclass(frozen=True, slots=True)
class _IndicatorParser:
    names: tuple[str, ...]
    values: UnknownValues = NO_VALUES
    cut: float | None = None  # for soft labels

    def scores(self, cells: Sequence[Cell]) -> dict[str, float]:
        shares = {name: parse_share(self._text(name, cell)) for name, cell in zip(self.names, cells, strict=True)}
        return {name: share for name, share in shares.items() if share is not None and 0 < share < 1}

    def __call__(self, cells: Sequence[Cell]) -> list[str]:
        labels = []
        for name, cell in zip(self.names, cells, strict=True):
            text = self._text(name, cell)
            flag = self._flag(text)
            if flag:
                labels.append(name)
            elif flag is None and text not in self.values:
                raise UnusableValueError(Reason.NOT_0_OR_1, f"'{text[:_SHOWN_CHARACTERS]}' in column '{name}'")
        return labels

    def _flag(self, text: str) -> bool | None:
        if self.cut is None:
            return parse_flag(text)
        share = parse_share(text)
        return None if share is None else share >= self.cut

    def unknown(self, cells: Sequence[Cell]) -> list[str]:
        unknown = [name for name, cell in zip(self.names, cells, strict=True) if self._text(name, cell) in self.values]
        return _unless_all(unknown, len(self.names))

    def _text(self, name: str, cell: Cell) -> str:
        if cell is None and "" in self.values:
            return ""
        return single_string(cell, name).strip()


def _unless_all(unknown: list[str], n_labels: int) -> list[str]:
    if len(unknown) == n_labels:
        raise UnusableValueError(Reason.NOT_LABELLED)
    return unknown


@dataclass(frozen=True, slots=True)
class _IndexParser:
    column: str
    delimiter: str
    names: tuple[str, ...]

    def __call__(self, cells: Sequence[Cell]) -> list[str]:
        (cell,) = cells
        # A list may hold one delimited string, since every cell of a tf.Example is a list.
        parts = cell if isinstance(cell, list) else [single_string(cell, self.column)]
        indices = (index for part in parts for index in split_labels(part, self.delimiter))
        return list(dict.fromkeys(self._name(index) for index in indices))

    def _name(self, index: str) -> str:
        shown = index[:_SHOWN_CHARACTERS]
        if not (index.isascii() and index.removeprefix("-").isdigit()):
            raise UnusableValueError(Reason.NOT_AN_INDEX, f"'{shown}'")
        # int() would refuse to parse thousands of digits, which are out of range anyway.
        if len(index) > 9 or not 0 <= int(index) < len(self.names):
            raise UnusableValueError(Reason.INDEX_OUT_OF_RANGE, f"{shown} is not in 0 to {len(self.names) - 1}")
        return self.names[int(index)]
