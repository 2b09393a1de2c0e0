"""Which split a row goes to.

A row's split depends on its own id or text and on the weights, on nothing else: not on the order or the number of rows,
the file or the runner. So a row stays in its split as the data grows. (New weights move rows.)
"""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate

from components.example_gen.parsing import Record
from components.example_gen.settings import ExamplesSettings, InputFiles, Split


class Splitter:
    """Gives each record of an input its split.

    The key's BLAKE2b of 8 bytes, as a big-endian number modulo the sum of the weights, falls into the range of one
    split; the ranges lie in the order train, eval, test.
    """

    def __init__(self, settings: ExamplesSettings, files: InputFiles) -> None:
        self._by_id = settings.split_by == "id"
        self._splits = [split for split, _ in files.weights]
        self._ends = list(accumulate(weight for _, weight in files.weights))

    def split_of(self, record: Record) -> Split:
        if len(self._splits) == 1:
            return self._splits[0]
        bucket = stable_hash(record.id if self._by_id else fold(record.text)) % self._ends[-1]
        return next(split for split, end in zip(self._splits, self._ends, strict=True) if bucket < end)


def fold(text: str) -> str:
    """The text without regard to case and white space, which is what copies of a text share."""
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
            rules.append(f"examples.inputs[{index}] ('{entry.pattern}', {share})")
    return " and ".join(rules)
