"""Cron expressions, as schedules take them on every runner."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from schema.errors import Refused

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_FIELDS = "minute hour day month weekday"


@dataclass(frozen=True)
class Cron:
    """A cron expression, as Debian's cron understands it, in local time.

    Attributes:
        fields: Its five fields, as numbers.
        calendar: The equivalent values of systemd's OnCalendar; the timer fires when any of them matches.
        words: The expression in English.
        next_times: The next three times that match.
    """

    fields: tuple[str, ...]
    calendar: tuple[str, ...]
    words: str
    next_times: tuple[datetime, ...]


def parse_cron(expression: str, now: datetime | None = None) -> Cron:
    """Parse a cron expression.

    Args:
        expression: Five fields: minute, hour, day of month, month, day of week.
        now: Time to count the next times from; None: the current time.

    Raises:
        Refused: It is invalid, never matches, or uses what only some crons understand (`L`, `#`, seconds, @daily).

    Example:
        >>> parse_cron("0 3 * * mon-fri").fields
        ('0', '3', '*', '*', '1-5')
        >>> parse_cron("0 3 * * mon-fri").calendar
        ('Mon,Tue,Wed,Thu,Fri *-*-* 03:00:00',)
    """
    from cronsim import CronSim, CronSimError

    fields = expression.split()
    example = 'for example --cron "0 3 * * *", every day at three'
    if len(fields) != 5:
        raise Refused(f"--cron {expression!r}: give five fields ({_FIELDS}); {example}")
    try:
        parsed = CronSim(expression, now or datetime.now())
        numbers: list[Collection[object]] = [parsed.minutes, parsed.hours, parsed.days, parsed.months, parsed.weekdays]
        next_times = tuple(islice(CronSim(expression, now or datetime.now()), 3))
    except CronSimError as error:
        raise Refused(f"--cron {expression!r}: {str(error).lower()} (the fields: {_FIELDS}); {example}") from None
    plain = [{number for number in values if isinstance(number, int) and number >= 0} for values in numbers]
    if any(len(kept) < len(values) for kept, values in zip(plain, numbers, strict=True)):
        raise Refused(f"--cron {expression!r}: not every cron understands L and #; use numbers")
    minutes, hours, days, months, weekdays = plain
    weekdays = {day % 7 for day in weekdays}
    return Cron(
        fields=tuple(
            # A star decides whether day and weekday must both match, so it stays. All else is written as numbers.
            field if field.startswith("*") else _ranges(values, "-")
            for field, values in zip(fields, (minutes, hours, days, months, weekdays), strict=True)
        ),
        calendar=_calendar(minutes, hours, days, months, weekdays, both=parsed.day_and),
        words=parsed.explain(),
        next_times=next_times,
    )


def _calendar(
    minutes: set[int], hours: set[int], days: set[int], months: set[int], weekdays: set[int], *, both: bool
) -> tuple[str, ...]:
    """Return values of systemd.time(7); two where cron asks for a match of day or weekday, not of both."""
    time = f"{_or_star(hours, 24)}:{_or_star(minutes, 60)}:00"
    month, day = _or_star(months, 12), _or_star(days, 31)
    names = "" if len(weekdays) == 7 else ",".join(_DAYS[number] for number in sorted(weekdays)) + " "
    if both:
        return (f"{names}*-{month}-{day} {time}",)
    return tuple(dict.fromkeys((f"*-{month}-{day} {time}", f"{names}*-{month}-* {time}")))


def _or_star(values: set[int], total: int) -> str:
    return "*" if len(values) == total else _ranges(values, "..", width=2)


def _ranges(values: Collection[int], between: str, width: int = 0) -> str:
    """Write numbers, consecutive ones as a range: `0,3-5`."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(
        f"{run[0]:0{width}}" if len(run) == 1 else f"{run[0]:0{width}}{between}{run[-1]:0{width}}" for run in runs
    )
