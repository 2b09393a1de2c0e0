"""Judgement of the readings of a data file: which columns hold the labels, and in which form."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cli.init.hints import KINDS, Hints
from cli.init.reading import AmbiguousError, LabelReading, option_text
from cli.init.survey import MOST_VALUES, Column, may_mean_unknown
from cli.init.values import STRONG_MARKS, rare_marks, read_values, single_labels, split_at
from components.example_gen.formats.format import Format
from components.example_gen.formats.formats import format_named
from components.example_gen.formats.values import printable
from components.example_gen.parsing.flags import parse_flag
from components.example_gen.parsing.judgements import UnlabelledError, judgements
from components.example_gen.parsing.labels import read_label_names, split_indices, split_labels
from components.example_gen.parsing.printed import is_cut, is_number, is_printed, parse_printed
from components.example_gen.parsing.settings import (
    IndexedLabels,
    IndicatorLabels,
    ListLabels,
    MultihotLabels,
    SeveralColumns,
)
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused
from schema.nearest import nearest

# Usual names of columns with labels, in the order of preference.
LABEL_NAMES = (
    *("labels", "label", "tags", "tag", "categories", "category", "topics", "topic", "classes", "class", "genres"),
    *(
        "genre",
        "emotions",
        "emotion",
        "cats",
        "choices",
        "accept",
        "sentiment",
        "target",
        "targets",
        "terms",
        "intent",
        "intents",
        "annotations",
        "annotation",
        "completions",
    ),
)
STAR = "a label is called '*', which stands for every label in gates; rename it in the data"
_INDEX_DELIMITERS = (",", "|", ";", " ")
_MOST_COLUMNS_NAMED = 40
_NUMBERED = re.compile(r"(.*?)[ _.-]?\d+")
_FEW_LABELS = 20  # shown
_ANSWERS = {"accept", "reject", "ignore"}
_FEW_ROWS = 4  # labels with a number that prove something
_MOST_BARE = 0.7  # share of labels that differ without their number
# "2. joy" of a numbered list; "joy: 0.93", "joy (0.93)" and "joy=93%" of a classifier.
_AT_A_LABEL = re.compile(r"\d+[.)]\s+(.+)|(.+?)\s*[:(=]\s*(?:0?\.\d+|1\.0+|\d{1,3}\s?%)\)?")
_FEW_VALUES = 2  # of a column that is nearly one of 0 and 1
_FEW_JOINED = 0.1  # share of labels that may look like others with a mark between
_MOST_PER_NAME = 10  # positions are below this many times the number of different ones


def choose_labels(columns: Sequence[Column], hints: Hints, settings: ExamplesSettings) -> LabelReading:
    """Choose the reading of the labels: in the columns named by a hint, or else by what names and values show.

    Args:
        columns: Columns of the data file.
        hints: Hints of a person about the data.
        settings: Settings with the format of the file and its folder.

    Raises:
        AmbiguousError: Several readings are plausible.
        Refused: No column, or none of the named ones, holds labels.
    """
    if hints.label_kind is not None and hints.label_kind not in KINDS:
        raise Refused(f"--label-kind {hints.label_kind}: no such kind; {nearest(hints.label_kind, KINDS)}")
    candidates = [column for column in columns if column.name != hints.text]
    hinted = _hinted(candidates, hints.labels)
    within = nested(columns)
    candidates = [column for column in candidates if column.name not in within]
    if len(hinted) > 1 or hints.label_kind in ("indicators", "columns"):
        return _read_several(hinted or [column for column in candidates if column.is_indicator], hints)
    column = hinted[0] if hinted else _labels_column(candidates, hints)
    if column is None:
        several = _columns_of_one_label_each(candidates)
        if several is not None:
            return several
        column = _only([column for column in candidates if column.is_list or column.is_vector])
    if column is None:
        raise Refused(_why_no_labels(candidates))
    if not hinted:
        _refuse_rejected(columns)
    return _read_column(column, hints, settings)


def nested(columns: Sequence[Column]) -> frozenset[str]:
    """Return the names of columns that are fields of objects in other columns, such as `data.text`."""
    objects = {column.name for column in columns if column.objects}
    return frozenset(column.name for column in columns if column.name.partition(".")[0] in objects - {column.name})


def _refuse_rejected(columns: Sequence[Column]) -> None:
    """Refuse rows of Prodigy in which an annotator rejected the label, or skipped the row."""
    answer = next((column for column in columns if column.name == "answer"), None)
    if answer is None or not set(answer.values) <= _ANSWERS or set(answer.values) == {"accept"}:
        return
    counts = ", ".join(f"{name} ({count})" for name, count in sorted(answer.values.items()))
    raise Refused(
        f"column 'answer' says of some rows that they do not have their labels, or were skipped: {counts}; keep those"
        " that were accepted: jq -c 'select(.answer == \"accept\")' FILE > FILE.jsonl; or take all rows by naming the"
        " column of the labels by --labels"
    )


def _labels_column(candidates: Sequence[Column], hints: Hints) -> Column | None:
    """Return the column that holds all labels; None if labels are in several columns."""
    named = first_named(candidates, LABEL_NAMES)
    if hints.label_names is not None:
        return named or _only([column for column in candidates if _holds_indices(column) or column.is_vector])
    if named is not None and named.is_indicator and sum(column.is_indicator for column in candidates) > 1:
        named = None  # one flag among others
    if named is not None and _numbered(candidates, named):
        return None
    return named


def _columns_of_one_label_each(candidates: Sequence[Column]) -> LabelReading | None:
    """Return the reading of columns of 0 and 1, or of numbered ones; None if there are none."""
    flags = [column for column in candidates if column.is_indicator or column.is_nearly_indicator]
    if any(column.has_both for column in flags) and (
        len(flags) > 1 or flags[0].is_indicator or flags[0].is_flag_or_blank
    ):
        _refuse_others_alike(candidates, flags)
        return _indicators(flags)
    for each in candidates:
        if numbered := _numbered(candidates, each):
            return _refuse_numbers(_columns(numbered))
    ticked = [column for column in candidates if column.holds_its_name]
    return _columns(ticked) if len(ticked) > 1 else None


def _refuse_numbers(reading: LabelReading) -> LabelReading:
    """Return the reading of several columns, unless they hold small numbers, which may stand for names."""
    if not _are_positions(reading.names):
        return reading
    columns = ",".join(map(printable, reading.settings.label_columns))
    raise Refused(
        f"the columns {columns} hold only numbers ({', '.join(reading.names[:_FEW_LABELS])}): write the names of the"
        f" labels in their place; or, if the numbers are the labels, say so by --labels {columns}"
    )


def _why_no_labels(candidates: Sequence[Column]) -> str:
    """Return why there are no labels: at best, which columns are nearly of 0 and 1."""
    columns = _columns_alike(candidates)
    if columns:
        return f"{_describe_alike(columns)}; else name the column with the labels by --labels"
    shares = [column for column in candidates if column.is_share]
    if len(shares) > 1:
        return (
            f"columns {join_names(shares)} hold numbers from 0 to 1: if they say how sure labels are, name them by"
            f" --labels {','.join(printable(column.name) for column in shares)}"
        )
    return f"the columns are {join_names(candidates)}: name the one with the labels by --labels"


def _columns_alike(candidates: Sequence[Column]) -> list[Column]:
    """Return the most columns that hold the same two values, or the same one; none if there are no two such columns."""
    alike = defaultdict(list)
    for column in candidates:
        if 0 < len(column.values) <= _FEW_VALUES and not column.is_list and any(map(str.strip, column.values)):
            alike[tuple(sorted(column.values))].append(column)
    columns = max(alike.values(), key=len, default=[])
    return columns if len(columns) > 1 else []


def _describe_alike(columns: Sequence[Column]) -> str:
    shown = ", ".join(f"'{printable(value)}'" for value in sorted(columns[0].values))
    return f"columns {join_names(columns)} hold only {shown}: if they are labels, write 1 for yes and 0 for no"


def _refuse_others_alike(candidates: Sequence[Column], flags: Sequence[Column]) -> None:
    """Refuse columns of flags beside which others hold two values in common, as flags in other words do."""
    others = [column for column in candidates if column not in flags and column.values.keys() - {""}]
    columns = [column for column in _columns_alike(others) if len(column.values) == _FEW_VALUES]
    if columns:
        named = ",".join(printable(column.name) for column in flags)
        raise Refused(f"{_describe_alike(columns)}; else take the columns of 0 and 1 by --labels {named}")


def _read_several(columns: Sequence[Column], hints: Hints) -> LabelReading:
    if not columns:
        raise Refused("--label-kind: name the columns by --labels, with commas between")
    are_flags = all(column.is_indicator or column.is_nearly_indicator or column.is_share for column in columns)
    if hints.label_kind == "indicators" or (are_flags and hints.label_kind != "columns"):
        return _indicators(columns)
    return _columns(columns)


def _read_column(column: Column, hints: Hints, settings: ExamplesSettings) -> LabelReading:
    kind = hints.label_kind
    if hints.label_names is not None:
        return _positional(column, hints, settings)
    if kind in ("multihot", "indices") or (kind is None and column.is_vector):
        found = f"holds vectors of {_lengths(column)} values 0 or 1" if column.is_vector else "holds positions"
        raise Refused(
            f"column '{printable(column.name)}' {found}: give the names of the labels in this order, one a line, in a"
            " file beside the data, by --label-names"
        )
    if kind is None and column.label_names:
        return _named_by_the_file(column)
    if kind is None and (column.is_indicator or column.is_flag_or_blank):
        return _indicators([column])
    reading = _read_values(column, hints, format_named(settings.format))
    if not reading.names:
        others = "; of the answers in Label Studio, choices about the whole text are read" if column.objects else ""
        raise Refused(f"column '{printable(column.name)}' holds no label; name another by --labels{others}")
    # Of lists, the trial finds the labels in the rows that the survey did not keep.
    if len(column.values) > MOST_VALUES and (_is_single(reading) or len(reading.names) > MOST_VALUES):
        raise Refused(
            f"column '{printable(column.name)}' has over {MOST_VALUES} different values; if it does not hold the"
            " labels, name the column that does by --labels; for so many labels, a method for extreme multi-label"
            " classification (such as PECOS) or groups of labels fit better"
        )
    if kind is None and hints.delimiter is None:
        _refuse_positions(column, reading)
        _refuse_measures(column, reading)
        _refuse_joined(column, reading)
        _refuse_numbered(column, reading)
    return reading


def _is_single(reading: LabelReading) -> bool:
    return reading.options.get("label_kind") == "single"


def _read_values(column: Column, hints: Hints, file_format: Format) -> LabelReading:
    if hints.label_kind == "single":
        return single_labels(column)
    if hints.label_kind == "list":
        return _read_list(column)
    if hints.delimiter is not None:
        _refuse_split_lists(column, hints.delimiter)
        return split_at(column, hints.delimiter)
    if column.is_list and (column.longest != 1 or column.objects or column.printed or column.cut):
        return _read_list(column)
    readings = read_values(column)
    best = [reading for reading in readings if reading.support == readings[0].support]
    if column.is_list and best[0].support < 2:
        return _read_list(column)  # lists of one hold delimited labels only where all values show it
    # A list of one in every tf.Example may hold delimited labels, but not labels separated by blanks.
    if file_format.wraps_in_lists and best[0].options.get("delimiter", " ") == " ":
        return _read_list(column)
    if len(best) > 1 and best[0].support < 2:
        raise AmbiguousError(
            f"column '{printable(column.name)}' can be read in {len(best)} ways; say which",
            [(reading.describe(), reading.options) for reading in best],
        )
    mark = best[0].options.get("delimiter", "")
    others = [
        reading
        for reading in readings[1:]
        if set(reading.names) != set(best[0].names)
        and reading.options.get("delimiter", mark) not in (*mark[:-1], *mark[1:])
        and not (_is_single(reading) and len(column.values) > MOST_VALUES)
        and ("label_kind" in reading.options or not any(mark and mark in name for name in reading.names))
    ]
    return replace(best[0], others=others)


def _refuse_split_lists(column: Column, delimiter: str) -> None:
    """Refuse a delimiter within printed lists, which would leave their brackets on the labels."""
    printed = next((value for value in column.values if is_printed(value) and delimiter in value), None)
    if printed is not None:
        raise Refused(
            f"--delimiter {delimiter!r}: column '{printable(column.name)}' holds printed lists, such as"
            f" '{printable(printed)}'; leave it out, or write all labels in one way"
        )


def _refuse_joined(column: Column, reading: LabelReading) -> None:
    """Refuse labels of which many are others, joined by a mark: two marks are in use."""
    names = set(reading.names)
    for mark in (*STRONG_MARKS, *rare_marks(reading.names)):
        joined = [name for name in names if len(parts := split_labels(name, mark)) > 1 and names.issuperset(parts)]
        if len(joined) > max(1, _FEW_JOINED * len(names)):
            delimited = [] if column.printed else [(f"--delimiter {mark!r}", {"delimiter": mark})]
            raise AmbiguousError(
                f"column '{printable(column.name)}': {len(joined)} labels look like others joined by {mark!r}, such as"
                f" '{printable(joined[0])}'; write all labels in one way, or say how to read them",
                [*delimited, (reading.describe(), reading.options)],
            )


def _refuse_positions(column: Column, reading: LabelReading) -> None:
    """Refuse labels that are small numbers, which may be positions in a list of names; codes are large numbers."""
    if not _are_positions(reading.names):
        return
    shown = ", ".join(sorted(reading.names, key=lambda name: (len(name), name))[:_FEW_LABELS])
    kind = "list" if column.is_list else "delimited"
    raise AmbiguousError(
        f"column '{printable(column.name)}' holds only numbers ({shown}); say what they are",
        [
            ("positions in a list of names: --label-names FILE, with one name a line", {}),
            (f"the labels themselves: --label-kind {kind}", {"label_kind": kind}),
        ],
    )


def _refuse_measures(column: Column, reading: LabelReading) -> None:
    """Refuse labels that are numbers with fractions, one a row: how sure a label is, a rating, or another measure."""
    if not _is_single(reading) or not all(map(is_number, reading.names)):
        return
    if all(map(_is_number, reading.names)):
        return
    shown = ", ".join(reading.names[:_FEW_LABELS])
    name = printable(column.name)
    share = f"how sure the label '{name}' is: --labels {name} --label-kind indicators"
    raise AmbiguousError(
        f"column '{name}' holds only numbers ({shown}); say what they are, or name another column by --labels",
        [
            *([(share, {"labels": column.name, "label_kind": "indicators"})] if column.is_share else []),
            ("the labels themselves: --label-kind single", {"label_kind": "single"}),
        ],
    )


def _refuse_numbered(column: Column, reading: LabelReading) -> None:
    """Refuse labels with a number in a list or a score at each, by which one label has several names."""
    bare = {
        name: next(part for part in match.groups() if part)
        for name in reading.names
        if (match := _AT_A_LABEL.fullmatch(name))
    }
    if len(bare) < _FEW_ROWS or len(bare) < len(reading.names) / 2 or len(set(bare.values())) > _MOST_BARE * len(bare):
        return
    names = defaultdict(list)
    for name, part in bare.items():
        names[part].append(name)
    first, same = max(names.values(), key=len)[:2]
    raise Refused(
        f"column '{printable(column.name)}': labels have a number or a score with them, such as '{printable(first)}'"
        f" and '{printable(same)}', so that one label has several names; remove it from the data, or take them as they"
        f" are by {option_text(reading.options)}"
    )


def _are_positions(names: Sequence[str]) -> bool:
    """Return whether labels are small numbers; codes are large ones."""
    longest = len(str(_MOST_PER_NAME * len(names)))
    return bool(names) and all(map(_is_number, names)) and max(map(len, names)) <= longest


def _indicators(columns: Sequence[Column]) -> LabelReading:
    names = [column.name for column in columns]
    for column in columns:
        if not column.flags and not column.is_share:
            raise Refused(f"column '{printable(column.name)}' holds no 0 or 1; name the columns that do by --labels")
        if column.name != column.name.strip():
            raise Refused(f"column '{printable(column.name)}' has blanks at its ends, which a label cannot; rename it")
    if any(column.name == "*" for column in columns):
        raise Refused(STAR)
    unknown = sorted({value for column in columns for value in column.unknown_values})
    soft = any(column.has_shares for column in columns)
    settings = IndicatorLabels(kind="indicators", columns=tuple(names), unknown=tuple(unknown), soft=soft)
    return LabelReading(settings, names, 2, {"labels": ",".join(names)}, "columns of 0 and 1")


def _columns(columns: Sequence[Column]) -> LabelReading:
    settings = SeveralColumns(kind="columns", columns=tuple(column.name for column in columns))
    names = sorted({stripped for column in columns for value in column.values if (stripped := value.strip())})
    if sum(len(column.values) for column in columns) > MOST_VALUES:
        raise Refused(f"the columns {join_names(columns)} have over {MOST_VALUES} different values; see --labels")
    options = {"labels": ",".join(settings.columns)}
    return LabelReading(settings, names, 2, options, f"labels in {len(columns)} columns")


def _numbered(candidates: Sequence[Column], column: Column) -> list[Column]:
    """Return the columns that differ from one by a number only, such as label_1 and label_2, if they hold labels."""
    match = _NUMBERED.fullmatch(column.name)
    stem = match[1].lower() if match else column.name.lower()
    if stem not in LABEL_NAMES and stem not in ("cat", "topic"):
        return []
    same = [each for each in candidates if (m := _NUMBERED.fullmatch(each.name)) and m[1].lower() == stem]
    if column not in same and same:
        same = [column, *same]
    return same if len(same) > 1 and not any(each.is_list or each.is_indicator for each in same) else []


def _named_by_the_file(column: Column) -> LabelReading:
    """Return the reading of numbers whose names the file itself has, as all labels in their order."""
    names, note = column.label_names, "whose names and order the file has"
    if column.is_list:
        return LabelReading(
            ListLabels(kind="list", column=column.name), names, 2, {"label_kind": "list"}, f"labels in lists, {note}",
            is_complete=True,
        )  # fmt: skip
    settings = SeveralColumns(kind="columns", columns=(column.name,))
    options = {"label_kind": "single"}
    return LabelReading(settings, names, 2, options, f"labels, one a row, {note}", is_complete=True)


def _read_list(column: Column) -> LabelReading:
    """Return the reading of lists, also printed ones, and objects."""
    if column.lists and not column.objects:
        names = {stripped for value in column.values if (stripped := value.strip())}
        settings = ListLabels(kind="list", column=column.name)
        return LabelReading(settings, sorted(names), 2, {"label_kind": "list"}, "labels in lists")
    marks: set[str] = set()
    names, has_shares = set(), False
    for value in column.values:
        if is_cut(value):
            continue  # the trial counts such rows
        try:
            found = judgements(parse_printed(value), lambda text: _note_mark(text, marks)) if is_printed(value) else ()
        except UnlabelledError:
            continue
        except ValueError as error:
            raise Refused(
                f"column '{printable(column.name)}' holds {printable(value)}: {error}; name the column with the labels"
                f" by --labels{_lift_up(column)}"
            ) from None
        names.update(label.strip() for label, score in found if label.strip() and score != 0)
        has_shares |= any(score is not None and 0 < score < 1 for _, score in found)
        if not is_printed(value) and value.strip():
            names.add(value.strip())
    settings = ListLabels(kind="list", column=column.name, unknown=tuple(sorted(marks)))
    form = "labels in objects" if column.objects else "labels in printed lists"
    if has_shares:
        form += f" with scores, given from {settings.cut} on (examples.labels.soft: true trains on the scores)"
    return LabelReading(settings, sorted(names), 2, {"label_kind": "list"}, form)


def _lift_up(column: Column) -> str:
    """Return what to do about labels in a field of an object; "" if the column holds none."""
    if not column.objects or not any(value.startswith("{") for value in column.values):
        return ""
    name = f".{column.name}" if column.name.isidentifier() else f'.["{column.name}"]'
    return (
        "; if they are in a field of it, lift its fields up, as this does for JSON Lines: jq -c"
        f" '. + {printable(name)}' FILE > FILE.jsonl"
    )


def _note_mark(text: str, marks: set[str]) -> bool:
    """Return whether a value in place of a score usually means that nobody knows, and add it to the marks."""
    if not may_mean_unknown(text):
        return False
    marks.add(text)
    return True


def _lengths(column: Column) -> str:
    return " and ".join(map(str, sorted(column.vectors))) or "no"


def _positional(column: Column, hints: Hints, settings: ExamplesSettings) -> LabelReading:
    """Return the reading as positions in a file of names, which must be where the configuration can name it."""
    file, base = Path(str(hints.label_names)), Path(settings.input_base)
    if not file.resolve().is_relative_to(base):
        raise Refused(f"--label-names {file}: must be in {base}, beside the data, or below; move it there")
    path = file.resolve().relative_to(base).as_posix()
    if hints.label_kind == "multihot" or (hints.label_kind is None and column.is_vector):
        vector = MultihotLabels(
            kind="multihot", column=column.name, names=path, unknown=tuple(sorted(column.vector_marks)),
            soft=column.has_vector_shares,
        )  # fmt: skip
        names = read_label_names(vector, settings.input_base)
        if sorted(column.vectors) != [len(names)]:
            raise Refused(
                f"column '{printable(column.name)}' holds vectors of {_lengths(column)} values, but {file} has"
                f" {len(names)} names; see --label-names"
            )
        return LabelReading(vector, names, 2, {"label_kind": "multihot"}, "labels of vectors")
    delimiters = [hints.delimiter] if hints.delimiter else list(_INDEX_DELIMITERS)
    delimiter = next((each for each in delimiters if _holds_indices(column, each)), delimiters[0])
    labels = IndexedLabels(kind="indices", column=column.name, delimiter=delimiter, names=path)
    names = read_label_names(labels, settings.input_base)
    for index in (index for value in column.values for index in split_indices(value, delimiter)):
        if not (_is_index(index) and int(index) < len(names)) and not (column.label_names and index in names):
            raise Refused(
                f"column '{printable(column.name)}' holds '{printable(index)}', not a line number of {file}, which are"
                f" 0 to {len(names) - 1}; see --labels"
            )
    return LabelReading(labels, names, 2, {"label_kind": "indices"}, "labels by line number")


def _holds_indices(column: Column, delimiter: str = ",") -> bool:
    indices = [index for value in column.values for index in split_indices(value, delimiter)]
    return bool(indices) and all(map(_is_index, indices))


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _is_number(text: str) -> bool:
    return _is_index(text) or parse_flag(text) is not None or _is_index(text.removesuffix(".0").removeprefix("-"))


def first_named(columns: Sequence[Column], names: Sequence[str]) -> Column | None:
    """Return the column with the first of some names that a column has, in upper or lower case."""
    by_name = {column.name.strip().lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def find_named(columns: Sequence[Column], name: str, option: str) -> Column:
    """Return the column of a name.

    Raises:
        Refused: There is none.
    """
    for column in columns:
        if column.name == name:
            return column
    raise Refused(f"{option} {name}: no such column; the columns are {join_names(columns)}")


def join_names(columns: Sequence[Column]) -> str:
    """Return the names of the columns for a message."""
    more = ", ..." if len(columns) > _MOST_COLUMNS_NAMED else ""
    return ", ".join(printable(column.name) for column in columns[:_MOST_COLUMNS_NAMED]) + more


def _hinted(columns: Sequence[Column], names: str | None) -> list[Column]:
    if not names:
        return []
    if any(column.name == names for column in columns) or "," not in names:
        return [find_named(columns, names, "--labels")]
    return [find_named(columns, name.strip(), "--labels") for name in names.split(",")]


def _only(columns: Sequence[Column]) -> Column | None:
    return columns[0] if len(columns) == 1 else None
