"""Cron expressions: the systemd timer matches when cron does."""

import os
import re
import shutil
import subprocess
from datetime import datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim

from pipeline.cron import parse_cron
from schema.errors import Refused

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


def test_finds_the_next_times() -> None:
    now = datetime(2026, 11, 23, 12, 0)
    assert parse_cron("0 3 * * *", now).next_times[0] == datetime(2026, 11, 24, 3, 0)
    assert parse_cron("0 3 * * *", now).next_times[2] - now > timedelta(days=2)
