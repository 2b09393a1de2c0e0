"""The values that say yes, no or unknown in a column of a label."""

import math
import re
from collections.abc import Iterable

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
