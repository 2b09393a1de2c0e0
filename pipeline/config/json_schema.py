"""JSON Schema of the configuration, for editors."""

from typing import Any

from pipeline.config.configuration import Configuration

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration file, with the description and the default of every key.

    Example:
        >>> json_schema()["properties"]["max_tokens"]["minimum"]
        3
    """
    return {"$schema": _DIALECT, **Configuration.model_json_schema()}
