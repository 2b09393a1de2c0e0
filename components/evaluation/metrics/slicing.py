"""Which parts of the test split everything is measured on once more, and what each is called.

    language                    a slice for each value of a column: `language=zh`
    language*channel            one for each pair of values: `channel=mail, language=zh`
    labels                      the examples of each label: `labels=refund`
    text_length                 by characters of the text (of both, in pairs): `text_length=50-99`, `text_length=1000+`

A slice is called by its columns in alphabetical order, as TFMA sorts them.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from schema.features import LABELS, TEXT_LENGTH

# TFMA cannot slice by a number; `components.evaluation.extractors` replaces it by the name of its bucket.
BUCKETED = TEXT_LENGTH
# Columns that are sliced by without being named under `evaluation.slices`.
UNNAMED_COLUMNS = (LABELS, BUCKETED)

# The columns of a slice and their values, sorted by column; empty for all examples.
SliceKey = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Slicing:
    """The slices of an evaluation.

    Attributes:
        columns: one or two columns each, sorted.
        lengths: where the buckets of text lengths begin, in characters, rising; empty for no such slices.
    """

    columns: tuple[tuple[str, ...], ...] = ()
    lengths: tuple[int, ...] = ()


def slicing_of(slices: Sequence[str], *, label_slices: bool, length_slices: Sequence[int]) -> Slicing:
    """The slices that the settings of these names ask for."""
    named = [columns_of(each) for each in slices]
    unnamed = [(LABELS,)] * label_slices + [(BUCKETED,)] * bool(length_slices)
    return Slicing(tuple(dict.fromkeys([*unnamed, *named])), tuple(length_slices))


def columns_of(text: str) -> tuple[str, ...]:
    """The columns of `language` or `language * channel`, sorted.

    Raises:
        ValueError: it is neither one column nor two.
    """
    columns = sorted(column.strip() for column in text.split("*"))
    if not all(columns) or len(columns) > 2 or len(set(columns)) < len(columns):
        raise ValueError(f"{text!r}: write one column, or two as in language*channel")
    return tuple(columns)


def slice_name(key: SliceKey) -> str:
    """`channel=mail, language=zh`."""
    return ", ".join(f"{column}={value}" for column, value in key)


def bucket_names(lengths: Sequence[int]) -> list[str]:
    """What the buckets of text lengths are called: `0-49`, `50-99`, ..., `1000+`."""
    starts = [0, *lengths]
    closed = [f"{start}-{following - 1}" for start, following in pairwise(starts)]
    return [*closed, f"{starts[-1]}+"]


def bucket_of(length: int, lengths: Sequence[int]) -> str:
    """The bucket that a text of so many characters is in."""
    return bucket_names(lengths)[bisect_right(lengths, length)]
