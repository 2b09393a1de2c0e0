"""Tests of the webhook against a real server: its payload, and that its failures do not change the run."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.report.summary import Summary, failed_summary
from pipeline.config.loading import load_configuration
from pipeline.config.notify import NotifySettings
from pipeline.errors import StepFailed
from pipeline.notify import notified
from schema.errors import Refused
from tests.end_to_end.command import command
from tests.support.hook import HANG, Hook
from tests.support.small_project import Project, make_project

_BLESSED = Summary(
    outcome="blessed", attention=["F1 below 0.3: grief (0.090)"], blessed=True, pushed="/registry/1", reasons=[]
)


@contextmanager
def raises(error: Exception | None) -> Iterator[None]:
    """Assert that the block raises this very error, or none."""
    if error is None:
        yield
        return
    with pytest.raises(type(error)) as raised:
        yield
    assert raised.value is error


def end_run(settings: dict[str, Any], folder: Path | None = None, error: Exception | None = None) -> str:
    """End a run, with an error or without; return what the console shows."""
    shown = io.StringIO()
    console = Console(file=shown, width=300)
    with raises(error), notified(NotifySettings.model_validate(settings), "mine", console) as run:
        if folder is not None:
            run.folder, run.summary = str(folder), Summary.read(str(folder))
        if error is not None:
            raise error
    assert "SECRET" not in shown.getvalue()
    return shown.getvalue().strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of a run whose model was blessed and pushed."""
    _BLESSED.write(str(tmp_path))
    return tmp_path


def test_payload_holds_summary_and_outcome(folder: Path) -> None:
    with Hook() as hook:
        assert end_run({"url": hook.url}, folder) == ""
    (payload,) = hook.received
    summary = payload.pop("summary")
    assert Summary.model_validate(summary) == _BLESSED
    assert payload == {
        "pipeline": "mine", "outcome": "blessed", "exit_status": 0, "run": str(folder), "reasons": [],
        "attention": ["F1 below 0.3: grief (0.090)"],
    }  # fmt: skip
    assert "Authorization" not in hook.headers[0]


@pytest.mark.parametrize(
    ("error", "outcome", "status", "reason"),
    [
        (Refused("no such file"), "refused", 2, "no such file"),
        (StepFailed("Trainer", ValueError("nan")), "failed", 1, "Trainer failed: ValueError: nan"),
        (ZeroDivisionError("a\nb"), "failed", 1, "ZeroDivisionError: a b"),
    ],
)
def test_notifies_of_an_error_and_lets_it_pass(error: Exception, outcome: str, status: int, reason: str) -> None:
    with Hook() as hook:
        end_run({"url": hook.url}, error=error)
    (payload,) = hook.received
    assert (payload["outcome"], payload["exit_status"], payload["reasons"]) == (outcome, status, [reason])
    assert payload["run"] is payload["summary"] is None


def test_the_outcome_is_that_of_the_summary(tmp_path: Path) -> None:
    with Hook() as hook:
        for outcome in ("not_blessed", "no_new_data"):
            failed_summary("macro_f1 is 0", outcome).write(str(tmp_path))
            end_run({"url": hook.url}, tmp_path)
    assert [(payload["outcome"], payload["exit_status"], payload["reasons"]) for payload in hook.received] == [
        ("not_blessed", 3, ["macro_f1 is 0"]), ("no_new_data", 0, ["macro_f1 is 0"]),
    ]  # fmt: skip


def test_notifies_only_of_the_configured_outcomes(folder: Path) -> None:
    with Hook() as hook:
        end_run({"url": hook.url, "outcomes": ["failed", "refused"]}, folder)
    assert hook.received == []


def test_retries_while_the_server_is_busy(folder: Path) -> None:
    with Hook([500, 503]) as hook:
        assert end_run({"url": hook.url, "retries": 2}, folder) == ""
    assert len(hook.received) == 3
    assert hook.received[0] == hook.received[2]


@pytest.mark.parametrize(
    ("statuses", "retries", "line", "requests"),
    [
        ([500, 500], 1, "Not notified: 127.0.0.1 has answered 500, 2 times", 2),
        ([404], 3, "Not notified: 127.0.0.1 has answered 404", 1),
        # A redirect could carry the secret elsewhere.
        ([307], 3, "Not notified: 127.0.0.1 has answered 307", 1),
        ([HANG], 0, "Not notified: 127.0.0.1 has not answered within 0.3 s", 1),
    ],
)
def test_a_failed_notification_is_shown_in_one_line(
    folder: Path, statuses: list[int], retries: int, line: str, requests: int
) -> None:
    started = time.monotonic()
    with Hook(statuses) as hook:
        assert end_run({"url": hook.url, "retries": retries, "timeout_s": 0.3}, folder) == line
        assert time.monotonic() - started < 5
    assert len(hook.received) == requests


