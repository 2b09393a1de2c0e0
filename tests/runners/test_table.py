"""A remote runner is one folder and one entry of the table: every command then knows it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.config.configuration import Configuration
from runners.remote.output import write_output
from runners.remote.remote import RemoteRun, RemoteSchedule, RunState
from runners.table import REMOTE_RUNNERS
from tests.end_to_end.command import command
from tests.support.refusals import refused
from tests.support.small_project import Project, make_project


class Toy:
    """Remote runner whose service is this object: runs wait until they are cancelled."""

    def __init__(self) -> None:
        self.started: list[RemoteRun] = []
        self.schedule: RemoteSchedule | None = None

    def compile(self, config: Configuration, output: Path) -> None:
        """Write the name of the pipeline."""
        write_output(output, (".toy",), "the toy reads toy files", lambda: config.name)

    def submit(self, config: Configuration) -> RemoteRun:
        """Start a run that waits."""
        run = RemoteRun(f"{config.name}-{len(self.started)}", RunState.WAITING, datetime(2026, 1, 1, tzinfo=UTC))
        self.started.append(run)
        return run

    def runs(self, config: Configuration) -> Sequence[RemoteRun]:  # noqa: ARG002 - the protocol's signature
        """Return all runs."""
        return self.started[::-1]

    def status(self, config: Configuration, run: str) -> RemoteRun:  # noqa: ARG002
        """Return a run."""
        return next(each for each in self.started if each.name == run)

    def cancel(self, config: Configuration, run: str) -> RemoteRun:
        """Cancel a run."""
        cancelled = replace(self.status(config, run), state=RunState.CANCELLED)
        self.started = [cancelled if each.name == run else each for each in self.started]
        return cancelled

    def set_schedule(self, config: Configuration, cron: str) -> RemoteSchedule:
        """Set the schedule."""
        self.schedule = RemoteSchedule(config.name, cron, paused=False, time_zone="UTC")
        return self.schedule

    def find_schedule(self, config: Configuration) -> RemoteSchedule | None:  # noqa: ARG002
        """Return the schedule."""
        return self.schedule

    def pause_schedule(self, config: Configuration, paused: bool) -> RemoteSchedule:  # noqa: ARG002
        """Pause the schedule, or resume it."""
        assert self.schedule is not None
        self.schedule = replace(self.schedule, paused=paused)
        return self.schedule

    def delete_schedule(self, config: Configuration) -> bool:  # noqa: ARG002
        """Delete the schedule."""
        existed, self.schedule = self.schedule is not None, None
        return existed


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("toy") / "project", rows=20)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A remote runner that is in the table during the test."""
    toy = Toy()
    monkeypatch.setitem(REMOTE_RUNNERS, "toy", lambda: toy)
    return toy


@pytest.mark.usefixtures("toy")
def test_compiles_for_a_runner_of_the_table(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("compile", "--runner", "toy", "--config", str(project.configuration), "--output")
    assert command(*arguments, str(tmp_path / "pipeline.toy")) == 0
    assert (tmp_path / "pipeline.toy").read_text() == "small"
    capsys.readouterr()
    assert "the toy reads toy files; let the name end in .toy" in refused(capsys, *arguments, str(tmp_path / "p.yaml"))
    assert "there is no folder" in refused(capsys, *arguments, str(tmp_path / "missing" / "p.toy"))


def test_submits_shows_and_cancels_on_a_runner_of_the_table(
    project: Project, toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--runner", "toy", "--config", str(project.configuration))
    assert command("submit", *arguments) == 0
    assert capsys.readouterr().out == "Run small-0: waiting\n"
    assert "run small-0 is in progress" in refused(capsys, "submit", *arguments)
    assert command("status", "small-0", *arguments) == 0
    assert command("cancel", "small-0", *arguments) == 0
    assert capsys.readouterr().out == "Run small-0: waiting\nRun small-0: cancelled\n"
    assert command("status", *arguments) == 0
    assert "small-0" in capsys.readouterr().out
    assert [run.state for run in toy.started] == [RunState.CANCELLED]


def test_schedules_on_a_runner_of_the_table(project: Project, toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("schedule", "--runner", "toy", "--config", str(project.configuration))
    for option in (("--cron", "0 3 * * *"), ("--pause",), ("--resume",), ()):
        assert command(*arguments, *option) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Schedule small: {state}, 0 3 * * * (UTC)" for state in ("on", "paused", "on", "on")
    ]
    assert command(*arguments, "--delete") == 0
    assert capsys.readouterr().out == "Schedule small: deleted\n"
    assert toy.schedule is None


@pytest.mark.usefixtures("toy")
def test_suggests_a_runner_of_the_table(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(project.configuration)
    assert "did you mean 'toy'?" in refused(capsys, "submit", "--runner", "toi", "--config", config)
    assert "did you mean 'toy'?" in refused(capsys, "schedule", "--runner", "toi", "--config", config)
