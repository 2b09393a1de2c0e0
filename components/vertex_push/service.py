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

PATIENCE_S = 30.0  # to try for, where the service or the network is out
TIMEOUT_S = 60.0  # of one request

Client = TypeVar("Client")


def connect(kind: type[Client], place: VertexPlace) -> Client:
    """A client of one of Vertex AI's services.

    Raises:
        Refused: There are no credentials.
    """
    from google.api_core.client_options import ClientOptions

    with refusing(place):
        make: Any = kind
        client: Client = make(client_options=ClientOptions(api_endpoint=place.address), transport="rest")
        return client


def again() -> "Retry":
    """For requests that may be sent twice: tries for a while, where the service or the network is out."""
    from google.api_core.retry import Retry

    return Retry(timeout=PATIENCE_S)


@contextmanager
def refusing(place: VertexPlace, what: str = "") -> Iterator[None]:
    """What goes wrong within, as one line that says what to do.

    Args:
        place: Where.
        what: What is asked for, in words: "run r1", "schedule small".

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    from google.api_core import exceptions
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    where = f"Vertex AI, {place.project} in {place.location}{f', {what}' if what else ''}"
    try:
        yield
    except exceptions.NotFound as error:
        raise Refused(f"{where}: not found ({message(error)}); correct the name, project or location") from None
    except exceptions.Forbidden as error:
        raise Refused(
            f"{where}: no access ({message(error)}); grant the account roles/aiplatform.user on the project, and"
            " roles/iam.serviceAccountUser on the service account that the steps act as"
        ) from None
    except (exceptions.TooManyRequests, exceptions.ResourceExhausted) as error:
        raise Refused(f"{where}: a quota is used up ({message(error)}); wait, or ask for more of it") from None
    except exceptions.Unauthorized as error:
        raise _no_credentials(where, error) from None
    except (exceptions.ClientError, exceptions.Cancelled) as error:
        raise Refused(f"{where}: refused ({message(error)})") from None
    except (exceptions.GoogleAPIError, GoogleAuthError, RequestException) as error:
        cause = error.cause if isinstance(error, exceptions.RetryError) and error.cause else error
        if isinstance(cause, GoogleAuthError) and not isinstance(cause, TransportError):
            raise _no_credentials(where, cause) from None
        raise Refused(f"{where}: no answer from {place.address} ({message(cause)}); try again later") from None


def message(error: BaseException) -> str:
    """The service's own sentence where there is one, without the URL that the client puts before it; one line."""
    errors = getattr(error, "response", None)
    try:
        said = errors.json()["error"]["message"] if errors is not None else ""
    except (ValueError, KeyError, TypeError):
        said = ""
    return " ".join(str(said or getattr(error, "message", None) or error).split()).rstrip(".")


def _no_credentials(where: str, error: BaseException) -> Refused:
    return Refused(
        f"{where}: no valid Google Cloud credentials ({message(error)}); run 'gcloud auth application-default login',"
        " or have GOOGLE_APPLICATION_CREDENTIALS name a key file"
    )
