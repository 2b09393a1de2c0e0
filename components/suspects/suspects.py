"""Likely label errors of a run, as files: `suspects.json` for the report, and a table for whoever corrects labels."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Self

from components.common.files import make_folder, write_whole
from components.common.record import Record, Value
from schema.errors import Refused

COLUMNS = ("id", "text", "label", "given", "suggested", "score")
"""Columns of the table; `text_pair` comes after `text` where pairs are classified."""

_SUFFIXES = (".csv", ".parquet")


class Suspect(Value):
    """A label of an example that is likely to be wrong.

    Attributes:
        id: Id of the example.
        text: Its text.
        text_pair: Its second text; None where single texts are classified.
        label: The label.
        given: Whether the data give the label to the example. The suggestion is the opposite.
        score: Quality of what the data say, from 0 (surely wrong) to 1: its out-of-fold probability.
    """

    id: str
    text: str
    text_pair: str | None = None
    label: str
    given: bool
    score: float

    @property
    def suggested(self) -> bool:
        """Whether the example is likely to have the label."""
        return not self.given


class SuspectCount(Value):
    """Number of suspects of a label, by what is likely to be wrong.

    Attributes:
        given: Examples that the data give the label to: their number is that of the label's rows.
        wrongly_given: Of these, those that are likely not to have it.
        missing: Examples without the label that are likely to have it.
    """

    given: int
    wrongly_given: int
    missing: int


class Suspects(Record):
    """Likely label errors in the train split of a run.

    Attributes:
        examples: Examples of the train split.
        folds: Number of folds.
        found: Number of suspects.
        labels: Counts by label, of labels in use.
        unjudged: Labels that were not judged, since too few examples have them or lack them.
        worst: The first suspects; the table has all.
        file: Path of the table; empty if nothing was searched.
        not_searched: Why nothing was searched; empty if something was.
    """

    FILE: ClassVar = "suspects.json"

    examples: int
    folds: int
    found: int
    labels: dict[str, SuspectCount]
    unjudged: list[str]
    worst: list[Suspect]
    file: str
    not_searched: str = ""

    @classmethod
    def none_searched(cls, folds: int, reason: str) -> Self:
        """Return what is written where the data are too small or too large for a search."""
        return cls(examples=0, folds=folds, found=0, labels={}, unjudged=[], worst=[], file="", not_searched=reason)


def check_table(path: str) -> None:
    """Refuse a name that says no format of a table.

    Raises:
        Refused: The name does not end in .csv or .parquet.
    """
    if not path.endswith(_SUFFIXES):
        raise Refused(f"{path}: the file's name must end in {' or '.join(_SUFFIXES)}, which says its format")


def write_table(path: str, suspects: Iterable[Suspect], *, pairs: bool) -> None:
    """Write suspects as a table, atomically.

    Args:
        path: File to write, .csv or .parquet.
        suspects: Suspects in the order of the table.
        pairs: Whether pairs of texts are classified.

    Raises:
        Refused: The name does not end in .csv or .parquet.
    """
    check_table(path)
    names = [*COLUMNS[:2], *(["text_pair"] if pairs else []), *COLUMNS[2:]]
    if folder := path.rpartition("/")[0]:
        make_folder(folder)
    rows = _rows(suspects, names)
    content = _as_csv(names, rows) if path.endswith(".csv") else _as_parquet(names, rows)
    write_whole(path, content, private=True)


def _rows(suspects: Iterable[Suspect], names: Sequence[str]) -> Iterator[list[str | int | float | None]]:
    for suspect in suspects:
        values = suspect.model_dump() | {"given": int(suspect.given), "suggested": int(suspect.suggested)}
        yield [values[name] for name in names]


def _as_csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def _as_parquet(names: Sequence[str], rows: Iterable[Sequence[object]]) -> memoryview:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"given": pa.int8(), "suggested": pa.int8(), "score": pa.float64()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays([pa.array(c, t.type) for c, t in zip(columns, schema, strict=True)], schema=schema), sink
    )
    return memoryview(sink.getvalue())
