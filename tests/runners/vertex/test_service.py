"""Runs and schedules on Vertex AI: Google's own client against a local server that keeps state."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.vertex_push import service
from pipeline.config.concurrency import ConcurrencySettings
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from runners.remote.remote import RunState
from runners.vertex import runner as vertex
from runners.vertex.job import build_job
from runners.vertex.runs import parse_job
from schema.errors import Refused
from tests.end_to_end.command import command
from tests.runners.vertex.test_spec import VERTEX
from tests.support.google_account import log_in
from tests.support.small_project import Project, make_project
from tests.support.vertex_server import PARENT, VertexServer, written

_NIGHTLY = "0 3 * * *"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("vertex-service") / "project", rows=20)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VertexServer]:
    log_in(tmp_path, monkeypatch)
    monkeypatch.setattr(service, "PATIENCE_S", 0.1)
    with VertexServer() as server:
        yield server


@pytest.fixture
def config(project: Project, server: VertexServer) -> Configuration:
    return configure(project, server)


def configure(project: Project, server: VertexServer, **changes: object) -> Configuration:
    project.configure(runner={"vertex": {**VERTEX, "api_endpoint": server.url, **changes}}, name="small")
    return load_configuration(project.configuration)


def arguments(project: Project) -> tuple[str, ...]:
    return "--runner", "vertex", "--config", str(project.configuration)


def test_submits_shows_and_cancels_runs(
    project: Project, config: Configuration, server: VertexServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("submit", *arguments(project)) == 0
    (job,) = server.jobs.values()
    run = job.name.rpartition("/")[2]
    page = f"https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/{run}?project=my-project"
    assert capsys.readouterr().out.splitlines() == [f"Run {run}: waiting", page]
    assert run.startswith("small-20")
    # What is compiled is sent as it is.
    compiled, sent = written(parse_job(build_job(config))), written(job)
    for each in (compiled, sent):  # the command that starts the run is another one here
        assert json.loads(each["runtimeConfig"]["parameterValues"].pop("provenance"))["runner"].startswith("Vertex AI")
    assert compiled.items() <= sent.items()
    assert set(written(job)) - set(compiled) == {"name", "state", "createTime"}

    assert command("status", *arguments(project)) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{run} │ waiting │ 2026-11-23 12:00" in shown
    assert command("cancel", *arguments(project), run) == 0
    assert command("status", *arguments(project), run) == 0
    assert capsys.readouterr().out.splitlines() == [f"Run {run}: cancelled", page] * 2


def test_refuses_a_second_run_before_it_is_created(
    project: Project, config: Configuration, server: VertexServer, capsys: pytest.CaptureFixture[str]
) -> None:
    first = vertex.submit(config)
    assert command("submit", *arguments(project)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: pipeline small: run {first.name} is in progress")
    assert len(server.jobs) == 1


def test_lists_the_pipeline_s_own_runs_newest_first(config: Configuration, server: VertexServer) -> None:
    job = parse_job(build_job(config))
    for number in range(23):
        server.start(PARENT, f"small-{number}", job)
    job.pipeline_spec["pipelineInfo"]["name"] = "smaller"
    server.start(PARENT, "small-99", job)
    assert [run.name for run in vertex.runs(config)] == [f"small-{number}" for number in range(22, 2, -1)]


def test_shows_which_step_of_a_run_failed_and_why(config: Configuration, server: VertexServer) -> None:
    run = vertex.submit(config).name
    server.end(run, "FAILED", Trainer="The replica workerpool0-0\nexited with a non-zero status of 2.")
    found = vertex.status(config, run)
    assert found.state is RunState.FAILED
    assert found.error == "step Trainer: The replica workerpool0-0 exited with a non-zero status of 2"
    # Vertex AI's list has no steps.
    (listed,) = vertex.runs(config)
    assert listed.error == "The DAG failed because some tasks failed: ['Trainer']"
    assert vertex.cancel(config, run).state is RunState.FAILED
    assert not any("cancel" in request for request in server.requests)


@pytest.mark.parametrize(
    ("state", "expected"),
    [("QUEUED", "waiting"), ("RUNNING", "running"), ("CANCELLING", "cancelling"), ("SUCCEEDED", "succeeded"),
     ("PAUSED", "waiting"), ("UNSPECIFIED", "unknown")],
)  # fmt: skip
def test_translates_states_of_runs(config: Configuration, server: VertexServer, state: str, expected: str) -> None:
    server.start(PARENT, "r1", parse_job(_JOB))
    server.end("r1", state)
    assert vertex.status(config, "r1").state == expected


def test_creates_a_schedule_once_and_then_changes_it(
    project: Project, server: VertexServer, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(project, server, time_zone="Europe/Berlin")
    assert command("schedule", *arguments(project)) == 0
    assert capsys.readouterr().out == "Schedule small: there is none; --cron makes it\n"

    assert command("schedule", *arguments(project), "--cron", _NIGHTLY) == 0
    (schedule,) = server.schedules.values()
    first, page = capsys.readouterr().out.splitlines()
    assert first == "Schedule small: on, 0 3 * * * (Europe/Berlin), next 2026-11-24 03:00 CET"
    assert page.startswith("https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/schedules/10")
    assert schedule.cron == "TZ=Europe/Berlin 0 3 * * *"
    assert (schedule.max_concurrent_run_count, schedule.max_concurrent_active_run_count) == (1, 1)
    assert not schedule.allow_queueing
    request = schedule.create_pipeline_job_request
    assert request.parent == PARENT
    assert not request.pipeline_job_id  # each run needs an ID of its own
    assert request.pipeline_job.service_account == VERTEX["service_account"]

    # A change applies the present configuration; a paused schedule stays paused.
    assert command("schedule", *arguments(project), "--pause") == 0
    config = configure(project, server, service_account="other@my-project.iam.gserviceaccount.com")
    assert command("schedule", *arguments(project), "--cron", "30 4 * * 1") == 0
    assert capsys.readouterr().out.splitlines()[-2] == "Schedule small: paused, 30 4 * * 1 (UTC)"
    (changed,) = server.schedules.values()
    assert changed.name == schedule.name
    run = server.jobs[server.tick(changed.name)]
    assert run.service_account == "other@my-project.iam.gserviceaccount.com"
    assert [each.name for each in vertex.runs(config)] == [run.name.rpartition("/")[2]]


def test_pausing_resuming_and_deleting_are_idempotent(
    project: Project, config: Configuration, server: VertexServer, capsys: pytest.CaptureFixture[str]
) -> None:
    vertex.set_schedule(config, _NIGHTLY)
    for option, shown in (("--pause", "paused, 0 3 * * * (UTC)"), ("--resume", "on, 0 3 * * * (UTC), next 2026-11-24")):
        for _ in range(2):
            assert command("schedule", *arguments(project), option) == 0
            assert shown in capsys.readouterr().out
    server.slow = True  # a deletion is an operation that takes its time
    assert command("schedule", *arguments(project), "--delete") == 0
    assert command("schedule", *arguments(project), "--delete") == 0
    assert capsys.readouterr().out.splitlines() == ["Schedule small: deleted", "Schedule small: there was none"]
    assert not server.schedules
    assert command("schedule", *arguments(project), "--pause") == 2
    assert "there is none on Vertex AI; make it with --cron" in capsys.readouterr().err


def test_runs_of_a_schedule_wait_for_each_other_where_configured(project: Project, server: VertexServer) -> None:
    waiting = ConcurrencySettings(when_busy="wait")
    vertex.set_schedule(configure(project, server).model_copy(update={"concurrency": waiting}), _NIGHTLY)
    (schedule,) = server.schedules.values()
    assert schedule.allow_queueing


def test_refuses_to_choose_between_two_schedules_of_one_name(config: Configuration, server: VertexServer) -> None:
    vertex.set_schedule(config, _NIGHTLY)
    (schedule,) = server.schedules.values()
    server.create_schedule(PARENT, {key: value for key, value in written(schedule).items() if key != "name"}, {})
    with pytest.raises(Refused, match=r"schedule small: Vertex AI has 2 of this name \(\d+, \d+\); delete all but one"):
        vertex.delete_schedule(config)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (403, "Permission x denied", "no access (Permission x denied); grant the account roles/aiplatform.user on the"),
        (404, "Project my-project not found.", "not found (Project my-project not found); correct the name, project"),
        (429, "Quota exceeded for europe-west4.", "a quota is used up (Quota exceeded for europe-west4); wait"),
        (400, "Unsupported region.\nSee the list.", "refused (Unsupported region. See the list)"),
        (401, "Request had invalid credentials.", "run 'gcloud auth application-default login', or"),
        (503, "The service is unavailable.", "(The service is unavailable); try again later"),
    ],
)  # fmt: skip
def test_a_refusal_of_the_service_is_one_line(
    project: Project, server: VertexServer, status: int, error: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(project, server)
    with server.failing("/pipelineJobs", status, error):
        assert command("status", *arguments(project)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: Vertex AI, my-project in europe-west4: ")
    assert message in line


def test_an_unreachable_service_is_one_line(
    project: Project, server: VertexServer, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(project, server, api_endpoint="http://127.0.0.1:9")
    assert command("status", *arguments(project)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no answer from http://127.0.0.1:9 (" in line


def test_refuses_an_unknown_run_in_one_line(config: Configuration, server: VertexServer) -> None:
    for call in (vertex.status, vertex.cancel):
        with pytest.raises(Refused, match=r"run nowhere: not found \(.* does not exist\); correct the name"):
            call(config, "nowhere")
    assert not server.jobs


def test_refuses_missing_credentials_in_one_line_without_delay(
    project: Project, server: VertexServer, tmp_path: Path
) -> None:
    configure(project, server)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GOOGLE")}
    # Neither a metadata server to get credentials from, nor a login.
    environment |= {"NO_GCE_CHECK": "true", "HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", "status", *arguments(project)],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert not server.requests
    assert "no valid Google Cloud credentials" in line
    assert "run 'gcloud auth application-default login'" in line


def test_runs_a_pipeline_whose_name_starts_with_a_digit(config: Configuration) -> None:
    digit = config.model_copy(update={"name": "1st"})
    assert vertex.submit(digit).name.startswith("run-1st-20")


# The least that the server accepts as a run.
_JOB = {
    "pipelineSpec": {"pipelineInfo": {"name": "small"}, "schemaVersion": "2.1.0", "root": {}},
    "runtimeConfig": {"gcsOutputDirectory": "gs://bucket/root"},
}