def test_a_server_that_sends_a_byte_now_and_then_does_not_hold_the_run(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle() -> None:
            connection, _ = listening.accept()
            with suppress(OSError), connection:
                for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.1)

        threading.Thread(target=trickle, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        started = time.monotonic()
        line = end_run({"url": url, "retries": 0, "timeout_s": 0.5}, folder)
    assert line == "Not notified: 127.0.0.1 has not answered within 0.5 s"
    assert time.monotonic() - started < 5


def test_shows_that_a_server_cannot_be_reached(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/SECRET"
    assert end_run({"url": url, "retries": 0}, folder) == "Not notified: 127.0.0.1 cannot be reached"
    line = end_run({"url": "http://nowhere.invalid/SECRET", "retries": 0}, folder)
    assert line == "Not notified: nowhere.invalid cannot be reached"


def test_reads_address_and_secret_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The credentials of ~/.netrc for this host must not replace the header.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Hook() as hook:
        settings = {"url_from": "HOOK_URL", "secret_from": "HOOK_TOKEN", "retries": 0}
        not_set = "Not notified: the environment variable that notify.{} names is not set"
        assert end_run(settings, folder) == not_set.format("url_from")
        monkeypatch.setenv("HOOK_URL", hook.url)
        assert end_run(settings, folder) == not_set.format("secret_from")
        monkeypatch.setenv("HOOK_TOKEN", "Bearer SECRET\n")
        assert end_run(settings, folder) == ""
        assert end_run(settings | {"secret_header": "X-Token"}, folder) == ""
        monkeypatch.setenv("HOOK_TOKEN", "SECRET\nX-Other: 1")
        assert end_run(settings, folder) == "Not notified: 127.0.0.1 cannot be asked (ValueError)"
        monkeypatch.setenv("HOOK_URL", "SECRET")
        assert "holds no http:// or https:// address" in end_run(settings, folder)
    assert [headers.get("Authorization") for headers in hook.headers] == ["Bearer SECRET", None]
    assert hook.headers[1]["X-Token"] == "Bearer SECRET"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", rows=20)


@pytest.mark.parametrize(
    ("notify", "message"),
    [
        ("https://host/T0SECRET", "key 'notify': write `url: https://...` below it"),
        ({"url": "ftp://host/T0SECRET"}, "key 'notify.url': is not an http:// or https:// address"),
        ({"url": "https://[T0SECRET"}, "key 'notify.url': is not an http:// or https:// address"),
        ({"url": ["T0SECRET"]}, "key 'notify.url': is not a string"),
        ({}, "key 'notify': give one of url and url_from"),
        ({"url": "https://host/T0SECRET", "url_from": "A"}, "key 'notify': give one of url and url_from"),
        ({"url_from": "https://host/T0SECRET"}, "key 'notify.url_from': is not a name of an environment variable"),
        ({"url": "https://host/T0SECRET", "timeout": 3}, "unknown key 'notify.timeout'; did you mean 'timeout_s'?"),
        ({"url": "https://host/T0SECRET", "outcomes": ["fail"]}, "key 'notify.outcomes[0]': Input should be 'blessed'"),
    ],
)  # fmt: skip
def test_refuses_invalid_settings_without_showing_them(project: Project, notify: Any, message: str) -> None:
    project.configure(notify=notify)
    with pytest.raises(Refused) as refused:
        load_configuration(project.configuration)
    assert message in str(refused.value)
    assert "SECRET" not in str(refused.value)


def test_a_configuration_does_not_show_the_address(project: Project) -> None:
    project.configure(notify={"url": "https://host/T0SECRET"})
    config = load_configuration(project.configuration)
    assert "SECRET" not in repr(config) + config.model_dump_json()


def test_notifies_of_a_run_that_is_refused_before_it_has_a_folder(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    with Hook() as hook:
        project.configure(notify={"url": hook.url})
        project.data.unlink()
        assert command("run", "--config", str(project.configuration)) == 2
        assert command("check", "--config", str(project.configuration)) == 2
    (payload,) = hook.received
    assert payload["outcome"] == "refused"
    assert "no file matches" in payload["reasons"][0]

    # A webhook that is gone changes nothing but the last line.
    assert command("run", "--config", str(project.configuration), "--set", "notify.retries=0") == 2
    shown = capfd.readouterr()
    assert shown.out.strip().splitlines()[-1] == "Not notified: 127.0.0.1 cannot be reached"
    assert "SECRET" not in shown.out + shown.err
