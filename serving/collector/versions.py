"""Labels and thresholds of the versions that answer, from the registry."""

import logging
from collections.abc import Callable
from typing import Any

import requests

from components.registry import find_record, versions
from schema.errors import Refused
from serving.request_log.rows import LogHeader

_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 5.0


def available_version(url: str) -> int | None:
    """Ask TensorFlow Serving which version answers: the newest one that is available; None if it does not say.

    Args:
        url: Address of the model's status, `http://HOST:8501/v1/models/NAME`.
    """
    try:
        answer = requests.get(url, timeout=_TIMEOUT_S)
        answer.raise_for_status()
        states: list[dict[str, Any]] = answer.json()["model_version_status"]
        return max((int(each["version"]) for each in states if each["state"] == "AVAILABLE"), default=None)
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        _LOG.warning("%s: does not say which version answers (%s)", url, type(error).__name__)
        return None


class Versions:
    """Headers of the request log by version.

    Args:
        registry: The registry.
        answering: Returns the version that answers now; None for the newest of the registry.

    Attributes:
        current: Version of answers that do not name theirs; None if it is not known.
    """

    def __init__(self, registry: str, answering: Callable[[], int | None] | None) -> None:
        self._registry, self._answering = registry, answering
        self._headers: dict[int, LogHeader] = {}
        self.current: int | None = None

    def update(self) -> None:
        """Read the records of new versions, and find out which one answers."""
        found = versions(self._registry)
        for version in found:
            if version.number in self._headers:
                continue
            try:
                record = find_record(version)
            except Refused as refused:
                _LOG.warning("version %d: %s", version.number, refused)
                continue
            if record is not None:
                self._headers[version.number] = LogHeader(
                    model="",
                    version=version.number,
                    model_id=record.model_id,
                    labels=tuple(record.labels),
                    thresholds=tuple(record.thresholds),
                    retired=tuple(record.retired),
                    slices=tuple(record.slices),
                )
        newest = found[-1].number if found else None
        self.current = newest if self._answering is None else self._answering() or self.current

    def header(self, version: int | None, model: str) -> LogHeader | None:
        """Return the header of a version under the name of a model; None if the registry does not have the version.

        Args:
            version: The version; None for the one that answers now.
            model: Name that it is served under.
        """
        number = self.current if version is None else version
        header = None if number is None else self._headers.get(number)
        return None if header is None else header.model_copy(update={"model": model})
