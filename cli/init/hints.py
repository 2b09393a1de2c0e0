"""Hints of a person about the data: the options of `init`."""

from dataclasses import dataclass
from pathlib import Path

KINDS = ("delimited", "single", "list", "indicators", "columns", "multihot", "indices")
"""Values of --label-kind; `single` takes each value as one label."""


@dataclass(frozen=True)
class Hints:
    """Hints of a person about the data; what is None is inferred.

    Attributes:
        text: Column of the texts.
        labels: Column of the labels, or several with commas between.
        delimiter: Delimiter between the labels of a row.
        label_names: File with one label per line, if the column holds 0-based line numbers or a vector of 0 and 1.
        label_kind: Form of the labels, one of KINDS.
        columns: Names of the columns of a file without a header.
        encoding: Encoding of the file.
        separator: Character between two fields.
    """

    text: str | None = None
    labels: str | None = None
    delimiter: str | None = None
    label_names: Path | None = None
    label_kind: str | None = None
    columns: tuple[str, ...] | None = None
    encoding: str | None = None
    separator: str | None = None


NO_HINTS = Hints()
