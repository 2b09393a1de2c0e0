"""Messages about a Flink cluster that cannot take a job, and about a job that failed there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from pipeline.config.beam import BeamSettings
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from pipeline.errors import StepFailed
from runners.beam.flink import check_cluster, explained
from schema.errors import Refused
from tests.support.http_server import HttpServer, Reply, Request
from tests.support.small_project import make_project

_OVERVIEW = {"flink-version": "1.19.3", "slots-total": 4, "taskmanagers": 2}
_PYTHON_TRACE = """java.lang.Exception: The user defined 'open()' method caused an exception
Caused by: java.lang.RuntimeException: Error received from SDK harness: Traceback (most recent call last):
  File "sdk_worker.py", line 311, in _execute
    response = task()
  File "executor.py", line 150, in process
    with open_table(file.path) as table:
FileNotFoundError: [Errno 2] No such file or directory: '/tmp/rows.csv' [while running 'Read']

\tat org.apache.beam.runners.fnexecution.control.FnApiControlClient.handle(FnApiControlClient.java:180)
"""
_JAVA_TRACE = """org.apache.flink.runtime.JobException: Recovery is suppressed by FixedDelayRestartBackoffTimeStrategy
\tat org.apache.flink.runtime.executiongraph.failover.ExecutionFailureHandler.handleFailure(Handler.java:176)
Caused by: org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException: Could not acquire the minimum \
required resources.
"""


class Flink(HttpServer):
    """Server that answers as Flink's REST API does.

    Args:
        answers: Answers by path.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__()
        self._answers = answers

    def answer(self, request: Request) -> Reply:
        """Return the answer for the path."""
        return Reply(body=self._answers[request.path])


@pytest.fixture
def jar(tmp_path: Path) -> str:
    (tmp_path / "job.jar").touch()
    return str(tmp_path / "job.jar")


def _settings(address: str, jar: str, workers: int = 2) -> BeamSettings:
    flink = {"address": address, "job_server_jar": jar, "check_s": 2}
    return BeamSettings.model_validate({"runner": "flink", "workers": workers, "flink": flink})


def _refused(settings: BeamSettings) -> str:
    with pytest.raises(Refused) as refused:
        check_cluster(settings)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_accepts_a_cluster_that_can_take_the_jobs(jar: str) -> None:
    with Flink({"/overview": _OVERVIEW}) as flink:
        check_cluster(_settings(flink.url, jar))


def test_refuses_an_address_where_nothing_answers(jar: str) -> None:
    with Flink({}) as flink:
        pass
    assert (
        f"beam.flink.address {flink.url}: no Flink answers there (ConnectionError); scripts/flink.sh start"
        in _refused(_settings(flink.url, jar))
    )


def test_refuses_another_version_of_flink(jar: str) -> None:
    with Flink({"/overview": _OVERVIEW | {"flink-version": "2.2.0"}}) as flink:
        assert "is Flink 2.2.0; Beam's classes here are for 1.19" in _refused(_settings(flink.url, jar))


def test_refuses_a_cluster_with_too_few_slots(jar: str) -> None:
    with Flink({"/overview": _OVERVIEW}) as flink:
        refusal = _refused(_settings(flink.url, jar, workers=5))
    assert "beam.workers is 5, but Flink at" in refusal
    assert "has 4 slots; start TaskManagers (scripts/flink.sh start), or lower it" in refusal


def test_refuses_a_missing_jar() -> None:
    refusal = _refused(_settings("http://localhost:1", "/nowhere/job.jar"))
    assert refusal == "beam.flink.job_server_jar /nowhere/job.jar: does not exist"


def _configuration(address: str, folder: Path) -> Configuration:
    project = make_project(folder / "project", rows=3)
    return load_configuration(project.configuration, ["beam.runner=flink", f"beam.flink.address={address}"])


def _failure(cause: Exception) -> StepFailed:
    failure = StepFailed("Transform", cause)
    failure.__cause__ = cause
    return failure


@pytest.mark.parametrize(
    ("trace", "cause", "advice"),
    [
        (
            _PYTHON_TRACE,
            "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/rows.csv'",
            "sees the same files",
        ),
        (_JAVA_TRACE, "Could not acquire the minimum required resources", "start the TaskManagers that are missing"),
        ("java.lang.IllegalStateException: Process died with exit code 1", "Process died", "beam.flink.worker"),
        ('Caused by: java.io.IOException: Cannot run program "/a/worker": error=2', "Cannot run", "beam.flink.worker"),
        ("java.lang.IllegalArgumentException: of its own kind", "of its own kind", "see Flink's page and logs"),
    ],
)
def test_explains_a_failed_job_in_one_line(tmp_path: Path, trace: str, cause: str, advice: str) -> None:
    jobs = [
        {"jid": "older", "name": "small", "start-time": 1, "state": "FINISHED"},
        {"jid": "newest", "name": "small", "start-time": 2, "state": "FAILED"},
        {"jid": "another", "name": "somebody's", "start-time": 3, "state": "RUNNING"},
    ]
    answers = {"/jobs/overview": {"jobs": jobs}, "/jobs/newest/exceptions": {"root-exception": trace}}
    with Flink(answers) as flink:
        failure = explained(_configuration(flink.url, tmp_path), _failure(RuntimeError("Pipeline failed in state")))
    assert str(failure).startswith("Transform failed: ")
    assert cause in str(failure)
    assert advice in str(failure)
    assert "\n" not in str(failure)


def test_explains_a_jobmanager_that_no_longer_answers(tmp_path: Path) -> None:
    with Flink({}) as flink:
        pass
    failure = explained(_configuration(flink.url, tmp_path), _failure(requests.ConnectionError("refused")))
    assert "no longer answers; start it again (scripts/flink.sh start) and run again" in str(failure)


@pytest.mark.parametrize("cause", [MemoryError("no memory"), RuntimeError("a step of its own")])
def test_leaves_failures_alone_that_no_job_caused(tmp_path: Path, cause: Exception) -> None:
    failure = _failure(cause)
    assert explained(_configuration("http://localhost:1", tmp_path), failure) is failure
