"""Tells a webhook how a run has ended. What becomes of that never changes how the run has ended.

An address may itself be a secret (a chat's webhooks are), so of it only the host is ever shown, and no message of the
HTTP library, which would quote it, is passed on.
"""

import json
import os
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
from pipeline.running import StepFailed
from schema.errors import Refused

# What may be better in a moment: the server is busy or broken, not the request wrong.
_WORTH_ANOTHER_TRY = (408, 425, 429)


@dataclass
class Ending:
    """How a run ends, filled in as it becomes known.

    Attributes:
        run: The run's folder; None if it ended before it had one.
    """

    run: str | None = None

    @property
    def summary(self) -> Summary | None:
        """As written in the folder; None if the run did not come so far."""
        try:
            return None if self.run is None else Summary.read(self.run)
        except FileNotFoundError:
            return None

    @property
    def outcome(self) -> Outcome:
        """Of a run that no error has ended."""
        summary = self.summary
        return "not_blessed" if summary is None else summary.outcome


@dataclass(frozen=True)
class Told:
    """What a webhook is told.

    Attributes:
        pipeline: Its name.
        outcome: How the run has ended.
        run: Where to look further: the run's folder, or page.
        reasons: Why it has ended so.
        summary: What came of it; None if it did not come so far.
    """

    pipeline: str
    outcome: Outcome
    run: str | None
    reasons: list[str]
    summary: Summary | None


@contextmanager
def announced(settings: NotifySettings | None, pipeline: str, console: Console) -> Iterator[Ending]:
    """Tells how what happens inside has ended, if that was asked for; an error goes on its way afterwards."""
    ending = Ending()
    try:
        yield ending
    except Exception as error:
        _tell(settings, pipeline, "refused" if isinstance(error, Refused) else "failed", ending, console, error)
        raise
    _tell(settings, pipeline, ending.outcome, ending, console)


def why_not_to_be_told(settings: NotifySettings | None) -> str | None:
    """What this environment lacks to tell anybody; None if nothing."""
    if settings is None:
        return None
    for key, variable in (("url_from", settings.url_from), ("secret_from", settings.secret_from)):
        # Not by its name: a secret that was written here by mistake would be shown.
        if variable is not None and not os.environ.get(variable, "").strip():
            return f"the environment variable that notify.{key} names is not set"
    if not is_address(_address(settings)):
        return "the environment variable that notify.url_from names holds no http:// or https:// address"
    return None


def tell(settings: NotifySettings, console: Console, told: Told) -> None:
    """Sends it, if that is asked for of such an outcome; what is wrong with that is shown, and never raised."""
    if told.outcome not in settings.outcomes:
        return
    payload = {
        "pipeline": told.pipeline,
        "outcome": told.outcome,
        "exit_status": EXIT_STATUS[told.outcome],
        "run": told.run,
        "reasons": told.reasons,
        "summary": None if told.summary is None else json.loads(told.summary.model_dump_json()),
    }
    why_not = why_not_to_be_told(settings) or _post(settings, payload)
    if why_not is not None:
        console.print(Text(f"Not notified: {why_not}"), soft_wrap=True)


def _tell(
    settings: NotifySettings | None,
    pipeline: str,
    outcome: Outcome,
    ending: Ending,
    console: Console,
    error: Exception | None = None,
) -> None:
    if settings is None:
        return
    summary = ending.summary
    reasons = [_one_line(error)] if error is not None else summary.reasons if summary is not None else []
    tell(settings, console, Told(pipeline, outcome, ending.run, reasons, summary))


def _one_line(error: Exception) -> str:
    if isinstance(error, Refused | StepFailed):
        return str(error)
    return " ".join(f"{type(error).__name__}: {error}".split())


def _post(settings: NotifySettings, payload: dict[str, Any]) -> str | None:
    """Sends it, again if need be; returns what was wrong, None if it arrived."""
    import tenacity

    host = urlsplit(_address(settings)).hostname
    tries = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(settings.retries + 1),
        wait=tenacity.wait_exponential(max=30),
        retry=tenacity.retry_if_result(lambda problem: problem is not None and problem[1]),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome is not None else None,
    )
    problem = tries(_try, settings, payload)
    times = tries.statistics["attempt_number"]
    return None if problem is None else f"{host} {problem[0]}" + (f", {times} times" if times > 1 else "")


def _try(settings: NotifySettings, payload: dict[str, Any]) -> tuple[str, bool] | None:
    """One try: what was wrong, and whether it may be better in a moment; None if nothing was."""
    import requests

    def with_secret(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`, since requests would put what it finds in ~/.netrc over a header of the same name.
        if settings.secret_from is not None:
            request.headers[settings.secret_header] = os.environ[settings.secret_from].strip()
        return request

    try:
        # No redirect: it could carry the secret elsewhere. No reading: only the status matters.
        with requests.post(
            _address(settings), json=payload, timeout=settings.timeout_s, auth=with_secret, allow_redirects=False,
            stream=True,
        ) as answer:  # fmt: skip
            status = answer.status_code
    except requests.Timeout:
        return f"has not answered within {settings.timeout_s:g} s", True
    except requests.ConnectionError:
        return "cannot be reached", True
    except (requests.RequestException, ValueError, OSError) as error:  # by its type alone: messages quote the address
        return f"cannot be asked ({type(error).__name__})", False
    if 200 <= status < 300:
        return None
    return f"has answered {status}", status >= 500 or status in _WORTH_ANOTHER_TRY


def _address(settings: NotifySettings) -> str:
    if settings.url is not None:
        return settings.url.get_secret_value()
    return os.environ[settings.url_from or ""].strip()
