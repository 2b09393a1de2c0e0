"""Answers of people, as rows of a source: what was asked and answered is known, and everything else is not."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from components.common.files import write_whole
from schema.errors import Refused
from serving.review.label_studio import Answer

ASKED = "asked"
_SUFFIXES = (".jsonl", ".csv")


@dataclass(frozen=True)
class Reviewed:
    """Text with its answers.

    Attributes:
        row: Id of the text.
        text: The text.
        text_pair: The second text; None where single texts are classified.
        labels: Labels that the text has.
        asked: Labels about which it is known whether the text has them.
        slices: Values by slice column.
    """

    row: str
    text: str
    text_pair: str | None
    labels: tuple[str, ...]
    asked: tuple[str, ...]
    slices: Mapping[str, str] = field(default_factory=dict, repr=False)


def combine(answers: Iterable[Answer]) -> tuple[list[Reviewed], int]:
    """Combine what several people said about a text; return the texts, and the number of disagreements.

    A label is known if everybody who was asked about it, or gave it, says the same. If they disagree, nobody knows. A
    text of which nothing is known is left out.

    Example:
        >>> first = Answer("1", "a text", None, asked=("joy", "anger"), given=("joy",))
        >>> second = Answer("1", "a text", None, asked=("joy", "anger"), given=("joy", "anger", "fear"))
        >>> combine([first, second])
        ([Reviewed(row='1', text='a text', text_pair=None, labels=('joy', 'fear'), asked=('joy', 'fear'))], 1)
    """
    by_row: dict[tuple[str, str, str | None], list[Answer]] = {}
    for answer in answers:
        by_row.setdefault((answer.row, answer.text, answer.text_pair), []).append(answer)
    reviewed, disagreements = [], 0
    for (row, text, pair), of_row in by_row.items():
        said: dict[str, set[bool]] = {}
        for answer in of_row:
            for label in (*answer.asked, *answer.given):
                said.setdefault(label, set()).add(label in answer.given)
        known = {label: next(iter(values)) for label, values in said.items() if len(values) == 1}
        disagreements += len(said) - len(known)
        given = tuple(label for label, is_given in known.items() if is_given)
        if known:
            reviewed.append(Reviewed(row, text, pair, given, tuple(known), of_row[0].slices))
    return reviewed, disagreements


def write_source(path: str, rows: Sequence[Reviewed], delimiter: str = "|") -> None:
    """Write texts as a source of the pipeline, with the columns id, text, labels and asked, and their slice columns.

    Args:
        path: File to write: .jsonl, in which labels are lists, or .csv, in which they are delimited.
        rows: The texts.
        delimiter: Text between two labels in CSV.

    Raises:
        Refused: The file's name ends in neither, a label contains the delimiter, or a slice column has a taken name.
    """
    if not path.endswith(_SUFFIXES):
        raise Refused(f"{path}: the file's name must end in {' or '.join(_SUFFIXES)}, which says its format")
    has_pairs = any(row.text_pair is not None for row in rows)
    slices = list(dict.fromkeys(name for row in rows for name in row.slices))
    _check_columns(path, slices)
    table = [
        {
            "id": row.row,
            "text": row.text,
            **({"text_pair": row.text_pair or ""} if has_pairs else {}),
            "labels": list(row.labels),
            ASKED: list(row.asked),
            **{name: row.slices.get(name, "") for name in slices},
        }
        for row in rows
    ]
    if path.endswith(".jsonl"):
        content = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in table)
    else:
        label = next((each for row in rows for each in (*row.labels, *row.asked) if delimiter in each), None)
        if label is not None:
            raise Refused(f"{path}: label '{label}' contains the delimiter '{delimiter}'; write .jsonl, or --delimiter")
        stream = io.StringIO(newline="")
        names = ["id", "text", *(["text_pair"] if has_pairs else []), "labels", ASKED, *slices]
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        for row in table:
            joined = {name: delimiter.join(row[name]) for name in ("labels", ASKED)}
            writer.writerow(row | joined)
        content = stream.getvalue()
    write_whole(path, content.encode("utf-8", "replace"), private=True)


def _check_columns(path: str, slices: Sequence[str]) -> None:
    taken = [name for name in slices if name in ("id", "text", "text_pair", "labels", ASKED)]
    if taken:
        raise Refused(f"{path}: the slice column '{taken[0]}' has the name of another column of the source; rename it")
