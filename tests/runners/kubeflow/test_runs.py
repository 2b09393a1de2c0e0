"""Runs and schedules on Kubeflow: the real client against an HTTP server that keeps state."""

import os
import signal
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.report.summary import Provenance
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from runners.kubeflow import runner as kubeflow
from runners.kubeflow.api import connected
from runners.kubeflow.runs import Pipeline
from runners.remote.remote import RunState
from schema.errors import Refused
from tests.end_to_end.command import command
from tests.runners.kubeflow.server import DROP, LOSE, KubeflowServer
from tests.support.refusals import refused_without
from tests.support.small_project import Project, make_project

_NIGHTLY = "0 3 * * *"
# The least that the server accepts as a pipeline; test_spec.py tests real ones.
_SPECIFICATION = b"pipelineInfo: {name: small}\nschemaVersion: 2.1.0\n"
_ANOTHER = b"pipelineInfo: {name: small}\nschemaVersion: 2.1.0\nsdkVersion: another\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("kubeflow-runs") / "project", rows=20)


@pytest.fixture
def server() -> Iterator[KubeflowServer]:
    with KubeflowServer() as server:
        yield server


def configure(project: Project, server: KubeflowServer, **settings: Any) -> Configuration:
    volume = {"claim": "project", "mount_path": str(project.folder)}
    api = {"endpoint": server.url, "ui": "https://ui.example", "request_retries": 0}
    project.configure(runner={"kubeflow": {"image": "bert", "volumes": [volume], **api, **settings}})
    return load_configuration(project.configuration)


def schedule(config: Configuration, cron: str = _NIGHTLY, specification: bytes = _SPECIFICATION) -> str:
    """Create the recurring run of a specification that needs no compiling; return its ID."""
    settings = config.runner.kubeflow
    assert settings is not None
    with connected(settings) as client:
        pipeline = Pipeline(client, config, settings)
        return str(pipeline.schedule(pipeline.upload(specification), cron).page).rpartition("/")[2]


def start(config: Configuration) -> str:
    """Start a run of a specification that needs no compiling; return its ID."""
    settings = config.runner.kubeflow
    assert settings is not None
    with connected(settings) as client:
        pipeline = Pipeline(client, config, settings)
        return pipeline.run(pipeline.upload(_SPECIFICATION)).name


