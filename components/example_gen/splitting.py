"""Assignment of rows to splits.

By hash, the split of a row depends only on its own id, group or text and on the weights; not on the order or the number
of rows, the file or the runner. So a row stays in its split as the data grows (but new weights move rows). The one
exception are copies of a text whose ids or groups are drawn for different splits, see
`components.example_gen.copies`. Stratified splits depend on the labels of all rows, and a row stays in its split
because the registry remembers it, see `components.stratification.memory`.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import NamedTuple

from components.example_gen.parsing.row_parser import LabelledText
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import SPLITS, InputFiles, Split


class Assignment(NamedTuple):
    """Split that a row goes to, unless a copy of its text goes to another one.

    Attributes:
        text_key: 64 bits that copies of the text (and its pair) have in common.
        unit_key: 64 bits that rows have in common which are dealt out together, where splits are stratified: rows of a
            group, or copies of a text.
        split: Index in SPLITS.
        allowed: If bit n is set, the row may go to SPLITS[n] instead, to be with its copies.
        pinned: Whether the configuration assigns the row's whole file to one split.
    """

    text_key: int
    unit_key: int
    split: int
    allowed: int
    pinned: bool


class Splitter:
    """Assigns the rows of an input to splits by hash.

    The BLAKE2b hash of the key (8 bytes, as a big-endian number), modulo the sum of the weights, is in the range of
    one split; the ranges are in the order train, eval, test. A row with a blank group is split by its text. With
    `split_by: stratified` this split is a first one, which the deal replaces (`components.example_gen.dealing`).
    """

    def __init__(self, settings: ExamplesSettings, files: InputFiles) -> None:
        self._by = settings.split_by
        self._splits = [SPLITS.index(split) for split, _ in files.weights]
        self._ends = list(accumulate(weight for _, weight in files.weights))
        self._all_allowed = sum(1 << split for split in self._splits)

    def assign(self, row: LabelledText) -> Assignment:
        """Return the split of a row."""
        text_key = stable_hash(comparison_text(row))
        if len(self._splits) == 1:
            return Assignment(text_key, text_key, self._splits[0], self._all_allowed, pinned=True)
        key = text_key
        grouped = self._by in ("group", "stratified") and row.group != ""
        if grouped:
            key = stable_hash(row.group)
        elif self._by == "id":
            key = stable_hash(row.id)
        bucket = key % self._ends[-1]
        split = next(split for split, end in zip(self._splits, self._ends, strict=True) if bucket < end)
        # A group stays in its split, even if copies of its texts are in others.
        return Assignment(text_key, key, split, 1 << split if grouped else self._all_allowed, pinned=False)


def comparison_text(row: LabelledText) -> str:
    """Return what copies of a text have in common: the folded text, and its folded pair if there is one."""
    text = fold(row.text)
    return text if row.pair is None else f"{text}\n{fold(row.pair)}"


def fold(text: str) -> str:
    r"""Return a text in one case, with single spaces between words.

    Example:
        >>> fold("  Seen\tTEXT ")
        'seen text'
    """
    return " ".join(text.split()).casefold()


def stable_hash(key: str) -> int:
    """Return a hash of 64 bits that, unlike `hash`, is the same on every machine and in every run.

    Example:
        >>> hex(stable_hash("a text"))
        '0x536408935be0e950'
    """
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")


def labels_key(labels: Iterable[str], unknown: Iterable[str] = ()) -> int:
    """Return a hash that equal sets of labels, and of unknown ones, have in common."""
    given, left = "\n".join(sorted(labels)), "\n".join(sorted(unknown))
    return stable_hash(f"{given}\n\n{left}" if left else given)


def describe_rule(files: Sequence[InputFiles], split: Split, split_by: str) -> str:
    """Return, for a message, which inputs should fill a split, and with which of their rows."""
    rules = []
    for index, entry in enumerate(files):
        weights = dict(entry.weights)
        if split in weights:
            total = sum(weights.values())
            rule = "stratified by the labels" if split_by == "stratified" else f"by the hash of the {split_by}"
            share = f"{weights[split]} of {total} {rule}" if len(weights) > 1 else "every row"
            rules.append(f"examples.inputs[{index}] ('{entry.source}', {share})")
    return " and ".join(rules)
