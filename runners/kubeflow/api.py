"""Kubeflow's API server (v2beta1), asked through kfp's own client: with patience, and in one line where it refuses."""

import contextlib
import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import kfp
import kfp_server_api
import tenacity
import urllib3

from pipeline.config.kubeflow import KubeflowSettings
from schema.errors import Refused

# What may be better in a moment. Of a request that makes something only these are sure to have made nothing.
_BUSY = (429, 503)
_BUSY_OR_BROKEN = (*_BUSY, 502, 504)
_LONGEST_PAUSE_S = 10
_CONFLICT = 409

Thing = TypeVar("Thing")


class _Client(kfp.Client):  # type: ignore[misc]
    """A kfp.Client whose requests end: a time limit each, and further tries only where nothing can come of it twice."""

    def __init__(self, settings: KubeflowSettings, **options: Any) -> None:
        self._settings = settings
        super().__init__(**options)
        self._give_patience()

    def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:  # noqa: ARG002 - as kfp calls it
        """Asked by the constructor as well, where kfp would go on for half a minute in vain."""
        self._give_patience()
        return self._healthz_api.healthz_service_get_healthz()

    def _give_patience(self) -> None:
        rest = self._healthz_api.api_client.rest_client
        if not isinstance(rest, _Patient):
            rest.pool_manager.connection_pool_kw["retries"] = 0  # urllib3's own tries have no pauses
            self._healthz_api.api_client.rest_client = _Patient(rest, self._settings)


class _Patient:
    """Around what sends the generated client's requests, which has neither a time limit nor pauses between tries."""

    def __init__(self, rest: Any, settings: KubeflowSettings) -> None:
        self._rest, self._settings = rest, settings

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """GET, POST and the others."""
        send = getattr(self._rest, name)

        def limited(url: str, **options: Any) -> Any:
            limit = self._settings.request_timeout_s
            return send(url, **(options | {"_request_timeout": (limit, limit)}))

        tries = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._settings.request_retries + 1),
            wait=tenacity.wait_exponential(max=_LONGEST_PAUSE_S),
            retry=tenacity.retry_if_exception(lambda error: _worth_another_try(error, reads=name == "GET")),
            reraise=True,
        )
        return lambda *args, **options: tries(limited, *args, **options)


@contextmanager
def asked(settings: KubeflowSettings) -> Iterator[kfp.Client]:
    """The client, connected; what it prints is kept off the terminal, what goes wrong is said in a line.

    Raises:
        Refused: No address is configured, nobody answers there, or what was asked was refused.
    """
    if settings.endpoint is None:
        raise Refused("runner.kubeflow.endpoint: not set; give the address of Kubeflow's API server")
    options = {
        "host": settings.endpoint,
        "ui_host": settings.ui,
        "existing_token": _token(settings),
        "cookies": _variable("cookie_from", settings.cookie_from),
        "ssl_ca_cert": settings.ca_file,
        "verify_ssl": settings.verify,
        # kfp's default for "none".
        "namespace": settings.namespace or "kubeflow",
    }
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            client = _Client(settings, **options)
            if not client.get_user_namespace() and client.get_kfp_healthz().multi_user:
                raise Refused(
                    f"runner.kubeflow.namespace: {settings.endpoint} has many users; say in whose namespace to run"
                )
            yield client
    except kfp_server_api.ApiException as error:
        raise Refused(_in_words(error, settings)) from None
    except urllib3.exceptions.HTTPError as error:
        raise Refused(f"{settings.endpoint}: {_why_unreachable(error, settings)}") from None


def found_or_made(find: Callable[[], Thing | None], make: Callable[[], Thing]) -> Thing:
    """What is there already, or is made now; also where another makes it meanwhile, or the answer is lost."""
    found = find()
    if found is not None:
        return found
    try:
        return make()
    except kfp_server_api.ApiException as error:
        if error.status not in (_CONFLICT, 502, 504):
            raise
        found = find()
        if found is None:
            raise
    except urllib3.exceptions.HTTPError:
        found = find()
        if found is None:
            raise
    return found


def named(name: str) -> str:
    """A filter, as lists of the API take it: what is called so."""
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def pages(ask: Callable[[str], Any], field: str) -> Iterator[Any]:
    """All that a list has, page by page; `ask` takes the token of the page."""
    token = ""
    while True:
        answer = ask(token)
        yield from getattr(answer, field) or ()
        token = answer.next_page_token
        if not token:
            return


def is_missing(error: kfp_server_api.ApiException) -> bool:
    """Whether there is no such thing, as the API says it."""
    return bool(error.status == 404)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait until what is begun is done."""
    kept: list[tuple[int, FrameType | None]] = []
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *told: kept.append(told))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number, _ in kept[:1]:
            signal.raise_signal(number)


def _worth_another_try(error: BaseException, *, reads: bool) -> bool:
    if isinstance(error, kfp_server_api.ApiException):
        return error.status in (_BUSY_OR_BROKEN if reads else _BUSY)
    return isinstance(error, urllib3.exceptions.HTTPError) and (reads or _never_arrived(error))


def _never_arrived(error: urllib3.exceptions.HTTPError) -> bool:
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _why_unreachable(error: urllib3.exceptions.HTTPError, settings: KubeflowSettings) -> str:
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    if isinstance(reason, urllib3.exceptions.SSLError):
        return f"its certificate is not trusted ({reason.args[0]}); name its authority in runner.kubeflow.ca_file"
    # urllib3 counts a connection that could not be made among the timeouts.
    late = isinstance(reason, urllib3.exceptions.TimeoutError)
    if late and not isinstance(reason, urllib3.exceptions.NewConnectionError):
        return f"has not answered within {settings.request_timeout_s:g} s (runner.kubeflow.request_timeout_s)"
    return "cannot be reached; is runner.kubeflow.endpoint right, and the way there open (kubectl port-forward)?"


def _in_words(error: kfp_server_api.ApiException, settings: KubeflowSettings) -> str:
    """The API's answer in one line: its own words, and what to do where that is known."""
    said = _message(error)
    where = settings.endpoint
    if error.status == 0:  # the generated client's for what is wrong with TLS
        return f"{where}: its certificate is not trusted; name its authority in runner.kubeflow.ca_file"
    if error.status == 401:
        hint = "renew the token" if settings.token_from or settings.token_file else "give runner.kubeflow.token_from"
        return f"{where}: does not know who asks (401{said}); {hint}"
    if error.status == 403:
        return f"{where}: does not allow it (403{said}); ask for the role in namespace {settings.namespace or '-'}"
    return f"{where}: refused ({error.status}{said or f': {error.reason}'})"


def _message(error: kfp_server_api.ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body or ""
    try:
        said = json.loads(body)
        text = str(said.get("message") or said.get("error") or "") if isinstance(said, dict) else ""
    except ValueError:
        text = ""  # a proxy's page
    return f": {' '.join(text.split())[:500]}" if text else ""


def _token(settings: KubeflowSettings) -> str | None:
    if settings.token_file is None:
        return _variable("token_from", settings.token_from)
    try:
        return Path(settings.token_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise Refused(f"runner.kubeflow.token_file {settings.token_file}: cannot be read: {why}") from None


def _variable(key: str, name: str | None) -> str | None:
    if name is None:
        return None
    value = os.environ.get(name, "").strip()
    if not value:
        raise Refused(f"runner.kubeflow.{key}: the environment variable that it names is not set")
    return value