def test_submits_shows_and_cancels_runs(
    project: Project, server: KubeflowServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.token = "secret"
    monkeypatch.setenv("KUBEFLOW_TOKEN", "secret")
    configure(project, server, token_from="KUBEFLOW_TOKEN", service_account="trainer", experiment="nightly")
    arguments = ("--runner", "kubeflow", "--config", str(project.configuration))

    assert command("submit", *arguments) == 0
    (run,) = server.runs.values()
    assert capsys.readouterr().out.splitlines() == [
        f"Run {run['run_id']}: waiting", f"https://ui.example/#/runs/details/{run['run_id']}"
    ]  # fmt: skip
    assert run["display_name"].startswith("small-20")
    assert run["service_account"] == "trainer"
    assert server.experiments[run["experiment_id"]]["display_name"] == "nightly"
    (version,) = server.versions.values()
    assert version["pipeline_spec"]["pipelineInfo"]["name"] == "small"

    assert command("submit", *arguments) == 2  # at most one run at a time
    assert f"run {run['run_id']} is in progress" in capsys.readouterr().err

    run["state"] = "FAILED"
    failed = {
        "task_id": "7",
        "display_name": "DataGate",
        "state": "FAILED",
        "error": {"code": 13, "message": "ended\n2"},
    }
    run["run_details"] = {"task_details": [failed]}
    assert command("status", run["run_id"], *arguments) == 0
    assert f"Run {run['run_id']}: failed: DataGate: ended 2" in capsys.readouterr().out

    assert command("submit", *arguments) == 0
    assert len(server.versions) == 1  # the pipeline has not changed
    new = list(server.runs)[1]
    provenance = Provenance.model_validate_json(server.runs[new]["runtime_config"]["parameters"]["provenance"])
    assert provenance.runner == f"Kubeflow Pipelines at {server.url}, image bert"
    assert provenance.user
    assert command("cancel", new, *arguments) == 0
    assert f"Run {new}: cancelling" in capsys.readouterr().out
    assert command("status", *arguments) == 0
    shown = capsys.readouterr().out
    assert shown.index(new) < shown.index(run["run_id"])
    assert command("cancel", run["run_id"], *arguments) == 0  # which has ended
    assert server.runs[run["run_id"]]["state"] == "FAILED"
    assert command("status", "nobody", *arguments) == 2
    assert "error: run nobody: there is none" in capsys.readouterr().err


def test_creates_pauses_and_deletes_schedules(
    project: Project, server: KubeflowServer, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(project, server)
    arguments = ("schedule", "--runner", "kubeflow", "--config", str(project.configuration))

    def output(*options: str) -> str:
        assert command(*arguments, *options) == 0
        return capsys.readouterr().out

    assert "there is none; --cron makes it" in output()
    assert "Schedule small: on, 0 3 * * *" in output("--cron", _NIGHTLY)
    (recurring,) = server.recurring.values()
    assert recurring["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}
    assert (recurring["max_concurrency"], recurring["no_catchup"]) == ("1", True) or (
        recurring["max_concurrency"],
        recurring["no_catchup"],
    ) == (1, True)
    assert "on, 0 3 * * *" in output()
    assert "paused" in output("--pause")
    assert server.enabled() == []
    assert "on, " in output("--resume")
    assert "deleted" in output("--delete")
    assert "there was none" in output("--delete")
    assert server.recurring == {}
    assert command(*arguments, "--pause") == 2
    assert "there is none; --cron makes it" in capsys.readouterr().err


def test_runs_and_schedules_carry_the_pipeline_root(project: Project, server: KubeflowServer) -> None:
    """No version of Kubeflow reads it from the specification: backend/src/v2/driver/root_dag.go, lines 97-113."""
    config = configure(project, server, pipeline_root="s3://bucket/root")
    start(config)
    scheduled = schedule(config)
    (run,) = server.runs.values()
    (recurring,) = server.recurring.values()
    assert run["runtime_config"]["pipeline_root"] == "s3://bucket/root"
    assert recurring["runtime_config"]["pipeline_root"] == "s3://bucket/root"
    assert schedule(configure(project, server, pipeline_root="s3://bucket/another")) != scheduled
    (recurring,) = server.recurring.values()
    assert recurring["runtime_config"]["pipeline_root"] == "s3://bucket/another"


def test_an_unchanged_schedule_is_kept(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server)
    first = schedule(config)
    assert schedule(config, "00  03 * * *") == first  # the same times
    assert schedule(config, "30 4 * * 1-5") != first
    assert [each["trigger"]["cron_schedule"]["cron"] for each in server.recurring.values()] == ["0 30 4 * * 1-5"]
    another = schedule(config, "30 4 * * 1-5", _ANOTHER)
    assert [each["recurring_run_id"] for each in server.enabled()] == [another]
    assert len(server.versions) == 2


def test_a_paused_schedule_stays_paused_when_it_changes(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server)
    schedule(config)
    assert kubeflow.pause_schedule(config, paused=True).paused
    schedule(config, "0 4 * * *")
    assert len(server.recurring) == 1
    assert server.enabled() == []


def test_a_run_outlives_the_schedule_that_started_it(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server)
    run = server.tick(schedule(config))
    schedule(config, "0 4 * * *")
    kubeflow.delete_schedule(config)
    assert kubeflow.status(config, run).state is RunState.WAITING
    assert [each.name for each in kubeflow.runs(config)] == [run]


@pytest.mark.parametrize("trouble", [DROP, 500])
def test_the_change_after_one_that_broke_off_leaves_one_schedule(
    project: Project, server: KubeflowServer, trouble: int
) -> None:
    config = configure(project, server)
    old = schedule(config)
    server.trouble = [("DELETE", trouble)]
    with pytest.raises(Refused):
        schedule(config, "0 4 * * *")
    assert old in server.recurring
    assert server.enabled() != []
    with pytest.raises(Refused, match=f"has left 2 of them .*{old}"):
        kubeflow.find_schedule(config)
    schedule(config, "0 4 * * *")
    assert [each["trigger"]["cron_schedule"]["cron"] for each in server.recurring.values()] == ["0 0 4 * * *"]
    assert len(server.enabled()) == 1


def test_pausing_deletes_what_a_killed_change_has_left(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server)
    schedule(config)
    server.trouble = [("DELETE", DROP)]
    with pytest.raises(Refused):
        schedule(config, "0 4 * * *")
    kubeflow.pause_schedule(config, paused=True)
    kubeflow.pause_schedule(config, paused=False)
    assert [each["trigger"]["cron_schedule"]["cron"] for each in server.enabled()] == ["0 0 4 * * *"]


@pytest.mark.parametrize(
    ("request_", "lost"), [("POST /recurringruns", LOSE), ("POST /recurringruns", DROP), ("POST /pipelines", DROP)]
)
def test_a_change_whose_answer_is_lost_is_not_made_twice(
    project: Project, server: KubeflowServer, request_: str, lost: int
) -> None:
    config = configure(project, server)
    server.trouble = [(request_, lost)]
    with pytest.raises(Refused):
        schedule(config)
    schedule(config)
    assert len(server.enabled()) == len(server.recurring) == len(server.pipelines) == 1


def test_an_interrupt_waits_for_the_end_of_a_change(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server)
    schedule(config)
    server.meanwhile = [("POST /recurringruns", lambda: os.kill(os.getpid(), signal.SIGINT))]
    # A shell lets what it starts in the background ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            schedule(config, "0 4 * * *")
    finally:
        signal.signal(signal.SIGINT, before)
    assert [each["trigger"]["cron_schedule"]["cron"] for each in server.enabled()] == ["0 0 4 * * *"]
    assert len(server.recurring) == 1


def test_leaves_a_recurring_run_of_another_pipeline_alone(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server)
    other = schedule(config)
    server.recurring[other]["pipeline_version_reference"] = {"pipeline_id": "theirs", "pipeline_version_id": "1"}
    schedule(config)
    assert kubeflow.delete_schedule(config)
    assert list(server.recurring) == [other]


def test_a_run_whose_answer_is_lost_is_not_started_twice(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server)
    server.trouble = [("POST /runs", LOSE)]
    assert [start(config)] == list(server.runs)


def test_retries_requests_to_a_busy_server(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server, request_retries=2)
    server.trouble = [("GET /pipelines", 503), ("POST /pipelines", 429), ("POST /runs", 503), ("GET /runs", DROP)]
    assert [start(config)] == list(server.runs)
    assert not server.trouble


def test_finds_runs_on_every_page_of_the_list(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server)
    first = server.tick(schedule(config))
    for number in range(230):
        # Runs of another pipeline in the same experiment.
        server.runs[str(number)] = server.runs[first] | {
            "run_id": str(number), "created_at": f"2026-02-01T00:{number // 60:02}:{number % 60:02}Z",
            "pipeline_version_reference": {"pipeline_id": "theirs", "pipeline_version_id": "1"},
        }  # fmt: skip
    assert [run.name for run in kubeflow.runs(config)] == [first]


def test_asks_for_a_namespace_where_there_are_several_users(project: Project) -> None:
    with KubeflowServer(multi_user=True) as server:
        with pytest.raises(Refused, match=r"runner\.kubeflow\.namespace: .* has several users"):
            kubeflow.runs(configure(project, server))
        config = configure(project, server, namespace="team")
        schedule(config)
        assert [each["namespace"] for each in server.pipelines.values()] == ["team"]
        assert [each["namespace"] for each in server.experiments.values()] == ["team"]
        assert kubeflow.find_schedule(config) is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"endpoint": None}, "runner.kubeflow.endpoint: not set"),
        (
            {"endpoint": "http://127.0.0.1:1"},
            "http://127.0.0.1:1: cannot be reached; check runner.kubeflow.endpoint",
        ),
        (
            {"token_from": "NO_SUCH_TOKEN"},
            "runner.kubeflow.token_from: the environment variable that it names is not set",
        ),
        ({"token_file": "/nowhere"}, "runner.kubeflow.token_file /nowhere: cannot be read: No such file"),
        ({}, "not authenticated (401: Unauthenticated: Request header error"),
    ],
)
def test_refuses_in_one_line_what_it_cannot_reach(
    project: Project, server: KubeflowServer, settings: dict[str, Any], message: str
) -> None:
    server.token = "another"
    with pytest.raises(Refused) as refused:
        kubeflow.runs(configure(project, server, **settings))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "not allowed (403: trouble); ask for the role"),
        (404, "refused (404: trouble)"),
        (500, "refused (500"),
    ],
)
def test_refuses_in_the_words_of_the_server(
    project: Project, server: KubeflowServer, status: int, message: str
) -> None:
    config = configure(project, server)
    server.trouble = [("GET /pipelines", status)]
    with pytest.raises(Refused) as refused:
        kubeflow.runs(config)
    assert message in str(refused.value)


