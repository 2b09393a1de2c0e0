"""Periods of time as a person writes them."""

import re
from datetime import timedelta

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PERIOD = re.compile(rf"([0-9]{{1,5}})([{''.join(_UNITS)}])")


def parse_period(text: str) -> timedelta:
    """Return the period that a text such as 30m, 12h, 30d or 8w means.

    Raises:
        ValueError: It means none.

    Example:
        >>> parse_period("30m").total_seconds()
        1800.0
    """
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError("write a number of minutes, hours, days or weeks, such as 30m, 12h, 30d or 8w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
