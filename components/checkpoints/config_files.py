"""Reading of a checkpoint's JSON files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schema.errors import Refused


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        Refused: The file cannot be read or is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Refused(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refused(f"{path}: not a JSON object")
    return content


def read_json_if_exists(path: Path) -> dict[str, Any]:
    """Read a JSON object; return an empty one if the file does not exist."""
    return read_json(path) if path.is_file() else {}


def positive_int(path: Path, config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    """Return a number of a configuration.

    Args:
        path: File of the configuration, for messages.
        config: The configuration.
        key: Key of the number.
        default: Value of a missing key; None if the key is required.

    Raises:
        Refused: The key is missing, or its value is not an integer above 0.
    """
    value = config.get(key, default)
    if value is None:
        raise Refused(f"{path}: no {key} in it; is it the checkpoint's own?")
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Refused(f"{path}: {key} is {value!r}, not a number above 0")
    return value
