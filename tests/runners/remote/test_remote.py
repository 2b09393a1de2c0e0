"""Runs on other machines: at most one of a pipeline at a time, whatever runs it; and the commands' own refusals."""

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


class Runner:  # with the arguments that all runners have
    """A runner whose service starts runs, and whose runs a test ends."""

    # ruff: noqa: ARG002

    def __init__(self) -> None:
        self.there: list[RemoteRun] = []
        self.looks = 0
        self.ends_at_look = 0
        self.rival: RemoteRun | None = None

    def compile(self, config: Configuration, output: Path) -> None:
        raise NotImplementedError

    def start(self, name: str, created: int) -> RemoteRun:
        run = RemoteRun(name, RunState.RUNNING, _BEGINNING + timedelta(seconds=created))
        self.there.insert(0, run)
        return run

    def submit(self, config: Configuration) -> RemoteRun:
        if self.rival is not None:
            self.there.insert(0, self.rival)
            self.rival = None
        return self.start(f"run-{len(self.there)}", created=10 + len(self.there))

    def runs(self, config: Configuration) -> Sequence[RemoteRun]:
        self.looks += 1
        if self.looks == self.ends_at_look:
            self.there = [replace(run, state=RunState.SUCCEEDED) for run in self.there]
        return list(self.there)

    def status(self, config: Configuration, run: str) -> RemoteRun:
        self.looks += 1
        (found,) = [each for each in self.there if each.name == run]
        return replace(found, state=RunState.FAILED) if self.looks >= self.ends_at_look else found

    def cancel(self, config: Configuration, run: str) -> RemoteRun:
        self.there = [replace(each, state=RunState.CANCELLED) if each.name == run else each for each in self.there]
        return next(each for each in self.there if each.name == run)

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


def test_a_second_run_is_refused(config: Configuration) -> None:
    runner = Runner()
    runner.start("first", created=0)
    with pytest.raises(Refused, match=r"run first is in progress; .*concurrency\.when_busy"):
        remote.submit(runner, config, str)
    assert [run.name for run in runner.there] == ["first"]


def test_a_second_run_waits_where_that_is_configured(patient: Configuration) -> None:
    runner, said = Runner(), list[str]()
    runner.start("first", created=0)
    runner.ends_at_look = 3
    run = remote.submit(runner, patient, said.append, poll_s=0.01)
    assert run.state is RunState.RUNNING
    assert said == ["Waiting for run first of small, 1 s at most ..."]


def test_waiting_comes_to_an_end(patient: Configuration) -> None:
    runner = Runner()
    runner.start("first", created=0)
    with pytest.raises(Refused, match="run first is still in progress after 1 s"):
        remote.submit(runner, patient, str, poll_s=0.3)


def test_of_two_that_are_submitted_at_once_the_later_gives_way(config: Configuration) -> None:
    runner = Runner()
    runner.rival = RemoteRun("rival", RunState.WAITING, _BEGINNING)
    with pytest.raises(Refused, match="run rival is in progress"):
        remote.submit(runner, config, str)
    assert {run.name: run.state for run in runner.there} == {"rival": "waiting", "run-1": "cancelled"}
    runner = Runner()
    runner.rival = RemoteRun("rival", RunState.WAITING, _BEGINNING + timedelta(days=1))
    assert remote.submit(runner, config, str).name == "run-1"


def test_a_run_is_waited_for_and_its_changes_are_told(config: Configuration) -> None:
    runner, said = Runner(), list[RemoteRun]()
    run = runner.start("first", created=0)
    runner.ends_at_look = 3
    assert remote.wait(runner, config, run, said.append, poll_s=0.01).state is RunState.FAILED
    assert [each.state for each in said] == [RunState.FAILED]


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
def test_what_makes_no_sense_is_refused_in_a_line(
    project: Project, asked: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(asked[0], "--config", str(project.configuration), *asked[1:]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
