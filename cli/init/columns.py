"""Choice of the columns beside the labels: text, id and slices."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cli.init.hints import Hints
from cli.init.judge import LABEL_NAMES, find_named, first_named, join_names, nested
from cli.init.survey import Column
from components.evaluation.metrics.slicing import split_columns
from components.example_gen.formats.values import printable
from schema.errors import Refused
from schema.features import FEATURES

# Usual names of columns, in the order of preference.
_TEXT_NAMES = ("text", "message", "comment", "comment_text", "body", "content", "sentence", "review", "description")
_WORDED = 0.5  # share of values with several words, below which a column without a usual name is not taken for texts
_PARTLY = 0.2  # share of rows with 0 or 1 from which on a column that is no label is worth a word
_ID_NAMES = ("id", "uuid", "key", "message_id", "comment_id", "row_id")

USUAL_NAMES = frozenset((*_TEXT_NAMES, *_ID_NAMES, *LABEL_NAMES))
"""Names by which columns are recognised, in lower case."""


@dataclass(frozen=True)
class OtherColumns:
    """Columns beside the labels.

    Attributes:
        text: Column of the texts.
        id: Column that identifies rows; None if there is none.
        slices: Columns to evaluate slices by.
        left_out: Columns that are not used, and why.
        partly_flags: Columns with 0 and 1 in some rows only, which are no labels, with the number of these rows.
    """

    text: str
    id: str | None
    slices: tuple[str, ...]
    left_out: dict[str, str]
    partly_flags: dict[str, int] = field(default_factory=dict)


def choose_columns(columns: Sequence[Column], hints: Hints, labels: Sequence[str]) -> OtherColumns:
    """Choose text, id and slices among the columns that hold no labels.

    Raises:
        Refused: A named column does not exist, or none is left for the text.
    """
    text = _find_text(columns, hints, labels)
    within = nested(columns)
    others = [column for column in columns if column.name not in (text, *labels, *within)]
    identifier = next(
        (column.name for column in others if column.is_in_every_row and column.name.lower() in _ID_NAMES), None
    )
    slices, left_out = [], {}
    for column in others:
        if column.name == identifier:
            continue
        reason = _why_no_slice(column)
        if reason:
            left_out[column.name] = reason
        else:
            slices.append(column.name)
    partly_flags = {
        column.name: column.flags
        for column in others
        if column.has_both and not column.is_list and column.flags > _PARTLY * column.rows
    }
    return OtherColumns(text, identifier, tuple(slices), left_out, partly_flags)


def _find_text(columns: Sequence[Column], hints: Hints, exclude: Sequence[str]) -> str:
    """Return the column named by a hint, or else of a usual name, or else with the longest texts."""
    candidates = [column for column in columns if column.name not in exclude and not column.lists + column.objects]
    if hints.text:
        return find_named(candidates, hints.text, "--text").name
    varying = [column for column in candidates if column.varies]
    column = first_named(varying, _TEXT_NAMES)
    if column is not None:
        return column.name
    within = nested(columns)
    last_names = {column.name.rpartition(".")[2].lower(): column for column in varying if column.name in within}
    column = next((last_names[name] for name in _TEXT_NAMES if name in last_names), None)
    if column is not None:
        return column.name
    candidates = [column for column in candidates if not column.is_list]
    if not candidates:
        raise Refused(f"no column is left for the text (the columns are {join_names(columns)}); name it by --text")
    texts = [column for column in candidates if column.varies and _has_words(column)]
    if texts:
        # Different texts count: a title that every row repeats is long, but says nothing.
        return max(texts, key=lambda each: sum(map(len, each.values))).name
    if (constant := first_named(candidates, _TEXT_NAMES)) is not None:
        return constant.name  # the trial refuses it, if there are enough rows
    longest = max(candidates, key=lambda each: each.characters)
    raise Refused(
        f"no column looks like texts: '{printable(longest.name)}' has the longest values, such as"
        f" '{printable(next(iter(longest.values), ''))}'; name the column of the texts by --text"
    )


def _has_words(column: Column) -> bool:
    return column.worded >= max(1, _WORDED * (column.rows - column.blank))


def _why_no_slice(column: Column) -> str:
    if column.is_list:
        return "holds lists or objects"
    if column.missing:
        return "is not in every row"
    if column.name in FEATURES:
        return "has the name of a feature"
    if len(column.values) < 2:
        return "has one value only"
    if not column.is_slice:
        return "has too many values for slices"
    try:
        parsed = split_columns(column.name)
    except ValueError:
        parsed = ()
    return "" if parsed == (column.name,) else "has a name that evaluation.slices cannot say"
