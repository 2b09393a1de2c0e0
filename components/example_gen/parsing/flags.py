"""The values that say yes or no in a column of a label, and vectors of them."""

import re
from collections.abc import Sequence

from components.example_gen.parsing.printed import is_printed, labels_of, parse_printed

_YES = frozenset(("1", "true", "yes", "y", "t"))
_NO = frozenset(("0", "false", "no", "n", "f"))
_DECIMAL = re.compile(r"([01])[.,]0*")


def parse_flag(text: str) -> bool | None:
    """Return what a value says: 1, 1.0, true, yes, y and t are yes, in upper or lower case; None if it is no flag.

    Example:
        >>> parse_flag("True"), parse_flag("0.0"), parse_flag("-1")
        (True, False, None)
    """
    word = text.strip().lower()
    if match := _DECIMAL.fullmatch(word):
        word = match[1]
    return True if word in _YES else False if word in _NO else None


def parse_vector(cell: str | Sequence[str]) -> list[bool] | None:
    """Return the flags of a vector of 0 and 1: a list, a printed one, or numbers between commas or blanks.

    Example:
        >>> parse_vector("[1. 0. 0.]"), parse_vector("0,1"), parse_vector(["1", "2"])
        ([True, False, False], [False, True], None)
    """
    if isinstance(cell, str):
        try:
            parts: Sequence[str] = (
                labels_of(parse_printed(cell)) if is_printed(cell) else re.split(r"[\s,;|]+", cell.strip())
            )
        except ValueError:
            return None
    else:
        parts = cell
    flags = [parse_flag(part) if part.strip().lower()[:1] in ("0", "1", "t", "f") else None for part in parts]
    return [flag for flag in flags if flag is not None] if flags and None not in flags else None
