"""Google's own clients of Vertex AI, over REST, and what they raise in one line.

The clients are google-cloud-aiplatform's generated ones, which its PipelineJob, Model and Endpoint are wrapped around:
these make buckets on the way, read every run there ever was where twenty are asked for, and cannot change what a
schedule runs. Credentials are the Application Default Credentials, always.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from components.vertex_push.settings import VertexPlace
from schema.errors import Refused

if TYPE_CHECKING:  # seconds to import: only who asks Vertex AI pays
    from google.api_core.retry import Retry
    from google.auth.credentials import Credentials

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PATIENCE_S = 30.0  # to try for, where the service or the network is out
TIMEOUT_S = 60.0  # of one request

Client = TypeVar("Client")


def find_credentials(place: VertexPlace) -> "Credentials":
    """The Application Default Credentials: to be asked for before the seconds that importing a client takes.

    Raises:
        Refused: There are none.
    """
    import google.auth

    with refusing(place):
        credentials: Credentials = google.auth.default(scopes=[_SCOPE])[0]
        return credentials


def connect(kind: type[Client], place: VertexPlace, credentials: "Credentials") -> Client:
    """A client of one of Vertex AI's services."""
    from google.api_core.client_options import ClientOptions

    make: Any = kind
    options = ClientOptions(api_endpoint=place.address)
    client: Client = make(credentials=credentials, client_options=options, transport="rest")
    return client


def again() -> "Retry":
    """For requests that may be sent twice: tries for a while, where the service or the network is out."""
    from google.api_core.retry import Retry

    return Retry(timeout=PATIENCE_S)


def finished(operation: Any, timeout_s: float) -> Any:
    """What a long-running operation comes to: what it was to make.

    Raises:
        google.api_core.exceptions.GoogleAPIError: It failed.
        TimeoutError: It takes longer than so many seconds.
    """
    return operation.result(timeout=timeout_s)


@contextmanager
def refusing(place: VertexPlace, what: str = "") -> Iterator[None]:
    """What goes wrong within, as one line that says what to do.

    Args:
        place: Where.
        what: What is asked for, in words: "run r1", "schedule small".

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    from google.api_core.exceptions import GoogleAPIError, RetryError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    where = f"Vertex AI, {place.project} in {place.location}{f', {what}' if what else ''}"
    try:
        yield
    except (GoogleAPIError, GoogleAuthError, RequestException, TimeoutError) as error:
        cause = error.cause if isinstance(error, RetryError) and error.cause else error
        raise Refused(f"{where}: {_in_words(cause, place)}") from None


def _in_words(cause: BaseException, place: VertexPlace) -> str:
    """What is wrong, and what to do."""
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError

    said = message(cause)
    if isinstance(cause, exceptions.Unauthorized) or (
        isinstance(cause, GoogleAuthError) and not isinstance(cause, TransportError)
    ):
        return (
            f"no valid Google Cloud credentials ({said}); run 'gcloud auth application-default login', or have"
            " GOOGLE_APPLICATION_CREDENTIALS name a key file"
        )
    if isinstance(cause, exceptions.NotFound):
        return f"not found ({said}); correct the name, project or location"
    if isinstance(cause, exceptions.Forbidden):
        return (
            f"no access ({said}); grant the account roles/aiplatform.user on the project, and"
            " roles/iam.serviceAccountUser on the service account that the steps act as"
        )
    if isinstance(cause, exceptions.TooManyRequests):
        return f"a quota is used up ({said}); wait, or ask for more of it"
    if isinstance(cause, exceptions.ClientError):
        return f"refused ({said})"
    return f"no answer from {place.address} ({said}); try again later"


def message(error: BaseException) -> str:
    """The service's own sentence where there is one, without the URL that the client puts before it; one line."""
    errors = getattr(error, "response", None)
    try:
        said = errors.json()["error"]["message"] if errors is not None else ""
    except (ValueError, KeyError, TypeError):
        said = ""
    return " ".join(str(said or getattr(error, "message", None) or error).split()).rstrip(".")
