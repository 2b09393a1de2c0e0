"""Values of a configuration that grant access, which a report must not show: it is passed on to others."""

import re
from collections.abc import Mapping
from typing import Any

LEFT_OUT = "(left out)"
_KEYS_IN_YAML = re.compile(r"(\w+)[\"']?\s*:")
_SECRET = re.compile(r"(^|_)(url|webhook|token|secret|password|credentials?)$", re.IGNORECASE)


def is_secret(key: str) -> bool:
    """Return whether the value of a key may grant access, such as the address of a webhook.

    Example:
        >>> is_secret("url"), is_secret("url_from")
        (True, False)
    """
    return _SECRET.search(key) is not None


def without_secret_value(assignment: str) -> str:
    """Return an assignment of `--set` without its value if that may grant access, itself or in a key below it.

    Example:
        >>> without_secret_value("notify={url: https://hooks/T0SECRET}"), without_secret_value("training.epochs=1")
        ('notify=(left out)', 'training.epochs=1')
    """
    key, separator, value = assignment.partition("=")
    names = [key.strip(" \t'\"").rpartition(".")[2], *_KEYS_IN_YAML.findall(value)]
    return f"{key}={LEFT_OUT}" if separator and any(is_secret(name) for name in names) else assignment


def without_secrets(value: Any) -> Any:
    """Replace every text that may grant access in a configuration, as JSON."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: LEFT_OUT if isinstance(each, str) and is_secret(key) else without_secrets(each)
        for key, each in value.items()
    }
