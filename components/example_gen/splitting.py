"""Which split a row goes to.

A row's split depends on its own id, group or text and on the weights, on nothing else: not on the order or the number
of rows, the file or the runner. So a row stays in its split as the data grows. (New weights move rows.) The one
exception are copies of a text whose ids or groups draw different splits, see `components.example_gen.copies`.
"""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import NamedTuple

from components.example_gen.parsing import Record
from components.example_gen.settings import SPLITS, ExamplesSettings, InputFiles, Split


class Placement(NamedTuple):
    """Where a row goes, if no copy of its text goes elsewhere.

    Attributes:
        text_key: 64 bits that copies of the text (and its pair) share.
        split: Index in SPLITS.
        allowed: Bit n: the row may go to SPLITS[n] instead, to be with its copies.
        pinned: The configuration names the split of all its file's rows.
    """

    text_key: int
    split: int
    allowed: int
    pinned: bool


class Splitter:
    """Gives each record of an input its split.

    The key's BLAKE2b of 8 bytes, as a big-endian number modulo the sum of the weights, falls into the range of one
    split; the ranges lie in the order train, eval, test. A blank group is no group: the text decides.
    """

    def __init__(self, settings: ExamplesSettings, files: InputFiles) -> None:
        self._by = settings.split_by
        self._splits = [SPLITS.index(split) for split, _ in files.weights]
        self._ends = list(accumulate(weight for _, weight in files.weights))
        self._every = sum(1 << split for split in self._splits)

    def place(self, record: Record) -> Placement:
        text_key = stable_hash(text_of(record))
        if len(self._splits) == 1:
            return Placement(text_key, self._splits[0], self._every, pinned=True)
        key = text_key
        grouped = self._by == "group" and record.group != ""
        if grouped:
            key = stable_hash(record.group)
        elif self._by == "id":
            key = stable_hash(record.id)
        bucket = key % self._ends[-1]
        split = next(split for split, end in zip(self._splits, self._ends, strict=True) if bucket < end)
        # A group stays together whatever becomes of its texts.
        return Placement(text_key, split, 1 << split if grouped else self._every, pinned=False)


def text_of(record: Record) -> str:
    """What copies of a text share: the text, and its pair if there is one, without regard to case and white space."""
    text = fold(record.text)
    return text if record.pair is None else f"{text}\n{fold(record.pair)}"


def fold(text: str) -> str:
    """The text in one case, with single spaces between words."""
    return " ".join(text.split()).casefold()


def stable_hash(key: str) -> int:
    """64 bits that are the same on every machine and in every run, unlike `hash`."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")


def describe(files: Sequence[InputFiles], split: Split, split_by: str) -> str:
    """Which inputs are to fill a split, and with what part of their rows, for a message."""
    rules = []
    for index, entry in enumerate(files):
        weights = dict(entry.weights)
        if split in weights:
            total = sum(weights.values())
            share = f"{weights[split]} of {total} by the hash of the {split_by}" if len(weights) > 1 else "every row"
            rules.append(f"examples.inputs[{index}] ('{entry.source}', {share})")
    return " and ".join(rules)