def test_stops_waiting_for_a_server_that_does_not_answer(project: Project, server: KubeflowServer) -> None:
    config = configure(project, server, request_timeout_s=0.2)
    answered = threading.Event()
    server.meanwhile = [("GET /healthz", lambda: answered.wait(20))]
    with pytest.raises(Refused, match=r"has not answered within 0.2 s \(runner\.kubeflow\.request_timeout_s\)"):
        kubeflow.runs(config)
    answered.set()


def write_certificate(file: Path) -> None:
    """Write a key for 127.0.0.1 and its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubeflow")]), datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + signed.public_bytes(encoding))


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_refuses_a_certificate_of_an_unknown_authority(
    project: Project, server: KubeflowServer, tmp_path: Path
) -> None:
    certificate = tmp_path / "ca.pem"
    write_certificate(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with KubeflowServer() as secure:
        secure.encrypt(context)
        endpoint = secure.url.replace("http://", "https://")
        with pytest.raises(Refused, match="certificate is not trusted"):
            kubeflow.runs(configure(project, server, endpoint=endpoint))
        assert kubeflow.runs(configure(project, server, endpoint=endpoint, ca_file=str(certificate))) == []
        assert kubeflow.runs(configure(project, server, endpoint=endpoint, verify=False)) == []


def test_refuses_a_missing_endpoint_before_tensorflow_is_imported(project: Project, server: KubeflowServer) -> None:
    configure(project, server, endpoint=None)
    arguments = ("submit", "--runner", "kubeflow", "--config", str(project.configuration))
    line = refused_without(("tensorflow", "tfx", "keras"), *arguments)
    assert line.startswith("error: runner.kubeflow.endpoint: not set")
