"""CloudEvents as KServe's logger sends them.

Source: KServe 0.20.0, pkg/logger/worker.go, lines 38-54 for the names of types and attributes, and 87-169 for an event:
binary mode, the body of the request or of the answer as data, and the same id for both. pkg/logger/handler.go, lines
115-216: the id is the client's header `Ce-Id`, or a new one; answers other than 200 are not logged; the time is that of
the request's arrival and of its answer.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat

from serving.request_log.slices import HEADER
from serving.server.errors import invalid


class Kind(StrEnum):
    """Type of an event."""

    REQUEST = "org.kubeflow.serving.inference.request"
    RESPONSE = "org.kubeflow.serving.inference.response"


@dataclass(frozen=True)
class Event:
    """One half of an exchange.

    Attributes:
        kind: Which half.
        key: What both halves have in common.
        time: When it arrived or was answered, in seconds since 1970.
        model: Name of the InferenceService; empty if the event does not say.
        request_id: Id that the client gave it in a header that the logger passes on; None if there is none.
        body: Body of the request or of the answer.
        slices: The client's header that names its slices; None if the logger does not pass it on.
    """

    kind: Kind
    key: str
    time: float
    model: str
    request_id: str | None
    body: bytes
    slices: str | None = None


class _Bodies(JSONFormat):
    """Format that leaves bodies as they are: the data need not be UTF-8, and is parsed where its protocol is known."""

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:  # noqa: ARG002
        return body


def read_event(headers: Mapping[str, str], body: bytes) -> Event:
    """Read an event in binary or in structured mode.

    Raises:
        RequestError: It is no CloudEvent, or of another type.
    """
    try:
        event = from_http(HTTPMessage(dict(headers), body), _Bodies())
    except (BaseCloudEventException, ValueError, KeyError, TypeError) as error:
        raise invalid(f"not a CloudEvent: {' '.join(str(error).split())}") from None
    try:
        kind = Kind(event.get_type())
    except ValueError:
        raise invalid(f"type {event.get_type()} is not logged; known: {', '.join(Kind)}") from None
    moment = event.get_time()
    return Event(
        kind=kind,
        key=f"{event.get_source()} {event.get_id()}",
        time=moment.timestamp() if isinstance(moment, datetime) else time.time(),
        model=str(event.get_extension("inferenceservicename") or ""),
        request_id=_header(event.get_extension("metadata"), "x-request-id"),
        body=_bytes(event.get_data()),
        slices=_header(event.get_extension("metadata"), HEADER),
    )


def _bytes(data: Any) -> bytes:
    if isinstance(data, bytes):
        return data
    return b"" if data is None else (data if isinstance(data, str) else json.dumps(data)).encode("utf-8", "replace")


def _header(metadata: Any, wanted: str) -> str | None:
    """Return a header of the client, if the logger's `metadataHeaders` lists it; in lower case."""
    with suppress(ValueError, TypeError):
        for name, values in dict(json.loads(metadata)).items():
            if name.lower() == wanted and values:
                return str(values[0])
    return None
