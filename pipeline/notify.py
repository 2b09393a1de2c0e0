"""Notification of a webhook when a run ends. A webhook that fails never changes how the run ends.

The address may itself be a secret, as those of chat services are. Only its host is ever shown, and no message of the
HTTP library, which would quote the address, is passed on.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text

from components.common.outcome import EXIT_STATUS, Outcome
from components.report.summary import Summary
from pipeline.config.notify import NotifySettings, is_address
from pipeline.errors import describe, outcome_of

# Answers besides 5xx after which another try may succeed: the server is busy, and the request is not wrong.
_RETRIED_STATUSES = (408, 425, 429)


@dataclass(frozen=True)
class Notification:
    """Content of a notification.

    Attributes:
        pipeline: Name of the pipeline.
        outcome: How the run ended.
        run: Where to look further: the run's folder, or its page; None: the run ended before it had one.
        reasons: Why it ended so.
        summary: Summary of the run; None if there is none.
    """

    pipeline: str
    outcome: Outcome
    run: str | None
    reasons: list[str]
    summary: Summary | None


@dataclass
class RunInProgress:
    """Run whose end a webhook will be notified of.

    Attributes:
        folder: The run's folder; None until it has one.
        summary: What came of the run; None until that is known. It does not depend on a file that a full disk may
            have kept from being written.
    """

    folder: str | None = None
    summary: Summary | None = None


@contextmanager
def notified(settings: NotifySettings | None, pipeline: str, console: Console) -> Iterator[RunInProgress]:
    """Notify the webhook of how the run in the block ended, then let an error pass.

    Args:
        settings: The webhook; None: nobody is notified.
        pipeline: Name of the pipeline.
        console: Where a failure to notify is shown.

    Yields:
        The run, whose folder and summary the block sets.
    """
    run = RunInProgress()
    try:
        yield run
    except BaseException as error:  # also an interruption, and SIGTERM
        if settings is not None:
            reasons = [describe(error)]
            send(settings, console, Notification(pipeline, outcome_of(error), run.folder, reasons, run.summary))
        raise
    if settings is not None:
        summary = run.summary
        assert summary is not None, "a run that no error ended has a summary"
        send(settings, console, Notification(pipeline, summary.outcome, run.folder, summary.reasons, summary))


def find_problem(settings: NotifySettings | None) -> str | None:
    """Return why this environment cannot call the webhook, or None if it can or none is configured."""
    if settings is None:
        return None
    for key, variable in (("url_from", settings.url_from), ("secret_from", settings.secret_from)):
        # The variable's name is not shown: it may be a secret that was written here by mistake.
        if variable is not None and not os.environ.get(variable, "").strip():
            return f"the environment variable that notify.{key} names is not set"
    if not is_address(_address(settings)):
        return "the environment variable that notify.url_from names holds no http:// or https:// address"
    return None


def send(settings: NotifySettings, console: Console, notification: Notification) -> None:
    """Send a notification, unless the webhook is not interested in this outcome; show a failure, never raise it."""
    if notification.outcome not in settings.outcomes:
        return
    summary = notification.summary
    payload = {
        "pipeline": notification.pipeline,
        "outcome": notification.outcome,
        "exit_status": EXIT_STATUS[notification.outcome],
        "run": notification.run,
        "reasons": notification.reasons,
        "attention": [] if summary is None else summary.attention,
        "summary": None if summary is None else json.loads(summary.model_dump_json()),
    }
    problem = find_problem(settings) or _post(settings, payload)
    if problem is not None:
        console.print(Text(f"Not notified: {problem}"), soft_wrap=True)


@dataclass(frozen=True)
class _Failure:
    """Failed try to call the webhook.

    Attributes:
        problem: What went wrong, a verb phrase whose subject is the host.
        retry: Whether another try may succeed.
    """

    problem: str
    retry: bool


def _post(settings: NotifySettings, payload: dict[str, Any]) -> str | None:
    """Post the payload, several times if needed; return what went wrong, or None if it arrived."""
    import tenacity

    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(settings.retries + 1),
        wait=tenacity.wait_exponential(max=30),
        retry=tenacity.retry_if_result(lambda failure: failure is not None and failure.retry),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome is not None else None,
    )
    failure = retrying(_try_post, settings, payload)
    if failure is None:
        return None
    tries = retrying.statistics["attempt_number"]
    host = urlsplit(_address(settings)).hostname
    return f"{host} {failure.problem}" + (f", {tries} times" if tries > 1 else "")


def _try_post(settings: NotifySettings, payload: dict[str, Any]) -> _Failure | None:
    """Post the payload once.

    In a thread, since the timeout of requests is one of each read: a server that sends a byte now and then would hold
    the run for ever, and so would a name server. A thread that is left behind does not keep the process from ending.
    """
    outcomes: list[_Failure | None] = []
    thread = threading.Thread(target=lambda: outcomes.append(_ask_server(settings, payload)), daemon=True)
    thread.start()
    thread.join(settings.timeout_s)
    return outcomes[0] if outcomes else _late(settings)


def _ask_server(settings: NotifySettings, payload: dict[str, Any]) -> _Failure | None:
    import requests

    def add_secret(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Passed as `auth`: otherwise requests would overwrite the header with what it finds in ~/.netrc.
        if settings.secret_from is not None:
            request.headers[settings.secret_header] = os.environ[settings.secret_from].strip()
        return request

    try:
        # No redirect is followed: it could carry the secret elsewhere. The body is not read: only the status matters.
        with requests.post(
            _address(settings), json=payload, timeout=settings.timeout_s, auth=add_secret, allow_redirects=False,
            stream=True,
        ) as response:  # fmt: skip
            status = response.status_code
    except requests.Timeout:
        return _late(settings)
    except requests.ConnectionError:
        return _Failure("cannot be reached", retry=True)
    except Exception as error:  # only its type: its message quotes the address
        return _Failure(f"cannot be asked ({type(error).__name__})", retry=False)
    if 200 <= status < 300:
        return None
    return _Failure(f"has answered {status}", retry=status >= 500 or status in _RETRIED_STATUSES)


def _late(settings: NotifySettings) -> _Failure:
    return _Failure(f"has not answered within {settings.timeout_s:g} s", retry=True)


def _address(settings: NotifySettings) -> str:
    if settings.url is not None:
        return settings.url.get_secret_value()
    return os.environ[settings.url_from or ""].strip()
