"""Slices of the test split that all metrics are computed on as well, and their names.

    language                    one slice for each value of a column: `language=zh`
    language*channel            one slice for each pair of values: `channel=mail, language=zh`
    labels                      one slice for the examples of each label: `labels=refund`
    text_length                 one slice for each range of lengths, in characters: `text_length=50-99`

In the name of a slice, columns are in alphabetical order, as TFMA sorts them. Needs no TensorFlow.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from schema.features import LABELS, TEXT_LENGTH

# TFMA slices by strings: `components.evaluation.extractors` replaces this number by the name of its bucket.
BUCKETED = TEXT_LENGTH
# Columns that are sliced by without being named under `evaluation.slices`.
UNNAMED_COLUMNS = (LABELS, BUCKETED)

# Columns of a slice and their values, sorted by column; empty for all examples.
SliceKey = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Slicing:
    """Slices of an evaluation.

    Attributes:
        columns: One or two columns for each kind of slice, sorted.
        lengths: Lower bounds, in characters, of the buckets of text lengths but the first; ascending, empty for no
            such slices.
    """

    columns: tuple[tuple[str, ...], ...] = ()
    lengths: tuple[int, ...] = ()


def make_slicing(slices: Sequence[str], *, label_slices: bool, length_slices: Sequence[int]) -> Slicing:
    """Return the slices that the settings of the same names ask for."""
    named = [split_columns(each) for each in slices]
    unnamed = [(LABELS,)] * label_slices + [(BUCKETED,)] * bool(length_slices)
    return Slicing(tuple(dict.fromkeys([*unnamed, *named])), tuple(length_slices))


def split_columns(text: str) -> tuple[str, ...]:
    """Return the columns of `language` or `language*channel`, sorted.

    Raises:
        ValueError: The text names neither one column nor two.
    """
    columns = sorted(column.strip() for column in text.split("*"))
    if not all(columns) or len(columns) > 2 or len(set(columns)) < len(columns):
        raise ValueError(f"{text!r}: write one column, or two as in language*channel")
    return tuple(columns)


def slice_name(key: SliceKey) -> str:
    """Return the name of a slice, such as `channel=mail, language=zh`; empty for all examples."""
    return ", ".join(f"{column}={value}" for column, value in key)


def split_slice_name(name: str) -> list[tuple[str, str]]:
    """Return the columns of a slice with their values, from its name.

    A comma in a value divides it only where a column's name and `=` follow.

    Example:
        >>> split_slice_name("channel=mail, language=zh"), split_slice_name("labels=toys, games")
        ([('channel', 'mail'), ('language', 'zh')], [('labels', 'toys, games')])
    """
    parts = [part.partition("=") for part in re.split(r",\s*(?=[^=,]+=)", name)]
    return [(column.strip(), value.strip()) for column, _, value in parts]


def bucket_names(lengths: Sequence[int]) -> list[str]:
    """Return the names of the buckets of text lengths.

    Example:
        >>> bucket_names([50, 100])
        ['0-49', '50-99', '100+']

    Args:
        lengths: Lower bounds of all buckets but the first, ascending.
    """
    starts = [0, *lengths]
    closed = [f"{start}-{following - 1}" for start, following in pairwise(starts)]
    return [*closed, f"{starts[-1]}+"]


def bucket_name(length: int, lengths: Sequence[int]) -> str:
    """Return the name of the bucket that a text of `length` characters is in."""
    return bucket_names(lengths)[bisect_right(lengths, length)]
