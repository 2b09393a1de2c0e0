"""Recurring runs on one machine: the systemd timer matches the cron expression."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from cronsim import CronSim

from runners.local.schedule import parse_cron
from schema.errors import Refused
from tests.end_to_end.command import command
from tests.support.small_project import Project, make_project

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")


@pytest.mark.parametrize(
    ("cron", "calendar"),
    [
        ("0 3 * * *", ["*-*-* 03:00:00"]),
        ("*/15 9-17 * * mon-fri", ["Mon,Tue,Wed,Thu,Fri *-*-* 09..17:00,15,30,45:00"]),
        ("30 4 1,15 * *", ["*-*-01,15 04:30:00"]),
        ("0 0 * jan-mar,12 7", ["Sun *-01..03,12-* 00:00:00"]),
        # Cron wants a Friday or a 13th, not both.
        ("0 8 13 * 5", ["*-*-13 08:00:00", "Fri *-*-* 08:00:00"]),
        # But if one of them begins with a star, both.
        ("0 8 */2 * 5", ["Fri *-*-01,03,05,07,09,11,13,15,17,19,21,23,25,27,29,31 08:00:00"]),
        ("0 8 1-31 * 5", ["*-*-* 08:00:00", "Fri *-*-* 08:00:00"]),
        ("* * * * 0-7", ["*-*-* *:*:00"]),
    ],
)  # fmt: skip
def test_translates_cron_expressions_for_systemd(cron: str, calendar: list[str]) -> None:
    assert list(parse_cron(cron).calendar) == calendar


def test_writes_cron_fields_that_every_cron_understands() -> None:
    assert parse_cron("5/20 1-3 * * *").fields == ("5,25,45", "1-3", "*", "*", "*")
    assert parse_cron("*/10 0 */2 feb sun,3").fields == ("*/10", "0", "*/2", "2", "0,3")


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("0 3 * *", "give five fields"),
        ("@daily", "give five fields"),
        ("0 0 3 * * *", "give five fields"),
        ("0 24 * * *", "bad hour"),
        ("x 3 * * *", "bad minute"),
        ("0 3 L * *", "not every cron understands L and #"),
        ("0 3 * * 5#2", "not every cron understands L and #"),
        ("0 3 * * 5L", "not every cron understands L and #"),
        ("0 3 31 2 *", "bad day-of-month"),
    ],
)
def test_refuses_what_systemd_and_cron_cannot_express(cron: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_cron(cron)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@needs_systemd
@pytest.mark.parametrize(
    "cron",
    [
        "0 3 * * *", "*/7 */5 * * *", "59 23 31 12 *", "0 8 13 * 5", "0 8 */2 * 5", "1,2,40-45 6 * 2-5 sat,sun",
        "0 0 29 2 *",
    ],
)  # fmt: skip
def test_systemd_fires_when_cron_does(cron: str) -> None:
    now = datetime(2026, 11, 23, 12, 0)
    expected = list(islice(CronSim(cron, now), 12))
    found: set[datetime] = set()
    for line in parse_cron(cron).calendar:
        analysed = subprocess.run(
            ["systemd-analyze", "calendar", "--iterations=12", f"--base-time={now:%Y-%m-%d %H:%M:%S}", line],
            capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        )  # fmt: skip
        times = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", analysed.stdout)
        found |= {datetime.fromisoformat(time) for time in times}
    assert sorted(found)[:12] == expected[: len(found)]
    assert len(found) >= min(12, len(expected))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / '50% of $HOME\'s "projects"', rows=20)


def _printed(project: Project, capfd: pytest.CaptureFixture[str], *options: str) -> str:
    configuration = str(project.configuration)
    assert command("schedule", "--runner", "local", "--config", configuration, "--cron", "0 3 * * *", *options) == 0
    return capfd.readouterr().out


def _file(printed: str, ending: str) -> tuple[str, str]:
    """Return name and content of one of the printed files."""
    found = re.search(
        rf"^# ~/\.config/systemd/user/(\S+\.{ending})\n(.*?\n)(?=\n# )", printed, re.DOTALL | re.MULTILINE
    )
    assert found is not None
    return found[1], found[2]


def test_prints_both_units_and_the_cron_line_and_writes_nothing(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(project.folder.rglob("*"))
    printed = _printed(project, capfd, "--set", "training.epochs=1")
    assert sorted(project.folder.rglob("*")) == before
    assert printed.startswith("# At 03:00")
    name, timer = _file(printed, "timer")
    assert name == "bert-multilabel-small.timer"
    assert "OnCalendar=*-*-* 03:00:00\n" in timer
    assert "Persistent=true" in timer
    assert "EnvironmentFile" not in printed
    project.configure(notify={"url_from": "HOOK_URL", "secret_from": "HOOK_TOKEN"})
    printed = _printed(project, capfd)
    assert "for each of HOOK_URL, HOOK_TOKEN;" in printed
    assert "EnvironmentFile=-%h/.config/bert-multilabel-small.env\n" in _file(printed, "service")[1]


def test_the_cron_line_runs_the_command_that_was_scheduled(
    project: Project, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.data.unlink()
    monkeypatch.chdir(project.folder)
    printed = _printed(project, capfd, "--set", "examples.input_base=data")
    line = printed.strip().splitlines()[-1]
    assert line.startswith("0 3 * * * cd ")
    # Cron passes what follows the fields to a shell, without the backslash before a percent sign.
    shell = line.removeprefix("0 3 * * * ").replace(r"\%", "%")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(
        ["/bin/sh", "-c", shell], capture_output=True, text=True, check=False, cwd="/", env=environment
    )
    assert ended.returncode == 2
    assert "no file matches '*.csv'" in ended.stderr


@needs_systemd
def test_systemd_accepts_both_units(project: Project, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project.configure(notify={"url_from": "HOOK_URL"})
    printed = _printed(project, capfd, "--set", "training.epochs=1")
    units = []
    for ending in ("service", "timer"):
        name, content = _file(printed, ending)
        (tmp_path / name).write_text(content)
        units.append(str(tmp_path / name))
    # A short path: sockets of this machine's units would be in it, and their addresses take 107 characters.
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        verified = subprocess.run(
            ["systemd-analyze", "--user", "--man=no", "verify", *units],
            capture_output=True, text=True, check=False, env={**os.environ, "XDG_RUNTIME_DIR": runtime},
        )  # fmt: skip
    assert (verified.returncode, verified.stderr) == (0, "")
    # The path stays one word, and nothing in it is expanded.
    (command_line,) = re.findall(r"^ExecStart=(.*)$", (tmp_path / "bert-multilabel-small.service").read_text(), re.M)
    assert '50%% of $$HOME\'s \\"projects\\"' in command_line


def test_refuses_an_unknown_runner(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    options = ("--config", str(project.configuration), "--cron", "0 3 * * *")
    assert command("schedule", "--runner", "locale", *options) == 2
    assert "--runner locale: there is no such runner to schedule on; did you mean 'local'?" in capfd.readouterr().err


def test_finds_the_next_times() -> None:
    now = datetime(2026, 11, 23, 12, 0)
    assert parse_cron("0 3 * * *", now).next_times[0] == datetime(2026, 11, 24, 3, 0)
    assert parse_cron("0 3 * * *", now).next_times[2] - now > timedelta(days=2)
