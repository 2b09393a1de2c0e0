"""Rows with one or two texts and a tiny BERT, transformed: what most tests of training and export train on."""

from pathlib import Path

import pytest

from tests.components.preprocessing.transform import Row, run_transform
from tests.support.once import made_once
from tests.support.tiny_bert import write_tiny_bert

LABELS = ("praise", "refund", "trouble")
PAIRS = [
    ("the refund is my money back", "it is not broken"),
    ("it is not broken", "the refund is my money back"),
    ("slow login!", ""),
    ("", "love"),
    ("my password " * 20, "thanks " * 30),
    *((f"the refund {'is slow ' * n}", f"i love it {'and it is not broken ' * (n % 7)}") for n in range(70)),
]
MAX_TOKENS = 32


def rows(*, pair: bool) -> list[Row]:
    """Return the rows, with the second text of each if they are pairs."""
    second = [{"text_pair": [b]} if pair else {} for _, b in PAIRS]
    return [
        {"id": [str(n)], "text": [a], "labels": [LABELS[n % 3]], **columns}
        for n, ((a, _), columns) in enumerate(zip(PAIRS, second, strict=True))
    ]


def transformed(factory: pytest.TempPathFactory, *, pair: bool) -> Path:
    """Return a folder with the checkpoint in `bert` and what Transform wrote of the rows, made once per test run."""

    def make(folder: Path) -> None:
        settings = {
            "vocabulary": str(write_tiny_bert(folder / "bert") / "vocab.txt"), "lower_case": True,
            "max_tokens": MAX_TOKENS, "truncation": "head_tail",
        }  # fmt: skip
        run_transform(folder, rows(pair=pair), LABELS, settings, pair=pair)

    return made_once(factory, "transformed-pairs" if pair else "transformed-texts", make)
