"""Recurring runs on one machine: a systemd service and timer, and a line for cron, printed and never installed.

Nothing more is needed there: a run that finds nothing new ends at once, and two never run at a time
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
        fields: The five of it, without names.
        calendar: The same as systemd's OnCalendar, of which any may hold.
        words: The same in English.
        next_times: When it comes next, thrice.
    """

    fields: tuple[str, ...]
    calendar: tuple[str, ...]
    words: str
    next_times: tuple[datetime, ...]


@dataclass(frozen=True)
class LocalSchedule:
    """What to install.

    Attributes:
        unit: The name of both units, without what stands behind the dot.
        service: The file <unit>.service.
        timer: The file <unit>.timer.
        cron_line: A line of a crontab, instead of both.
        cron: When.
    """

    unit: str
    service: str
    timer: str
    cron_line: str
    cron: Cron

    def in_words(self) -> str:
        """All of it with what to do, each part ready to be copied."""
        times = ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in self.cron.next_times)
        folder = "~/.config/systemd/user"
        return "\n".join((
            f"# {self.cron.words} (next: {times}). Nothing is installed: take systemd's two files, or cron's line.",
            "",
            f"# {folder}/{self.unit}.service",
            self.service,
            f"# {folder}/{self.unit}.timer",
            self.timer,
            f"# Then: systemctl --user daemon-reload && systemctl --user enable --now {self.unit}.timer",
            "# and, for it to run while nobody is logged in: loginctl enable-linger",
            "",
            "# Or, with `crontab -e` (cron mails what is printed; each run's folder has it too):",
            self.cron_line,
        ))  # fmt: skip


def local_schedule(config: Configuration, path: Path, overrides: Sequence[str], cron: str) -> LocalSchedule:
    """What runs a pipeline again and again on this machine, for the user who asks, from the folder of the moment.

    Args:
        config: The pipeline.
        path: Its configuration's file.
        overrides: `--set`, as given; paths in them are relative to the folder.
        cron: Five fields: minute, hour, day of month, month, day of week.

    Raises:
        Refused: The expression is none, or systemd or cron cannot say it; or a path cannot be written into their files.
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
Description=Pipeline {config.name}, trained anew

[Service]
Type=oneshot
WorkingDirectory={folder.replace("%", "%%")}
ExecStart={" ".join(_quoted_for_systemd(word) for word in command)}
# 3: it ran, but its model was not blessed; what is served stays. Other failures show in systemctl --user --failed.
SuccessExitStatus=3
{_environment(config)}"""
    timer = f"""\
[Unit]
Description=When pipeline {config.name} is trained anew

[Timer]
{chr(10).join(f"OnCalendar={line}" for line in when.calendar)}
# What was missed while the machine was off is made up for.
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
    """Reads a cron expression.

    Raises:
        Refused: It is none, never comes, or says what only some crons understand (`L`, `#`, seconds, @daily).
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
        raise Refused(f"--cron {expression!r}: L and # are not understood by every cron; say it with numbers")
    minutes, hours, days, months, weekdays = plain
    weekdays = {day % 7 for day in weekdays}
    return Cron(
        fields=tuple(
            # A star decides whether day and weekday must both hold, so it stays; anything else as every cron reads it.
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
    """As systemd.time(7) has it. Where cron wants day or weekday, not both, that takes two lines."""
    time = f"{_or_star(hours, 24)}:{_or_star(minutes, 60)}:00"
    month, day = _or_star(months, 12), _or_star(days, 31)
    names = "" if len(weekdays) == 7 else ",".join(_DAYS[number] for number in sorted(weekdays)) + " "
    if both:
        return (f"{names}*-{month}-{day} {time}",)
    return tuple(dict.fromkeys((f"*-{month}-{day} {time}", f"{names}*-{month}-* {time}")))


def _or_star(values: set[int], total: int) -> str:
    return "*" if len(values) == total else _ranges(values, "..", width=2)


def _ranges(values: Collection[int], between: str, width: int = 0) -> str:
    """`0,3-5`: numbers, those that follow each other as a range."""
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
    """What was called, by its whole path: the installed command, or the module with the same Python."""
    script = Path(sys.executable).with_name("bert-multilabel")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "pipeline"]


def _quoted_for_systemd(word: str) -> str:
    """A word of ExecStart, as systemd.service(5) takes it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _environment(config: Configuration) -> str:
    """A hint at the environment variables that the webhook needs."""
    notify = config.notify
    names = [name for name in (notify.url_from, notify.secret_from) if name] if notify is not None else []
    if not names:
        return ""
    return (
        f"# NAME=value, a line each, of {', '.join(names)}; only you should be able to read it. Cron needs them too.\n"
        f"EnvironmentFile=-%h/.config/bert-multilabel-{config.name}.env\n"
    )
