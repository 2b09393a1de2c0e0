"""The `notify:` part of the configuration: the webhook that is called when a run ends."""

import re
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from components.common.outcome import Outcome
from components.common.settings import Settings


class NotifySettings(Settings):
    """Webhook that is called when a run ends."""

    url: SecretStr | None = Field(
        None, description="Address that JSON is posted to, http:// or https://; give this or url_from."
    )
    url_from: str | None = Field(None, description="Environment variable that holds the address, if that is a secret.")
    outcomes: tuple[Outcome, ...] = Field(get_args(Outcome), min_length=1, description="Outcomes to notify of.")
    timeout_s: float = Field(10, gt=0, le=300, description="Seconds to wait for the server in each try.")
    retries: int = Field(3, ge=0, le=10, description="Further tries after 1, 2, 4, ... seconds, at most 30.")
    secret_header: str = Field(
        "Authorization", pattern=r"^[A-Za-z0-9-]+$", description="Header that carries the secret."
    )
    secret_from: str | None = Field(
        None, description="Environment variable that holds the secret, the header's value; null: no secret is sent."
    )

    @model_validator(mode="before")
    @classmethod
    def _has_one_address(cls, value: Any) -> Any:
        # Before the fields are validated, since their own errors would show the value.
        if not isinstance(value, dict):
            raise ValueError("write `url: https://...` below it, or `url_from: ENVIRONMENT_VARIABLE`")
        if (value.get("url") is None) == (value.get("url_from") is None):
            raise ValueError("give one of url and url_from")
        return value

    @field_validator("url", mode="before")
    @classmethod
    def _is_an_address(cls, value: Any) -> Any:
        if isinstance(value, str) and not is_address(value):
            raise ValueError("is not an http:// or https:// address")
        if value is not None and not isinstance(value, str | SecretStr):
            raise ValueError("is not a string")
        return value

    @field_validator("url_from", "secret_from", mode="before")
    @classmethod
    def _is_a_variable(cls, value: Any) -> Any:
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII)):
            raise ValueError("is not a name of an environment variable")
        return value


def is_address(text: str) -> bool:
    """Return whether a text is an http:// or https:// address.

    Example:
        >>> is_address("https://hooks.example.com/1"), is_address("hooks.example.com")
        (True, False)
    """
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
