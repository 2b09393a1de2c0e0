"""Copies of a text: found, counted, and kept in one split.

A model that was trained on a text must not be evaluated on it. Two texts are copies if they are equal without regard
to case and white space.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.example_gen.sources.settings import SPLITS

_SET_ASIDE = len(SPLITS)  # split of a row that is in none


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that include all copies of each of their texts; every attribute is an array [n].

    Attributes:
        text_key: uint64, equal for copies.
        labels_key: uint64, equal for equal sets of labels.
        order: uint64, random, but the same for a row in every run.
        split: uint8, index in SPLITS of the split that the row would go to by itself.
        allowed: uint8; if bit n is set, the row may go to SPLITS[n].
        pinned: bool, whether the configuration assigns the row's whole file to one split.
    """

    text_key: NDArray[np.uint64]
    labels_key: NDArray[np.uint64]
    order: NDArray[np.uint64]
    split: NDArray[np.uint8]
    allowed: NDArray[np.uint8]
    pinned: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Assignments:
    """Splits that rows are assigned to.

    Attributes:
        split: uint8 [n], index in SPLITS; `len(SPLITS)` for a row that is set aside.
        home: uint8 [n], index in SPLITS of the split that has the row's text.
        groups: Indices of the rows with the same text, for every text that occurs more than once; by `order`.
        contradictory: For each of `groups`, whether its rows have different labels.
    """

    split: NDArray[np.uint8]
    home: NDArray[np.uint8]
    groups: list[NDArray[np.intp]]
    contradictory: list[bool]

    @property
    def set_aside(self) -> NDArray[np.bool_]:
        """Bool [n], whether a row is in no split because it may not go to the split that has its text."""
        return np.asarray(self.split == _SET_ASIDE)


def assign_copies(rows: Rows) -> Assignments:
    """Assign every text to one split.

    If copies are drawn for different splits, the text goes to one of the splits that whole files are assigned to: to
    test before eval before train. If none of the copies is from such a file, it goes to the split of the copy with the
    smallest `order`. A copy that may not go to that split is set aside.
    """
    by_text = np.lexsort((rows.order, rows.text_key))
    keys = rows.text_key[by_text]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else np.zeros(0, np.intp)
    sizes = np.diff(np.append(starts, len(keys)))
    split, home = rows.split.copy(), rows.split.copy()
    groups, contradictory = [], []
    for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
        copies = by_text[start : start + size]
        groups.append(copies)
        contradictory.append(bool((rows.labels_key[copies] != rows.labels_key[copies[0]]).any()))
        if (rows.split[copies] != rows.split[copies[0]]).any():
            home[copies] = _home(rows, copies)
            is_allowed = (rows.allowed[copies] >> home[copies]) & 1 == 1
            split[copies] = np.where(is_allowed, home[copies], _SET_ASIDE)
    return Assignments(split, home, groups, contradictory)


def _home(rows: Rows, copies: NDArray[np.intp]) -> np.uint8:
    pinned = copies[rows.pinned[copies]]
    # SPLITS are in the order train, eval, test, so the largest index has precedence.
    return np.uint8(rows.split[pinned].max() if len(pinned) else rows.split[copies[0]])
