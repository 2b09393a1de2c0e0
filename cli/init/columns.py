"""Inference of which columns of a data file hold the texts and the labels, and in which form the labels come."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.init.survey import MOST_VALUES, Column
from components.example_gen.formats.format import Format
from components.example_gen.formats.formats import format_named
from components.example_gen.formats.values import printable
from components.example_gen.parsing.labels import read_label_names, split_labels
from components.example_gen.parsing.settings import (
    DelimitedLabels,
    IndexedLabels,
    IndicatorLabels,
    LabelSettings,
    ListLabels,
)
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused

# Usual names of columns, in the order of preference.
_TEXT_NAMES = ("text", "message", "comment", "comment_text", "body", "content", "sentence", "review", "description")
_LABEL_NAMES = ("labels", "label", "tags", "tag", "categories", "category", "topics", "classes", "genres", "emotions")
_DELIMITERS = ("|", ";", ",", " ")
_MOST_COLUMNS_NAMED = 40


@dataclass(frozen=True)
class Hints:
    """Hints of a person about the data; what is None is inferred.

    Attributes:
        text: Column of the texts.
        labels: Column of the labels.
        delimiter: Delimiter between the labels of a row.
        label_names: File with one label per line, if the column holds 0-based line numbers instead of labels.
    """

    text: str | None = None
    labels: str | None = None
    delimiter: str | None = None
    label_names: Path | None = None


NO_HINTS = Hints()


@dataclass(frozen=True)
class Labels:
    """Labels of a data file.

    Attributes:
        settings: Columns and form of the labels.
        names: The label list: the order of the file or of the columns that gives them, or else alphabetical.
    """

    settings: LabelSettings
    names: Sequence[str]


def find_labels(columns: Sequence[Column], hints: Hints, settings: ExamplesSettings) -> Labels:
    """Find the labels: in the column named by a hint, or else a list, indicator columns, or a column of a usual name.

    Args:
        columns: Columns of the data file.
        hints: Hints of a person about the data.
        settings: Settings with the format of the file and its folder.

    Raises:
        Refused: No column, or none of the named ones, holds labels.
    """
    candidates = [column for column in columns if column.name != hints.text]
    hinted = _find_named(candidates, hints.labels, "--labels") if hints.labels else None
    if hints.label_names is not None:
        return _indexed_labels(hinted, candidates, hints, settings)
    hinted = hinted or _first_named([column for column in candidates if column.is_list], _LABEL_NAMES)
    indicators = tuple(column.name for column in candidates if column.is_indicator)
    if hinted is None and len(indicators) > 1:
        return Labels(IndicatorLabels(kind="indicators", columns=indicators), list(indicators))
    lists = [column for column in candidates if column.is_list]
    column = hinted or _first_named(candidates, _LABEL_NAMES) or _only(lists)
    if column is None:
        raise Refused(f"the columns are {_join_names(columns)}: name the one with the labels by --labels")
    return _labels_in(column, hints.delimiter, format_named(settings.format))


def find_text(columns: Sequence[Column], hints: Hints, exclude: Sequence[str]) -> str:
    """Return the column of the texts: the one named by a hint, or else of a usual name, or else with the longest texts.

    Args:
        columns: Columns of the data file.
        hints: Hints of a person about the data.
        exclude: Columns that hold labels.

    Raises:
        Refused: There is no such column, or none is left.
    """
    candidates = [column for column in columns if column.name not in exclude and not column.is_list]
    if hints.text:
        return _find_named(candidates, hints.text, "--text").name
    column = _first_named(candidates, _TEXT_NAMES)
    if column is None and not candidates:
        raise Refused("no column is left for the text; name it by --text")
    return (column or max(candidates, key=lambda each: each.characters)).name


def _labels_in(column: Column, delimiter: str | None, file_format: Format) -> Labels:
    if len(column.values) > MOST_VALUES:
        raise Refused(
            f"column '{column.name}' has over {MOST_VALUES} different values; if it does not hold the labels, name the"
            " column that does by --labels"
        )
    delimiter_or_guess = delimiter or _likeliest_delimiter(column)
    # A list of one in every tf.Example may hold delimited labels, but not labels separated by blanks.
    is_list = column.is_list or (file_format.wraps_in_lists and not delimiter and delimiter_or_guess == " ")
    parts = (part for value in column.values for part in ([value] if is_list else value.split(delimiter_or_guess)))
    names = sorted({name for part in parts if (name := part.strip())})
    if not names:
        raise Refused(f"column '{column.name}' holds no label; name another by --labels")
    if is_list:
        return Labels(ListLabels(kind="list", column=column.name), names)
    return Labels(DelimitedLabels(kind="delimited", column=column.name, delimiter=delimiter_or_guess), names)


def _indexed_labels(
    hinted: Column | None, candidates: Sequence[Column], hints: Hints, settings: ExamplesSettings
) -> Labels:
    """Find labels given as line numbers of a file, which must be where the configuration can name it."""
    file, base = Path(str(hints.label_names)), Path(settings.input_base)
    if not file.resolve().is_relative_to(base):
        raise Refused(f"--label-names {file}: must be in {base}, beside the data, or below; move it there")
    numeric = [column for column in candidates if _holds_indices(column)]
    column = hinted or _first_named(candidates, _LABEL_NAMES) or _only(numeric)
    if column is None:
        raise Refused(f"the columns are {_join_names(candidates)}: name the one with the line numbers by --labels")
    delimiters = [hints.delimiter] if hints.delimiter else [",", *_DELIMITERS]
    delimiter = next((each for each in delimiters if _holds_indices(column, each)), delimiters[0])
    labels = IndexedLabels(
        kind="indices", column=column.name, delimiter=delimiter, names=file.resolve().relative_to(base).as_posix()
    )
    names = read_label_names(labels, settings.input_base)
    for index in (index for value in column.values for index in split_labels(value, delimiter)):
        if not (_is_index(index) and int(index) < len(names)):
            raise Refused(
                f"column '{column.name}' holds '{printable(index)}', not a line number of {file}; see --labels"
            )
    return Labels(labels, names)


def _holds_indices(column: Column, delimiter: str = ",") -> bool:
    indices = [index for value in column.values for index in split_labels(value, delimiter)]
    return bool(indices) and all(map(_is_index, indices))


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _likeliest_delimiter(column: Column) -> str:
    """Return the delimiter with the fewest distinct labels; of several, the first in the order of preference."""
    used = [mark for mark in _DELIMITERS if any(mark in value for value in column.values)]
    distinct = {mark: len({name for value in column.values for name in split_labels(value, mark)}) for mark in used}
    # Labels with a blank inside ("account access") are more common than labels separated by blanks.
    preferred = [mark for mark in used if mark != " "] or used
    return min(preferred, key=lambda mark: distinct[mark]) if preferred else "|"


def _first_named(columns: Sequence[Column], names: Sequence[str]) -> Column | None:
    by_name = {column.name.lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _only(columns: Sequence[Column]) -> Column | None:
    return columns[0] if len(columns) == 1 else None


def _find_named(columns: Sequence[Column], name: str, option: str) -> Column:
    for column in columns:
        if column.name == name:
            return column
    raise Refused(f"{option} {name}: no such column; the columns are {_join_names(columns)}")


def _join_names(columns: Sequence[Column]) -> str:
    more = ", ..." if len(columns) > _MOST_COLUMNS_NAMED else ""
    return ", ".join(printable(column.name) for column in columns[:_MOST_COLUMNS_NAMED]) + more
