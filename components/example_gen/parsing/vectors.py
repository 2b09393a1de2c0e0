"""Vectors of 0 and 1, or of shares: a position per label, in a list or printed in a cell."""

import re
from collections.abc import Sequence

from components.example_gen.parsing.flags import NO_VALUES, UnknownValues, parse_share
from components.example_gen.parsing.printed import unwrap

_JOINED = re.compile(r"[01]{2,}")
_BETWEEN = re.compile(r"[\s,;|]+")


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
