"""Recognition of a file whose first row is data, not names of columns."""

import re
from collections.abc import Sequence
from pathlib import Path

from cli.init.columns import USUAL_NAMES
from cli.init.survey import Column
from components.example_gen.formats.values import printable
from components.example_gen.parsing.printed import is_number
from schema.errors import Refused

_SENTENCE_WORDS = 5
_SENTENCE_CHARACTERS = 40
_FEW_ROWS = 20
_SEPARATORS = (",", ";", "\t", "|")
_RULE = re.compile(r":?-{3,}:?")
_ENDS_OF_QUESTIONS = ("?", ":", "*", ")")  # of a survey, whose columns are named by its questions


def refuse_data_as_header(data: Path, columns: Sequence[Column], rows: int, width: int) -> None:
    """Refuse a file whose first row looks like the rows below it.

    Args:
        data: The file.
        columns: Columns that have a name, and values.
        rows: Number of rows.
        width: Number of all columns.

    Raises:
        Refused: Most columns have no name; a name is a sentence, is a number above numbers, or is one of the values of
            its column, and none is usual; or the header is repeated in the rows.
    """
    names = [column.name for column in columns]
    _refuse_other_rows(data, columns)
    if width - len(names) > max(1, len(names)):
        raise Refused(
            f"{data}: its first row names {len(names)} of {width} columns ('{printable(names[0])[:30]}'), as a title"
            " does; remove the lines above the names of the columns, or name them by --columns"
        )
    repeated = min((column.values[column.name] for column in columns), default=0)
    if repeated and len(columns) > 1:
        again = "1 row below repeats" if repeated == 1 else f"{repeated} rows below repeat"
        raise Refused(f"{data}: {again} the header, as in files that were joined; remove what repeats it")
    if any(name.strip().lower() in USUAL_NAMES for name in names):
        return
    if names == [str(number) for number in range(len(names))]:
        return  # pandas names columns without names like this
    evidence = next((reason for column in columns if (reason := _why_data(column, rows))), "")
    if evidence:
        shown = ", ".join(f"'{printable(name)[:30]}'" for name in names[:4])
        raise Refused(
            f"{data}: its first row ({shown}) looks like data, not like names of columns ({evidence}); if there is no"
            " header, name the columns in order by --columns, such as --columns id,text,labels"
        )


def _refuse_other_rows(data: Path, columns: Sequence[Column]) -> None:
    """Refuse a file with rows that are neither header nor data, and one whose lines are in quotes as a whole.

    Raises:
        Refused: Rows describe the columns, or rule a line below the header; or there is one column for all fields.
    """
    if len(columns) == 1:
        name = columns[0].name
        mark = next((mark for mark in _SEPARATORS if mark in name), None)
        if mark is not None:
            raise Refused(
                f"{data}: each line is one field, '{printable(name)}', as if the whole line were in quotes; remove"
                f" these quotes, so that {mark!r} separates fields"
            )
        return
    if any(value.startswith('{"ImportId":') for column in columns for value in column.values):
        raise Refused(
            f"{data}: the rows below the header are Qualtrics' descriptions of the columns, not data; remove them"
            " (rows 2 and 3)"
        )
    if all(any(_RULE.fullmatch(value.strip()) for value in column.values) for column in columns):
        raise Refused(f"{data}: it is a table in Markdown, with a ruled line below the header; write it as CSV")


def _why_data(column: Column, rows: int) -> str:
    name = column.name
    if name.startswith("__label__"):
        return "it is in fastText's format, which is not read: write an object with text and labels per line"
    is_question = name.rstrip().endswith(_ENDS_OF_QUESTIONS)
    if (
        not is_question
        and len(name) >= _SENTENCE_CHARACTERS
        and len(name.split()) >= _SENTENCE_WORDS
        and not column.flags
    ):
        is_long = column.characters > _SENTENCE_CHARACTERS / 2 * max(1, column.rows)
        return f"'{printable(name)[:30]}...' is a sentence" if is_long else ""
    if is_number(name) and column.values and all(is_number(value) for value in column.values if value.strip()):
        return f"'{printable(name)}' is a number, as all values below it"
    if rows >= _FEW_ROWS and column.values[name] > 1 and len(column.values) < rows / 2:
        return f"'{printable(name)}' is a value of its column too"
    return ""
