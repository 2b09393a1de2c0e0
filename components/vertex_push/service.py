"""Google's own clients of Vertex AI, over REST, with their errors turned into one line.

These are google-cloud-aiplatform's generated clients rather than its PipelineJob, Model and Endpoint classes, which
create buckets without being asked, read every run that ever was to list twenty, and cannot change what a schedule runs.
Credentials are always the Application Default Credentials.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from components.vertex_push.settings import VertexTarget
from schema.errors import Refused

if TYPE_CHECKING:  # they take seconds to import
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PATIENCE_S = 30.0  # time to retry while the service or the network is down
TIMEOUT_S = 60.0  # of one request

Client = TypeVar("Client")


def find_credentials(target: VertexTarget) -> "Credentials":
    """Return the Application Default Credentials.

    Call this before `connect`, which imports a client for seconds: missing credentials are then reported at once.

    Raises:
        Refused: There are none.
    """
    import google.auth

    with refusing(target):
        credentials: Credentials = google.auth.default(scopes=[_SCOPE])[0]
        return credentials


def connect(kind: type[Client], target: VertexTarget, credentials: "Credentials") -> Client:
    """Return a client of one of Vertex AI's services."""
    from google.api_core.client_options import ClientOptions

    construct: Any = kind
    options = ClientOptions(api_endpoint=target.address)
    client: Client = construct(credentials=credentials, client_options=options, transport="rest")
    return client


def retry() -> "Retry":
    """Return the retry policy of idempotent requests, for when the service or the network is down."""
    from google.api_core.retry import Retry

    return Retry(timeout=PATIENCE_S)


def wait_for(operation: Any, timeout_s: float) -> Any:
    """Wait for a long-running operation, and return its result.

    Args:
        operation: The operation, as a client returned it.
        timeout_s: Longest time to wait, in seconds.

    Raises:
        google.api_core.exceptions.GoogleAPIError: The operation failed.
        TimeoutError: The operation takes longer.
    """
    return operation.result(timeout=timeout_s)


@contextmanager
def refusing(target: VertexTarget, what: str = "") -> Iterator[None]:
    """Turn errors of Vertex AI into one line that says what to do.

    Args:
        target: Project and location, for the message.
        what: Subject of the request, for the message, such as "run r1" or "schedule small".

    Raises:
        Refused: Vertex AI refuses the request, or does not answer.
    """
    from google.api_core.exceptions import GoogleAPIError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    where = f"Vertex AI, {target.project} in {target.location}{f', {what}' if what else ''}"
    try:
        yield
    except (GoogleAPIError, GoogleAuthError, RequestException, TimeoutError) as error:
        cause = error.cause if isinstance(error, RetryError) and error.cause else error
        raise Refused(f"{where}: {_explain(cause, target)}") from None


def message(error: BaseException) -> str:
    """Return the service's own message, in one line and without the URL that the client puts before it."""
    response = getattr(error, "response", None)
    try:
        text = response.json()["error"]["message"] if response is not None else ""
    except (ValueError, KeyError, TypeError):
        text = ""
    return " ".join(str(text or getattr(error, "message", None) or error).split()).rstrip(".")


def _explain(cause: BaseException, target: VertexTarget) -> str:
    """Return what is wrong and what to do."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError

    text = message(cause)
    if isinstance(cause, exceptions.Unauthorized) or (
        isinstance(cause, GoogleAuthError) and not isinstance(cause, TransportError)
    ):
        return (
            f"no valid Google Cloud credentials ({text}); run 'gcloud auth application-default login', or set"
            " GOOGLE_APPLICATION_CREDENTIALS to the path of a key file"
        )
    if isinstance(cause, exceptions.NotFound):
        return f"not found ({text}); correct the name, project or location"
    if isinstance(cause, exceptions.Forbidden):
        return (
            f"no access ({text}); grant the account roles/aiplatform.user on the project, and"
            " roles/iam.serviceAccountUser on the service account that the steps act as"
        )
    if isinstance(cause, exceptions.TooManyRequests):
        return f"a quota is used up ({text}); wait, or request more quota"
    if isinstance(cause, exceptions.ClientError):
        return f"refused ({text})"
    return f"no answer from {target.address} ({text}); try again later"
