"""The `notify:` part of the configuration: the webhook that is called when a run ends."""

import re
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from components.common.outcome import Outcome
from components.common.settings import Settings


class NotifySettings(Settings):
    """Where to tell how a run has ended."""

    url: SecretStr | None = Field(None, description="http:// or https://; a POST of JSON goes there.")
    url_from: str | None = Field(None, description="Instead: the environment variable that holds it.")
    outcomes: tuple[Outcome, ...] = Field(get_args(Outcome), min_length=1, description="What is told of.")
    timeout_s: float = Field(10, gt=0, le=300, description="Seconds that one try waits for the server.")
    retries: int = Field(3, ge=0, le=10, description="Further tries, after 1, 2, 4, ... seconds, 30 at most.")
    secret_header: str = Field(
        "Authorization", pattern=r"^[A-Za-z0-9-]+$", description="The header that carries the secret."
    )
    secret_from: str | None = Field(None, description="The environment variable that holds its value.")

    @model_validator(mode="before")
    @classmethod
    def _says_one_address(cls, value: Any) -> Any:
        # Here, before the fields: their own errors would show what was given.
        if not isinstance(value, dict):
            raise ValueError("write `url: https://...` below it, or `url_from: ENVIRONMENT_VARIABLE`")
        if (value.get("url") is None) == (value.get("url_from") is None):
            raise ValueError("give one of url and url_from")
        return value

    @field_validator("url", mode="before")
    @classmethod
    def _is_an_address(cls, value: Any) -> Any:
        if isinstance(value, str) and not is_address(value):
            raise ValueError("is no http:// or https:// address")
        if value is not None and not isinstance(value, str | SecretStr):
            raise ValueError("is no text")
        return value

    @field_validator("url_from", "secret_from", mode="before")
    @classmethod
    def _is_a_variable(cls, value: Any) -> Any:
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII)):
            raise ValueError("is no name of an environment variable")
        return value


def is_address(text: str) -> bool:
    """Return whether a text is an http:// or https:// address."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
