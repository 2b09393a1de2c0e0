"""Remote runs: at most one of a pipeline at a time on any runner, and the refusals of the commands."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from runners.remote import remote
from runners.remote.remote import RemoteRun, RemoteSchedule, RunState
from schema.errors import Refused
from tests.end_to_end.command import command
from tests.support.small_project import Project, make_project

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class Runner:
    """Remote runner whose runs a test ends."""

    # ruff: noqa: ARG002 - the protocol's signatures

    def __init__(self) -> None:
        self.started: list[RemoteRun] = []
        self.requests = 0
        self.ends_at_request = 0
        self.rival: RemoteRun | None = None

    def compile(self, config: Configuration, output: Path) -> None:
        raise NotImplementedError

    def start(self, name: str, created: int) -> RemoteRun:
        run = RemoteRun(name, RunState.RUNNING, _BEGINNING + timedelta(seconds=created))
        self.started.insert(0, run)
        return run

    def submit(self, config: Configuration) -> RemoteRun:
        if self.rival is not None:
            self.started.insert(0, self.rival)
            self.rival = None
        return self.start(f"run-{len(self.started)}", created=10 + len(self.started))

    def runs(self, config: Configuration) -> Sequence[RemoteRun]:
        self.requests += 1
        if self.requests == self.ends_at_request:
            self.started = [replace(run, state=RunState.SUCCEEDED) for run in self.started]
        return list(self.started)

    def status(self, config: Configuration, run: str) -> RemoteRun:
        self.requests += 1
        (found,) = [each for each in self.started if each.name == run]
        return replace(found, state=RunState.FAILED) if self.requests >= self.ends_at_request else found

    def cancel(self, config: Configuration, run: str) -> RemoteRun:
        self.started = [replace(each, state=RunState.CANCELLED) if each.name == run else each for each in self.started]
        return next(each for each in self.started if each.name == run)

    def set_schedule(self, config: Configuration, cron: str) -> RemoteSchedule:
        raise NotImplementedError

    def find_schedule(self, config: Configuration) -> RemoteSchedule | None:
        raise NotImplementedError

    def pause_schedule(self, config: Configuration, paused: bool) -> RemoteSchedule:
        raise NotImplementedError

    def delete_schedule(self, config: Configuration) -> bool:
        raise NotImplementedError


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("remote") / "project", rows=20)


@pytest.fixture
def config(project: Project) -> Configuration:
    return load_configuration(project.configuration)


@pytest.fixture
def patient(project: Project) -> Configuration:
    return load_configuration(project.configuration, ["concurrency={when_busy: wait, longest_wait_s: 1}"])


def test_refuses_a_second_run(config: Configuration) -> None:
    runner = Runner()
    runner.start("first", created=0)
    with pytest.raises(Refused, match=r"run first is in progress; .*concurrency\.when_busy"):
        remote.submit(runner, config, str)
    assert [run.name for run in runner.started] == ["first"]


def test_waits_for_another_run_where_configured(patient: Configuration) -> None:
    runner, lines = Runner(), list[str]()
    runner.start("first", created=0)
    runner.ends_at_request = 3
    run = remote.submit(runner, patient, lines.append, poll_s=0.01)
    assert run.state is RunState.RUNNING
    assert lines == ["Waiting for run first of small, 1 s at most ..."]


def test_stops_waiting_after_the_configured_time(patient: Configuration) -> None:
    runner = Runner()
    runner.start("first", created=0)
    with pytest.raises(Refused, match="run first is still in progress after 1 s"):
        remote.submit(runner, patient, str, poll_s=0.3)


def test_cancels_the_later_of_two_simultaneous_runs(config: Configuration) -> None:
    runner = Runner()
    runner.rival = RemoteRun("rival", RunState.WAITING, _BEGINNING)
    with pytest.raises(Refused, match="run rival is in progress"):
        remote.submit(runner, config, str)
    assert {run.name: run.state for run in runner.started} == {"rival": "waiting", "run-1": "cancelled"}
    runner = Runner()
    runner.rival = RemoteRun("rival", RunState.WAITING, _BEGINNING + timedelta(days=1))
    assert remote.submit(runner, config, str).name == "run-1"


def test_reports_changes_while_waiting_for_a_run_to_end(config: Configuration) -> None:
    runner, changes = Runner(), list[RemoteRun]()
    run = runner.start("first", created=0)
    runner.ends_at_request = 3
    assert remote.wait(runner, config, run, changes.append, poll_s=0.01).state is RunState.FAILED
    assert [each.state for each in changes] == [RunState.FAILED]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["submit", "--runner", "kubeflo"], "--runner kubeflo: runs nothing elsewhere; did you mean 'kubeflow'?"),
        (["status", "--runner", "local"], "--runner local: runs nothing elsewhere; known here: kubeflow, vertex"),
        (["schedule", "--runner", "kubeflow", "--pause", "--delete"], "--pause and --delete cannot be combined"),
        (["schedule", "--runner", "kubeflow", "--cron", "nonsense"], "--cron 'nonsense': give five fields"),
        (["schedule", "--runner", "kubeflw"], "did you mean 'kubeflow'?"),
        (["schedule", "--runner", "local", "--delete"], "schedule --runner local: give --cron"),
        (["submit", "--runner", "kubeflow"], "the configuration has no runner.kubeflow"),
    ],
)
def test_refuses_senseless_options_in_one_line(
    project: Project, asked: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(asked[0], "--config", str(project.configuration), *asked[1:]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
