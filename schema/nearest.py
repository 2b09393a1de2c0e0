"""What a name that nobody knows may have been meant to be."""

import difflib
from collections.abc import Sequence

_MOST_NAMED = 40


def nearest(name: str, known: Sequence[str]) -> str:
    """`did you mean 'refund'?`, or, where nothing is near, what there is; for the end of a message."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    more = ", ..." if len(known) > _MOST_NAMED else ""
    return f"known here: {', '.join(known[:_MOST_NAMED]) or 'none'}{more}"
