"""Parsers from the label columns of a row to its labels."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from components.common.files import read_bytes
from components.example_gen.formats.rows import Cell, LabelName, Reason
from components.example_gen.formats.values import UnusableValueError, printable, single_string
from components.example_gen.parsing.flags import NO_VALUES, UnknownValues, parse_flag, parse_share
from components.example_gen.parsing.judgements import Judgement, UnlabelledError, judgements
from components.example_gen.parsing.printed import is_cut, is_printed, parse_printed
from components.example_gen.parsing.settings import (
    DelimitedLabels,
    IndexedLabels,
    IndicatorLabels,
    LabelSettings,
    ListLabels,
    MultihotLabels,
    PositionalLabels,
    SeveralColumns,
    SoftSettings,
)
from components.example_gen.parsing.vectors import parse_shares, parse_vector
from schema.errors import Refused

# Takes the cells of a row's label columns; returns its labels in the order of the row, each once. Raises
# UnusableValueError.
LabelParser = Callable[[Sequence[Cell]], list[str]]
# Takes the same; returns scores between 0 and 1 by label.
ScoreParser = Callable[[Sequence[Cell]], dict[str, float]]

_SHOWN_CHARACTERS = 40  # of a wrong value
_LEAST_SCORE = 0.5  # of a label in an object of scores
_ASKED_DELIMITER = "|"
_ANNOTATIONS = ("annotations", "completions")  # columns of Label Studio, in which an empty list is a task still to do
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
            return _IndicatorParser(columns, UnknownValues(unknown), _cut(labels))
        case IndexedLabels(column=column, delimiter=delimiter):
            return _IndexParser(column, delimiter, tuple(names))
        case MultihotLabels(column=column, unknown=unknown):
            return _VectorParser(column, tuple(names), UnknownValues(unknown), _cut(labels))
        case SeveralColumns(columns=columns):
            return lambda cells: _distinct(map(single_string, cells, columns))
        case ListLabels(column=column, unknown=unknown):
            return _ListParser(column, UnknownValues(unknown), labels.cut if labels.soft else _LEAST_SCORE)


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
            return _VectorParser(column, tuple(names), UnknownValues(unknown), _cut(labels)).unknown
        case ListLabels(column=column, unknown=unknown) if unknown:
            return _ListParser(column, UnknownValues(unknown)).unknown
        case _:
            return None


def make_score_parser(labels: LabelSettings, names: Sequence[str] = ()) -> ScoreParser | None:
    """Return the parser from the same cells to the labels whose value is between yes and no; None if there are none.

    Args:
        labels: Kind and columns of the labels.
        names: Labels that vectors have positions for, from `read_label_names`.

    Example:
        >>> parse = make_score_parser(IndicatorLabels(kind="indicators", columns=("toxic", "insult"), soft=True))
        >>> parse(["0.3", "1"])
        {'toxic': 0.3}
    """
    match labels:
        case IndicatorLabels(columns=columns, unknown=unknown, soft=True):
            return _IndicatorParser(columns, UnknownValues(unknown), labels.cut).scores
        case MultihotLabels(column=column, unknown=unknown, soft=True):
            return _VectorParser(column, tuple(names), UnknownValues(unknown), labels.cut).scores
        case ListLabels(column=column, unknown=unknown, soft=True):
            return _ListParser(column, UnknownValues(unknown), labels.cut).scores
        case _:
            return None


def make_asked_parser(
    labels: LabelSettings, column: str, names: Sequence[str] = (), delimiter: str | None = None
) -> LabelParser:
    """Return the parser for the cell of a column that lists labels.

    The column is written as the labels are, where one column holds them; else as a list, or with a delimiter between.
    Beside vectors, it may be a vector too.

    Args:
        labels: Kind of the labels.
        column: The column.
        names: Labels that indices and vectors point to, from `read_label_names`.
        delimiter: Text between two labels; None for the one of `labels`, or else "|".

    Example:
        >>> settings = IndicatorLabels(kind="indicators", columns=("toxic", "insult"))
        >>> make_asked_parser(settings, "asked")(["toxic|insult"])
        ['toxic', 'insult']
    """
    match labels:
        case DelimitedLabels() | IndexedLabels():
            changes = {"column": column, "delimiter": delimiter or labels.delimiter}
            return make_label_parser(labels.model_copy(update=changes), names)
        case ListLabels() if delimiter is None:
            return _ListParser(column)
        case _:
            return _AskedParser(column, delimiter or _ASKED_DELIMITER, tuple(names))


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


def split_indices(value: str, delimiter: str) -> list[str]:
    """Split a list of positions, delimited or printed; return its parts as they are, in order.

    Example:
        >>> split_indices("4,27", ","), split_indices("[4, 27]", ",")
        (['4', '27'], ['4', '27'])
    """
    if not is_printed(value):
        return split_labels(value, delimiter)
    try:
        printed = parse_printed(value)
    except ValueError:
        return [value]
    return _distinct(map(str, printed)) if isinstance(printed, list | tuple) else [value]


def _distinct(labels: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(stripped for label in labels if (stripped := label.strip())))


def _cut(labels: SoftSettings) -> float | None:
    return labels.cut if labels.soft else None


@dataclass(frozen=True, slots=True)
class _ListParser:
    column: str
    values: UnknownValues = NO_VALUES
    cut: float = _LEAST_SCORE

    def __call__(self, cells: Sequence[Cell]) -> list[str]:
        (labels,) = cells
        if labels is None:
            raise UnusableValueError(Reason.MISSING_FIELD, f"'{printable(self.column)}'")
        if not labels and self.column.rpartition(".")[2] in _ANNOTATIONS:
            raise UnusableValueError(Reason.NOT_LABELLED)
        if not isinstance(labels, str):
            return _distinct(labels)
        if is_printed(labels):
            return _distinct(label for label, score in self._judge(labels) if score is not None and score >= self.cut)
        if is_cut(labels):
            raise self._unusable(labels, "it is not closed, as if cut short")
        return _distinct([labels])  # a list of one, or "" for null

    def scores(self, cells: Sequence[Cell]) -> dict[str, float]:
        scores = {label.strip(): score for label, score in self._judgements(cells)}
        return {label: score for label, score in scores.items() if label and score is not None and 0 < score < 1}

    def unknown(self, cells: Sequence[Cell]) -> list[str]:
        return _distinct(label for label, score in self._judgements(cells) if score is None)

    def _judgements(self, cells: Sequence[Cell]) -> Sequence[Judgement]:
        (labels,) = cells
        return self._judge(labels) if isinstance(labels, str) and is_printed(labels) else ()

    def _judge(self, labels: str) -> Sequence[Judgement]:
        try:
            return judgements(parse_printed(labels), self.values.__contains__)
        except UnlabelledError:
            raise UnusableValueError(Reason.NOT_LABELLED) from None
        except ValueError as error:
            raise self._unusable(labels, str(error)) from None

    def _unusable(self, labels: str, why: str) -> UnusableValueError:
        shown = printable(labels[:_SHOWN_CHARACTERS])
        return UnusableValueError(Reason.NOT_A_LIST, f"'{printable(self.column)}' holds '{shown}': {why}")


@dataclass(frozen=True, slots=True)
class _AskedParser:
    column: str
    delimiter: str
    names: tuple[str, ...]

    def __call__(self, cells: Sequence[Cell]) -> list[str]:
        (cell,) = cells
        if isinstance(cell, list) and len(cell) == 1:
            cell = cell[0]  # as in every tf.Example
        if cell is not None and len(self.names) > 1 and len(flags := parse_vector(cell) or ()) == len(self.names):
            return [name for name, flag in zip(self.names, flags, strict=True) if flag]
        if isinstance(cell, str) and not is_printed(cell):
            return split_labels(cell, self.delimiter)
        return _ListParser(self.column)([cell])


@dataclass(frozen=True, slots=True)
class _VectorParser:
    column: str
    names: tuple[str, ...]
    values: UnknownValues = NO_VALUES
    cut: float | None = None  # for soft labels

    def __call__(self, cells: Sequence[Cell]) -> list[str]:
        least = 1 if self.cut is None else self.cut
        return [name for name, share in self._shares(cells) if share is not None and share >= least]

    def scores(self, cells: Sequence[Cell]) -> dict[str, float]:
        return {name: share for name, share in self._shares(cells) if share is not None and 0 < share < 1}

    def unknown(self, cells: Sequence[Cell]) -> list[str]:
        unknown = [name for name, share in self._shares(cells) if share is None]
        return _unless_all(unknown, len(self.names))

    def _shares(self, cells: Sequence[Cell]) -> Iterable[tuple[str, float | None]]:
        (cell,) = cells
        if cell is None:
            raise UnusableValueError(Reason.MISSING_FIELD, f"'{printable(self.column)}'")
        shares = parse_shares(cell[0] if isinstance(cell, list) and len(cell) == 1 else cell, self.values)
        if shares is None or (self.cut is None and any(share not in (0, 1, None) for share in shares)):
            raise UnusableValueError(Reason.NOT_A_VECTOR, f"'{printable(str(cell))}'")
        if len(shares) != len(self.names):
            raise UnusableValueError(Reason.NOT_A_VECTOR, f"{len(shares)} values for {len(self.names)} labels")
        return zip(self.names, shares, strict=True)


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
        return list(dict.fromkeys(name for part in parts for name in self._names(part)))

    def _names(self, part: str) -> Iterator[str]:
        if isinstance(part, LabelName):
            if part not in self.names:
                raise UnusableValueError(Reason.NOT_AN_INDEX, f"'{printable(part)}'")
            yield str(part)
            return
        yield from map(self._name, split_indices(part, self.delimiter))

    def _name(self, index: str) -> str:
        shown = index[:_SHOWN_CHARACTERS]
        if not (index.isascii() and index.removeprefix("-").isdigit()):
            raise UnusableValueError(Reason.NOT_AN_INDEX, f"'{shown}'")
        # int() would refuse to parse thousands of digits, which are out of range anyway.
        if len(index) > 9 or not 0 <= int(index) < len(self.names):
            raise UnusableValueError(Reason.INDEX_OUT_OF_RANGE, f"{shown} is not in 0 to {len(self.names) - 1}")
        return self.names[int(index)]
