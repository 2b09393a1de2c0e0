"""Recurring runs on one machine: a systemd service and timer, and a line for cron. They are printed, never installed.

Nothing more is needed: a run that finds nothing new ends at once, and two runs never overlap
(`pipeline.work_dir.WorkDir.locked`).
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.configuration import Configuration
from pipeline.cron import Cron, parse_cron
from schema.errors import Refused


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


def local_schedule(
    config: Configuration, path: Path, overrides: Sequence[str], cron: str, *, watch: bool = False
) -> LocalSchedule:
    """Return the schedule of a pipeline on this machine, for the current user and from the current folder.

    Args:
        config: The configuration of the pipeline.
        path: File of the configuration.
        overrides: Values of `--set`; paths in them are relative to the current folder.
        cron: Five fields: minute, hour, day of month, month, day of week.
        watch: Schedule `watch` instead of `run`.

    Raises:
        Refused: The cron expression is invalid, systemd or cron cannot express it, or a path cannot be written into
            their files.
    """
    when = parse_cron(cron)
    folder = str(Path.cwd())
    command = [*_program(), "watch" if watch else "run", "--config", str(path.resolve())]
    command += [word for override in overrides for word in ("--set", override)]
    for word in (folder, *command):
        if not word.isprintable():
            raise Refused(f"{word!r}: systemd and cron take no line breaks in a command; rename it")
    service = f"""\
[Unit]
Description={_purpose(config, watch=watch)} pipeline {config.name}

[Service]
Type=oneshot
WorkingDirectory={folder.replace("%", "%%")}
ExecStart={" ".join(_quoted_for_systemd(word) for word in command)}
# 3: it ran, but its model was not blessed, and the served one stays. systemctl --user --failed shows other failures.
SuccessExitStatus=3
{_environment(config)}"""
    timer = f"""\
[Unit]
Description=Schedule: {_purpose(config, watch=watch)} pipeline {config.name}

[Timer]
{chr(10).join(f"OnCalendar={line}" for line in when.calendar)}
# A run that was missed while the machine was off is made up for.
Persistent=true

[Install]
WantedBy=timers.target
"""
    shell = f"cd {shlex.quote(folder)} && {shlex.join(command)}".replace("%", r"\%")
    return LocalSchedule(
        unit=f"bert-multilabel-{config.name}{'-watch' if watch else ''}",
        service=service,
        timer=timer,
        cron_line=f"{' '.join(when.fields)} {shell}",
        cron=when,
    )


def _purpose(config: Configuration, *, watch: bool) -> str:
    if watch:
        return "Watch over the answers of"
    return "Scoring by" if config.pipeline == "score" else "Retraining of"


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
