"""Suggestions for a name that is not known: the nearest known one."""

import difflib
from collections.abc import Sequence

_CUTOFF = 0.5  # similarity as difflib measures it, 0 to 1
_LONGEST_COMPARED = 100  # characters: the time of a comparison grows with their square
_MOST_LISTED = 40


def close_match(name: str, known: Sequence[str]) -> str | None:
    """Return the known name that is most like an unknown one, or None if none is like it.

    Example:
        >>> close_match("refnd", ["billing", "refund"])
        'refund'
    """
    compared = [other for other in known if len(other) <= _LONGEST_COMPARED]
    matches = difflib.get_close_matches(name, compared, n=1, cutoff=_CUTOFF)
    return matches[0] if matches else None


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known one, or a list of those that exist.

    Example:
        >>> nearest("refnd", ["billing", "refund"])
        "did you mean 'refund'?"
        >>> nearest("xyz", ["billing", "refund"])
        'known here: billing, refund'
    """
    match = close_match(name, known)
    if match is not None:
        return f"did you mean '{match}'?"
    more = ", ..." if len(known) > _MOST_LISTED else ""
    return f"known here: {', '.join(known[:_MOST_LISTED]) or 'none'}{more}"
