"""Slice columns that a client sends beside its texts, for the request log alone: no answer depends on them.

The header `X-Slices` of HTTP, or the metadata `x-slices` of gRPC, is a JSON object: a value by column, or a list with a
value for each text. TensorFlow Serving ignores it, so that a client may send it to both.
"""

import json
from collections.abc import Mapping, Sequence

HEADER = "x-slices"
MOST_CHARACTERS = 200
"""Characters of a value that are kept."""

Slices = Mapping[str, Sequence[str | None]]


def parse_slices(header: str | None, columns: Sequence[str], rows: int) -> dict[str, list[str | None]]:
    r"""Return the values of each row by column; columns that were not sent, or cannot be read, are missing.

    Args:
        header: The header; None if there was none.
        columns: Columns that are kept, those that the model was evaluated by.
        rows: Number of texts of the request.

    Example:
        >>> parse_slices('{"channel": "chat", "language": ["en", null], "user": "7"}', ["channel", "language"], 2)
        {'channel': ['chat', 'chat'], 'language': ['en', None]}
        >>> parse_slices('{"channel": ["chat"]}', ["channel"], 2)
        {}
    """
    if not header or not columns:
        return {}
    try:
        sent = json.loads(header)
    except (ValueError, RecursionError):
        return {}
    found = {}
    for column in columns:
        value = sent.get(column) if isinstance(sent, dict) else None
        values = value if isinstance(value, list) else [value] * rows
        if value is not None and len(values) == rows:
            found[column] = [as_value(each) for each in values]
    return found


def as_value(value: object) -> str | None:
    """Return a value of a slice column as text; None for what is none, such as an object."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)[:MOST_CHARACTERS]
