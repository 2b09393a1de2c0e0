"""Tests of what a run tells when it is ended after its push: by a failed step, a full disk, SIGTERM or SIGKILL."""

import errno
import io
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from components import registry
from components.pusher.push_result import PushResult
from components.registry import ModelRecord
from components.report.summary import Summary
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from pipeline.console import PlainConsole
from pipeline.errors import StepFailed, Terminated
from pipeline.history import read_history
from pipeline.run import run_pipeline
from pipeline.running import Observer, RunResult
from tests.support.hook import Hook
from tests.support.small_project import Project, make_project


class Runner:
    """Runner whose steps are a Trainer, which leaves a model, and the Pusher, which pushes it and then ends the run.

    Args:
        folder: Folder for the artifacts.
        end: Function that ends the run after the push.
        records: Whether the Pusher gets to write down what it pushed before that.
    """

    def __init__(self, folder: Path, end: Callable[[], None], *, records: bool) -> None:
        self._folder = folder
        self._end = end
        self._records = records

    def check(self, config: Configuration) -> None:
        """Refuse nothing."""

    def run(self, config: Configuration, observer: Observer, *, until: str | None = None) -> RunResult:  # noqa: ARG002
        """Push a model, and end."""
        model = self._folder / "model" / "Format-Serving"
        model.mkdir(parents=True)
        (model / "saved_model.pb").write_bytes(b"graph")
        record = ModelRecord(model_id="1", labels=["a"], thresholds=[0.5], checkpoint="c", created="", versions={})
        record.write(str(model))
        observer.step_finished("Trainer", 1.0, False, {"model": str(model.parent)})
        observer.step_started("RegistryPusher", 2, 3)
        version = registry.push(str(model), config.registry, record, config.name)
        if self._records:
            pushed = self._folder / "pushed"
            PushResult(number=version.number, path=version.path).write(str(pushed))
            observer.step_finished("RegistryPusher", 1.0, False, {"pushed_model": str(pushed)})
        self._end()
        raise AssertionError("the run was not ended")


def _fail() -> None:
    raise StepFailed("Report", ValueError("closing tag '[/b]' doesn't match any open tag"))


def _fill_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "log.txt")


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", rows=20)


@pytest.mark.parametrize("records", [True, False])
@pytest.mark.parametrize(
    ("end", "error", "reason"),
    [
        (_fail, StepFailed, "Report failed: ValueError: closing tag '[/b]' doesn't match any open tag"),
        (_fill_disk, OSError, "log.txt: No space left on device; free some disk space, then run again"),
        (
            _terminate,
            Terminated,
            "terminated by SIGTERM; finished steps are kept, and the next run continues from there",
        ),
    ],
)
def test_tells_what_was_pushed_whatever_fails_later(
    project: Project, tmp_path: Path, end: Callable[[], None], error: type[BaseException], reason: str, records: bool
) -> None:
    shown = io.StringIO()
    with Hook() as hook:
        project.configure(notify={"url": hook.url})
        config = load_configuration(project.configuration)
        with pytest.raises(error):
            run_pipeline(config, PlainConsole(file=shown, width=300), Runner(tmp_path, end, records=records))
    version = registry.latest(config.registry)
    assert version is not None
    (folder,) = project.runs.iterdir()
    summary = Summary.read(str(folder))
    assert (summary.outcome, summary.blessed, summary.pushed) == ("failed", True, version.path)
    assert summary.reasons == [reason]
    (payload,) = hook.received
    assert (payload["outcome"], payload["summary"]["pushed"]) == ("failed", version.path)
    (past,) = read_history(folder.parents[1])
    assert past.pushed == version.path
    assert f"Pushed: {version.path}" in shown.getvalue()


@pytest.mark.parametrize("records", [True, False])
def test_history_tells_what_a_killed_run_pushed(project: Project, tmp_path: Path, records: bool) -> None:
    config = load_configuration(project.configuration)
    with pytest.raises(StepFailed):
        run_pipeline(config, PlainConsole(file=io.StringIO()), Runner(tmp_path, _fail, records=records))
    (folder,) = project.runs.iterdir()
    (folder / Summary.FILE).unlink()  # as SIGKILL leaves it
    (past,) = read_history(folder.parents[1])
    assert (past.outcome, past.blessed) == ("killed", True)
    version = registry.latest(config.registry)
    assert version is not None
    assert past.pushed == version.path


def test_does_not_claim_a_push_that_did_not_happen(project: Project, tmp_path: Path) -> None:
    config = load_configuration(project.configuration)
    with pytest.raises(StepFailed):
        run_pipeline(config, PlainConsole(file=io.StringIO()), Runner(tmp_path, _fail, records=False))
    (folder,) = project.runs.iterdir()
    (folder / Summary.FILE).unlink()
    shutil.rmtree(config.registry)
    (past,) = read_history(folder.parents[1])
    assert past.pushed is None
