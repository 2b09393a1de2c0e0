"""Kubeflow's API server (v2beta1) through kfp's own client, with time limits, retries and errors in one line."""

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

# Statuses that are worth a retry. After the first two, even a request that creates something has created nothing.
_BUSY = (429, 503)
_BUSY_OR_BROKEN = (*_BUSY, 502, 504)
_MAX_PAUSE_S = 10
_CONFLICT = 409

Thing = TypeVar("Thing")


class _Client(kfp.Client):  # type: ignore[misc]
    """A kfp.Client whose requests have a time limit, and are retried only where nothing can be created twice."""

    def __init__(self, settings: KubeflowSettings, **options: Any) -> None:
        self._settings = settings
        super().__init__(**options)
        self._limit_requests()

    def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:  # noqa: ARG002 - kfp's signature
        """Return the health of the server; kfp's own constructor would retry for half a minute."""
        self._limit_requests()
        return self._healthz_api.healthz_service_get_healthz()

    def _limit_requests(self) -> None:
        rest = self._healthz_api.api_client.rest_client
        if not isinstance(rest, _LimitedRest):
            rest.pool_manager.connection_pool_kw["retries"] = 0  # urllib3's own retries have no pauses
            self._healthz_api.api_client.rest_client = _LimitedRest(rest, self._settings)


class _LimitedRest:
    """The generated client's sender of requests, with a time limit and with pauses between retries."""

    def __init__(self, rest: Any, settings: KubeflowSettings) -> None:
        self._rest, self._settings = rest, settings

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return the function that sends requests of a method: GET, POST, ..."""
        send = getattr(self._rest, name)

        def limited(url: str, **options: Any) -> Any:
            limit = self._settings.request_timeout_s
            return send(url, **(options | {"_request_timeout": (limit, limit)}))

        tries = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._settings.request_retries + 1),
            wait=tenacity.wait_exponential(max=_MAX_PAUSE_S),
            retry=tenacity.retry_if_exception(lambda error: _is_worth_retrying(error, reads=name == "GET")),
            reraise=True,
        )
        return lambda *args, **options: tries(limited, *args, **options)


@contextmanager
def connected(settings: KubeflowSettings) -> Iterator[kfp.Client]:
    """Connect a client; what it prints is kept off the terminal, and its errors become one line.

    Raises:
        Refused: No address is configured, nothing answers there, or the server refuses a request.
    """
    if settings.endpoint is None:
        raise Refused("runner.kubeflow.endpoint: not set; give the address of Kubeflow's API server")
    options = {
        "host": settings.endpoint,
        "ui_host": settings.ui,
        "existing_token": _read_token(settings),
        "cookies": _read_variable("cookie_from", settings.cookie_from),
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
                    f"runner.kubeflow.namespace: {settings.endpoint} has several users; set the namespace to run in"
                )
            yield client
    except kfp_server_api.ApiException as error:
        raise Refused(_explain_refusal(error, settings)) from None
    except urllib3.exceptions.HTTPError as error:
        raise Refused(f"{settings.endpoint}: {_explain_failure(error, settings)}") from None


def find_or_create(find: Callable[[], Thing | None], create: Callable[[], Thing]) -> Thing:
    """Return what exists, or create it; also if somebody else creates it meanwhile, or the answer is lost."""
    found = find()
    if found is not None:
        return found
    try:
        return create()
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


def name_filter(name: str) -> str:
    """Return the filter of the API's lists for a display name.

    Example:
        >>> name_filter("sample")
        '{"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": "sample"}]}'
    """
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def pages(request: Callable[[str], Any], field: str) -> Iterator[Any]:
    """Iterate over all elements of a list of the API, page by page.

    Args:
        request: Requests a page, given its token; an empty token is the first page.
        field: Attribute of the answer that holds the elements.
    """
    token = ""
    while True:
        answer = request(token)
        yield from getattr(answer, field) or ()
        token = answer.next_page_token
        if not token:
            return


def is_missing(error: kfp_server_api.ApiException) -> bool:
    """Return whether an error says that there is no such object."""
    return bool(error.status == 404)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the body is done."""
    received: list[tuple[int, FrameType | None]] = []
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda *arguments: received.append(arguments))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number, _ in received[:1]:
            signal.raise_signal(number)


def _is_worth_retrying(error: BaseException, *, reads: bool) -> bool:
    if isinstance(error, kfp_server_api.ApiException):
        return error.status in (_BUSY_OR_BROKEN if reads else _BUSY)
    return isinstance(error, urllib3.exceptions.HTTPError) and (reads or _never_arrived(error))


def _never_arrived(error: urllib3.exceptions.HTTPError) -> bool:
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _explain_failure(error: urllib3.exceptions.HTTPError, settings: KubeflowSettings) -> str:
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    if isinstance(reason, urllib3.exceptions.SSLError):
        return f"its certificate is not trusted ({reason.args[0]}); name its authority in runner.kubeflow.ca_file"
    # urllib3 counts a connection that was refused among the timeouts.
    late = isinstance(reason, urllib3.exceptions.TimeoutError)
    if late and not isinstance(reason, urllib3.exceptions.NewConnectionError):
        return f"has not answered within {settings.request_timeout_s:g} s (runner.kubeflow.request_timeout_s)"
    return "cannot be reached; check runner.kubeflow.endpoint and the way there (kubectl port-forward)"


def _explain_refusal(error: kfp_server_api.ApiException, settings: KubeflowSettings) -> str:
    """Return the API's own message in one line, with what to do where that is known."""
    message = _message(error)
    where = settings.endpoint
    if error.status == 0:  # the generated client sets it for errors of TLS
        return f"{where}: its certificate is not trusted; name its authority in runner.kubeflow.ca_file"
    if error.status == 401:
        hint = "renew the token" if settings.token_from or settings.token_file else "set runner.kubeflow.token_from"
        return f"{where}: not authenticated (401{message}); {hint}"
    if error.status == 403:
        return f"{where}: not allowed (403{message}); ask for the role in namespace {settings.namespace or '-'}"
    return f"{where}: refused ({error.status}{message or f': {error.reason}'})"


def _message(error: kfp_server_api.ApiException) -> str:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else error.body or ""
    try:
        content = json.loads(body)
        text = str(content.get("message") or content.get("error") or "") if isinstance(content, dict) else ""
    except ValueError:
        text = ""  # a proxy's page
    return f": {' '.join(text.split())[:500]}" if text else ""


def _read_token(settings: KubeflowSettings) -> str | None:
    if settings.token_file is None:
        return _read_variable("token_from", settings.token_from)
    try:
        return Path(settings.token_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise Refused(f"runner.kubeflow.token_file {settings.token_file}: cannot be read: {reason}") from None


def _read_variable(key: str, name: str | None) -> str | None:
    if name is None:
        return None
    value = os.environ.get(name, "").strip()
    if not value:
        raise Refused(f"runner.kubeflow.{key}: the environment variable that it names is not set")
    return value
