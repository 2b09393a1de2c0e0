"""Recurring runs on one machine: the printed units of systemd and the line of cron."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.end_to_end.command import command
from tests.support.small_project import Project, make_project

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")


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


def test_scoring_and_watching_have_units_of_their_own(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project.configure(
        scoring={"input_base": "new", "inputs": [{"pattern": "*"}], "output": "scored"}, watch={"log": "log"}
    )
    scoring, watching = (_printed(project, capfd, "--pipeline", pipeline) for pipeline in ("score", "watch"))
    project.configure(scoring=None, watch=None)
    name, service = _file(scoring, "service")
    assert name == "bert-multilabel-small-score.service"
    assert '"--set" "pipeline=score"' in service
    assert "Scoring by pipeline small-score" in service
    name, service = _file(watching, "service")
    assert name == "bert-multilabel-small-watch.service"
    assert '"watch" "--config"' in service


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
