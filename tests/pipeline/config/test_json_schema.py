"""Tests of the JSON Schema of the configuration: editors must accept what loads, and point at what does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.json_schema import json_schema
from tests.support.small_project import make_project

_REPOSITORY = Path(__file__).parents[3]
_SCHEMA = json_schema()
_TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool,
    "null": type(None),
}  # fmt: skip


def find_problems(value: Any, schema: dict[str, Any], key: str = "") -> Iterator[str]:
    """Yield where a value does not follow a schema, judged by the keywords that pydantic writes for types and keys."""
    if "$ref" in schema:
        schema = _SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices and all(any(find_problems(value, choice, key)) for choice in choices):
        yield f"{key}: fits no choice"
    if value not in schema.get("enum", [schema.get("const", value)]):
        yield f"{key}: {value!r} is not a choice"
    if not isinstance(value, _TYPES[schema["type"]] if "type" in schema else object):
        yield f"{key}: is not of type {schema['type']}"
    elif isinstance(value, dict) and schema.get("type") == "object":
        yield from _find_problems_of_keys(value, schema, key)
    elif isinstance(value, list) and schema.get("type") == "array":
        for index, item in enumerate(value):
            yield from find_problems(item, schema.get("items", {}), f"{key}[{index}]")


def _find_problems_of_keys(value: dict[str, Any], schema: dict[str, Any], key: str) -> Iterator[str]:
    yield from (f"{key}: lacks {name}" for name in schema.get("required", ()) if name not in value)
    others = schema.get("additionalProperties", {})
    for name, item in value.items():
        item_schema = schema.get("properties", {}).get(name, others)
        if item_schema is False:
            yield f"{key}.{name}: is unknown"
        else:
            yield from find_problems(item, item_schema, f"{key}.{name}")


@pytest.mark.parametrize("name", ["sample", "goemotions", "template"])
def test_accepts_the_shipped_configurations(name: str) -> None:
    content = yaml.safe_load((_REPOSITORY / "configs" / f"{name}.yaml").read_text())
    assert list(find_problems(content, _SCHEMA)) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"max_token": 64}, ".max_token: is unknown"),
        ({"max_tokens": "many"}, ".max_tokens: is not of type integer"),
        ({"truncation": "tail"}, ".truncation: 'tail' is not a choice"),
        ({"training": {"epoch": 3}}, ".training.epoch: is unknown"),
    ],
)
def test_points_at_what_is_wrong(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    project = make_project(tmp_path / "project", rows=3)
    content = yaml.safe_load(project.configuration.read_text())
    assert list(find_problems(content, _SCHEMA)) == []
    assert list(find_problems(content | changes, _SCHEMA)) == [problem]


def test_every_key_of_the_top_level_is_described() -> None:
    for name, key in _SCHEMA["properties"].items():
        assert key.get("description"), name
