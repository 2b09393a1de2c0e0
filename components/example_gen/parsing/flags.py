"""The values that say yes, no or unknown in a column of a label, and vectors of them."""

import math
import re
from collections.abc import Iterable, Sequence

from components.example_gen.parsing.printed import unwrap

_YES = frozenset(("1", "true", "yes", "y", "t"))
_NO = frozenset(("0", "false", "no", "n", "f"))
_DECIMAL = re.compile(r"([01])[.,]0*")
_JOINED = re.compile(r"[01]{2,}")
_BETWEEN = re.compile(r"[\s,;|]+")


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


class UnknownValues:
    """Values that mean that nobody knows whether a row has the label.

    Numbers are compared as numbers, so that -1 stands for -1.0 too, and words without regard to case.

    Example:
        >>> values = UnknownValues(["-1", "", "nan"])
        >>> "-1.0" in values, " " in values, "NaN" in values, "0" in values
        (True, True, True, False)
    """

    def __init__(self, values: Iterable[str]) -> None:
        words = [value.strip().casefold() for value in values]
        self._words = frozenset(words)
        self._numbers = frozenset(number for word in words if (number := _number(word)) is not None)

    def __contains__(self, text: str) -> bool:
        word = text.strip().casefold()
        return word in self._words or (bool(self._numbers) and _number(word) in self._numbers)


NO_VALUES = UnknownValues(())


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def parse_share(text: str) -> float | None:
    """Return what a value says as a number from 0 to 1: a flag, or a fraction; None if it is neither.

    Example:
        >>> parse_share("yes"), parse_share("0.25"), parse_share("2")
        (1.0, 0.25, None)
    """
    flag = parse_flag(text)
    if flag is not None:
        return float(flag)
    number = _number(text.strip())
    return number if number is not None and 0 <= number <= 1 else None


def parse_vector(cell: str | Sequence[str]) -> list[bool] | None:
    """Return the flags of a vector of 0 and 1: a list, a printed one, or numbers between commas or blanks.

    Example:
        >>> parse_vector("[1. 0. 0.]"), parse_vector("0,1"), parse_vector("010"), parse_vector(["1", "2"])
        ([True, False, False], [False, True], [False, True, False], None)
    """
    shares = parse_shares(cell, NO_VALUES)
    if shares is None or any(share not in (0, 1) for share in shares):
        return None
    return [share == 1 for share in shares]


def parse_shares(cell: str | Sequence[str], unknown: UnknownValues) -> list[float | None] | None:
    """Return the numbers from 0 to 1 of a vector, and None for values that mean unknown; None if it is no vector.

    Example:
        >>> parse_shares("[1, -1, 0.25]", UnknownValues(["-1"])), parse_shares("[1, null]", UnknownValues([""]))
        ([1.0, None, 0.25], [1.0, None])
    """
    shares: list[float | None] = []
    for part in vector_parts(cell):
        # A letter is no number, although y says yes elsewhere.
        share = parse_share(part) if part.strip().lower()[:1] in ("0", "1", "t", "f", ".") else None
        if share is None and part not in unknown:
            return None
        shares.append(share)
    return shares or None


def vector_parts(cell: str | Sequence[str]) -> Sequence[str]:
    """Return the elements of a vector as texts; "" for null. A single element if it is no vector.

    Example:
        >>> vector_parts("[ 1. nan  0.]"), vector_parts("0110"), vector_parts("[1, None]")
        (['1.', 'nan', '0.'], ['0', '1', '1', '0'], ['1', ''])
    """
    if not isinstance(cell, str):
        return cell
    text = unwrap(cell)
    if text[:1] in ("[", "(") and text[-1:] in ("]", ")"):
        text = text[1:-1].strip()
    if _JOINED.fullmatch(text):
        return list(text)
    parts = [part.strip("'\"") for part in _BETWEEN.split(text) if part]
    return ["" if part in ("None", "null") else part for part in parts]
