"""Recurring runs on one machine: a systemd service and timer, and a line for cron. They are printed, never installed.

Nothing more is needed: a run that finds nothing new ends at once, and two runs never overlap
(`pipeline.work_dir.WorkDir.locked`).
"""

import shlex
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from pipeline.config.configuration import Configuration
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


@dataclass(frozen=True)
class LocalSchedule:
    """What a person installs to run a pipeline on a schedule.

    Attributes:
        unit: Name of both systemd units, without the suffix.
        service: Content of <unit>.service.
        timer: Content of <unit>.timer.
        cron_line: Line of a crontab, instead of both.
        cron: The schedule.
    """

    unit: str
    service: str
    timer: str
    cron_line: str
    cron: Cron

    def in_words(self) -> str:
        """Return all parts with instructions, each ready to be copied."""
        times = ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in self.cron.next_times)
        folder = "~/.config/systemd/user"
        return "\n".join((
            f"# {self.cron.words} (next: {times}). Nothing is installed: use systemd's two files or cron's line.",
            "",
            f"# {folder}/{self.unit}.service",
            self.service,
            f"# {folder}/{self.unit}.timer",
            self.timer,
            f"# Then: systemctl --user daemon-reload && systemctl --user enable --now {self.unit}.timer",
            "# and, to run while nobody is logged in: loginctl enable-linger",
            "",
            "# Or, with `crontab -e` (cron mails the output; the folder of each run has it too):",
            self.cron_line,
        ))  # fmt: skip


def local_schedule(config: Configuration, path: Path, overrides: Sequence[str], cron: str) -> LocalSchedule:
    """Return the schedule of a pipeline on this machine, for the current user and from the current folder.

    Args:
        config: The configuration of the pipeline.
        path: File of the configuration.
        overrides: Values of `--set`; paths in them are relative to the current folder.
        cron: Five fields: minute, hour, day of month, month, day of week.

    Raises:
        Refused: The cron expression is invalid, systemd or cron cannot express it, or a path cannot be written into
            their files.
    """
    when = parse_cron(cron)
    folder = str(Path.cwd())
    command = [*_program(), "run", "--config", str(path.resolve())]
    command += [word for override in overrides for word in ("--set", override)]
    for word in (folder, *command):
        if not word.isprintable():
            raise Refused(f"{word!r}: systemd and cron take no line breaks in a command; rename it")
    service = f"""\
[Unit]
Description=Retraining of pipeline {config.name}

[Service]
Type=oneshot
WorkingDirectory={folder.replace("%", "%%")}
ExecStart={" ".join(_quoted_for_systemd(word) for word in command)}
# 3: it ran, but its model was not blessed, and the served one stays. systemctl --user --failed shows other failures.
SuccessExitStatus=3
{_environment(config)}"""
    timer = f"""\
[Unit]
Description=Schedule of retraining pipeline {config.name}

[Timer]
{chr(10).join(f"OnCalendar={line}" for line in when.calendar)}
# A run that was missed while the machine was off is made up for.
Persistent=true

[Install]
WantedBy=timers.target
"""
    shell = f"cd {shlex.quote(folder)} && {shlex.join(command)}".replace("%", r"\%")
    return LocalSchedule(
        unit=f"bert-multilabel-{config.name}",
        service=service,
        timer=timer,
        cron_line=f"{' '.join(when.fields)} {shell}",
        cron=when,
    )


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


def _program() -> list[str]:
    """Return the command by its absolute path: the installed one, or the module with the same Python."""
    script = Path(sys.executable).with_name("bert-multilabel")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "pipeline"]


def _quoted_for_systemd(word: str) -> str:
    """Quote a word of ExecStart, as described in systemd.service(5)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _environment(config: Configuration) -> str:
    """Return the lines about the environment variables that the webhook needs."""
    notify = config.notify
    names = [name for name in (notify.url_from, notify.secret_from) if name] if notify is not None else []
    if not names:
        return ""
    return (
        f"# A line NAME=value for each of {', '.join(names)}; nobody else may read the file. Cron needs them too.\n"
        f"EnvironmentFile=-%h/.config/bert-multilabel-{config.name}.env\n"
    )
