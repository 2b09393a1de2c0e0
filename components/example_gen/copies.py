"""Copies of a text: found, counted, and kept from landing in different splits.

A model that has seen a text in training is not judged by answering for it again. Copies are texts that are equal
without regard to case and white space.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.example_gen.settings import SPLITS

_SET_ASIDE = len(SPLITS)  # as the split of a row that can be in none


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows, with all copies of each text among them; every field [n].

    Attributes:
        text_key: uint64, equal for copies.
        labels_key: uint64, equal for equal sets of labels.
        order: uint64, random but always the same for a row.
        split: uint8, index in SPLITS: where each row would go by itself.
        allowed: uint8, bit n: the row may go to SPLITS[n].
        pinned: bool, the configuration names the split of the row's whole file.
    """

    text_key: NDArray[np.uint64]
    labels_key: NDArray[np.uint64]
    order: NDArray[np.uint64]
    split: NDArray[np.uint8]
    allowed: NDArray[np.uint8]
    pinned: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of the rows.

    Attributes:
        split: uint8 [n], index in SPLITS; `len(SPLITS)` for a row that is set aside.
        home: uint8 [n], the split that has the row's text.
        groups: The texts that occur more than once: an array of row indices each, the first in `order` first.
        contradictory: bool, for each of `groups`: not all its rows have the same labels.
    """

    split: NDArray[np.uint8]
    home: NDArray[np.uint8]
    groups: list[NDArray[np.intp]]
    contradictory: list[bool]

    @property
    def set_aside(self) -> NDArray[np.bool_]:
        return np.asarray(self.split == _SET_ASIDE)


def settle_copies(rows: Rows) -> Settled:
    """Gives every text one split.

    Where copies draw different splits, the text goes, of the splits that whole files were given to, to the one nearest
    to judgement (test before eval before train); if none of the copies is from such a file, to the split that the copy
    with the least `order` has drawn. A copy that may not go there is set aside.
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
            may_go = (rows.allowed[copies] >> home[copies]) & 1 == 1
            split[copies] = np.where(may_go, home[copies], _SET_ASIDE)
    return Settled(split, home, groups, contradictory)


def _home(rows: Rows, copies: NDArray[np.intp]) -> np.uint8:
    pinned = copies[rows.pinned[copies]]
    # SPLITS are in the order train, eval, test.
    return np.uint8(rows.split[pinned].max() if len(pinned) else rows.split[copies[0]])
