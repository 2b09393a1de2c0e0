"""The webhook at the end of a run, against a real server: what it is told, and that its troubles stay its own."""

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.report.summary import Summary, failed_summary
from pipeline.config.loading import load_configuration
from pipeline.config.notify import NotifySettings
from pipeline.notify import announced
from pipeline.running import StepFailed
from schema.errors import Refused
from tests.end_to_end.command import command
from tests.support.hook import HANG, Hook
from tests.support.small_project import Project, make_project


@contextmanager
def ends_with(error: Exception | None) -> Iterator[None]:
    """What is inside raises this very error, or none."""
    if error is None:
        yield
        return
    with pytest.raises(type(error)) as raised:
        yield
    assert raised.value is error


def told(settings: dict[str, Any], run: Path | None = None, error: Exception | None = None, **ending: Any) -> str:
    """Ends a run; returns what was shown."""
    shown = io.StringIO()
    console = Console(file=shown, width=300)
    with ends_with(error), announced(NotifySettings.model_validate(settings), "mine", console) as found:
        found.run = None if run is None else str(run)
        for name, value in ending.items():
            setattr(found, name, value)
        if error is not None:
            raise error
    assert "SECRET" not in shown.getvalue()
    return shown.getvalue().strip()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    Summary(outcome="blessed", blessed=True, pushed="/registry/1", reasons=[]).write(str(tmp_path))
    return tmp_path


def test_the_payload_is_the_summary_and_how_it_ended(run: Path) -> None:
    with Hook() as hook:
        assert told({"url": hook.url}, run) == ""
    (payload,) = hook.told
    summary = payload.pop("summary")
    assert Summary.model_validate(summary) == Summary(outcome="blessed", blessed=True, pushed="/registry/1", reasons=[])
    assert payload == {
        "pipeline": "mine", "outcome": "blessed", "exit_status": 0, "run": str(run), "reasons": [],
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
def test_an_error_is_told_and_goes_on_its_way(error: Exception, outcome: str, status: int, reason: str) -> None:
    with Hook() as hook:
        told({"url": hook.url}, error=error)
    (payload,) = hook.told
    assert (payload["outcome"], payload["exit_status"], payload["reasons"]) == (outcome, status, [reason])
    assert payload["run"] is payload["summary"] is None


def test_a_model_that_is_not_blessed_and_a_run_with_nothing_new(tmp_path: Path) -> None:
    failed_summary("macro_f1 is 0", "not_blessed").write(str(tmp_path))
    with Hook() as hook:
        told({"url": hook.url}, tmp_path)
        failed_summary("macro_f1 is 0", "no_new_data").write(str(tmp_path))
        told({"url": hook.url}, tmp_path)
    assert [(payload["outcome"], payload["exit_status"], payload["reasons"]) for payload in hook.told] == [
        ("not_blessed", 3, ["macro_f1 is 0"]), ("no_new_data", 0, ["macro_f1 is 0"]),
    ]  # fmt: skip


def test_only_what_was_asked_for_is_told(run: Path) -> None:
    with Hook() as hook:
        told({"url": hook.url, "outcomes": ["failed", "refused"]}, run)
    assert hook.told == []


def test_a_server_that_is_busy_is_asked_again(run: Path) -> None:
    with Hook([500, 503]) as hook:
        assert told({"url": hook.url, "retries": 2}, run) == ""
    assert len(hook.told) == 3
    assert hook.told[0] == hook.told[2]


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
def test_what_cannot_be_told_is_one_line(
    run: Path, statuses: list[int], retries: int, line: str, requests: int
) -> None:
    started = time.monotonic()
    with Hook(statuses) as hook:
        assert told({"url": hook.url, "retries": retries, "timeout_s": 0.3}, run) == line
        assert time.monotonic() - started < 5
    assert len(hook.told) == requests


def test_a_server_that_is_not_there(run: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/SECRET"
    assert told({"url": url, "retries": 0}, run) == "Not notified: 127.0.0.1 cannot be reached"
    line = told({"url": "http://nowhere.invalid/SECRET", "retries": 0}, run)
    assert line == "Not notified: nowhere.invalid cannot be reached"


def test_address_and_secret_from_the_environment(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # What ~/.netrc says of the host must not take the header's place.
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Hook() as hook:
        settings = {"url_from": "HOOK_URL", "secret_from": "HOOK_TOKEN", "retries": 0}
        assert told(settings, run) == "Not notified: the environment variable that notify.url_from names is not set"
        monkeypatch.setenv("HOOK_URL", hook.url)
        assert told(settings, run) == "Not notified: the environment variable that notify.secret_from names is not set"
        monkeypatch.setenv("HOOK_TOKEN", "Bearer SECRET\n")
        assert told(settings, run) == ""
        assert told(settings | {"secret_header": "X-Token"}, run) == ""
        monkeypatch.setenv("HOOK_TOKEN", "SECRET\nX-Other: 1")
        assert told(settings, run) == "Not notified: 127.0.0.1 cannot be asked (ValueError)"
        monkeypatch.setenv("HOOK_URL", "SECRET")
        assert "holds no http:// or https:// address" in told(settings, run)
    assert [headers.get("Authorization") for headers in hook.headers] == ["Bearer SECRET", None]
    assert hook.headers[1]["X-Token"] == "Bearer SECRET"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", rows=20)


@pytest.mark.parametrize(
    ("notify", "message"),
    [
        ("https://host/T0SECRET", "key 'notify': write `url: https://...` below it"),
        ({"url": "ftp://host/T0SECRET"}, "key 'notify.url': is no http:// or https:// address"),
        ({"url": "https://[T0SECRET"}, "key 'notify.url': is no http:// or https:// address"),
        ({"url": ["T0SECRET"]}, "key 'notify.url': is no text"),
        ({}, "key 'notify': give one of url and url_from"),
        ({"url": "https://host/T0SECRET", "url_from": "A"}, "key 'notify': give one of url and url_from"),
        ({"url_from": "https://host/T0SECRET"}, "key 'notify.url_from': is no name of an environment variable"),
        ({"url": "https://host/T0SECRET", "timeout": 3}, "unknown key 'notify.timeout'; did you mean 'timeout_s'?"),
        ({"url": "https://host/T0SECRET", "outcomes": ["fail"]}, "key 'notify.outcomes[0]': Input should be 'blessed'"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_and_not_shown(project: Project, notify: Any, message: str) -> None:
    project.configure(notify=notify)
    with pytest.raises(Refused) as refused:
        load_configuration(project.configuration)
    assert message in str(refused.value)
    assert "SECRET" not in str(refused.value)


def test_a_configuration_does_not_show_the_address(project: Project) -> None:
    project.configure(notify={"url": "https://host/T0SECRET"})
    config = load_configuration(project.configuration)
    assert "SECRET" not in repr(config) + config.model_dump_json()


def test_a_run_that_is_refused_before_it_has_a_folder_is_told_of(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    with Hook() as hook:
        project.configure(notify={"url": hook.url})
        project.data.unlink()
        assert command("run", "--config", str(project.configuration)) == 2
        assert command("check", "--config", str(project.configuration)) == 2
    (payload,) = hook.told
    assert payload["outcome"] == "refused"
    assert "no file matches" in payload["reasons"][0]

    # A webhook that is gone changes nothing but the last line.
    assert command("run", "--config", str(project.configuration), "--set", "notify.retries=0") == 2
    shown = capfd.readouterr()
    assert shown.out.strip().splitlines()[-1] == "Not notified: 127.0.0.1 cannot be reached"
    assert "SECRET" not in shown.out + shown.err
