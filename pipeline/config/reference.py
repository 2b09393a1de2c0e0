"""Reference of the configuration in Markdown, generated from the settings models.

`make docs` puts it into the documentation; `python -m pipeline.config.reference` prints it.
"""

import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from components.evaluation.gates.gate import Gate, VariantGate
from pipeline.config.configuration import Configuration

_NAMES = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    date: "date",
    SecretStr: "text",
    Gate: "text",
    VariantGate: "text",
}
_PLURALS = {
    "text": "texts",
    "integer": "integers",
    "number": "numbers",
    "true or false": "true or false",
    "date": "dates",
    "mapping": "mappings",
}
# Keys that pydantic's own metadata uses for bounds, and how they are written.
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class _Section:
    """A table of the reference: one model, at one key of the configuration."""

    path: str
    model: type[BaseModel]

    @property
    def anchor(self) -> str:
        words = "".join(each if each.isalnum() else " " for each in f"{self.path} {_choice(self.model)}".lower())
        return "-".join(words.split()) or "top-level"


def reference(model: type[BaseModel] = Configuration, title: str = "Top-level keys", level: int = 2) -> str:
    """Return the reference of a settings model in Markdown: a section with a table of keys for each nested model.

    A model that occurs at several keys has its section at the first; the others link to it.

    Args:
        model: The model.
        title: Heading of the model's own keys.
        level: Level of that heading in Markdown.
    """
    sections: dict[type[BaseModel], _Section] = {model: _Section("", model)}
    _collect(model, "", sections)
    return "\n".join(_render(section, title, level, sections) for section in sections.values())


def _collect(model: type[BaseModel], path: str, sections: dict[type[BaseModel], _Section]) -> None:
    for name, field in model.model_fields.items():
        for part, inner in _models(field.annotation, f"{path}.{name}" if path else name):
            if inner not in sections:
                sections[inner] = _Section(part, inner)
                _collect(inner, part, sections)


def _models(annotation: Any, path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield each settings model that a type holds, with the key at which it is in the configuration."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield path, annotation
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _models(arguments[0], path)
    elif origin in (list, tuple):
        for argument in arguments:
            yield from _models(argument, f"{path}[]")
    elif origin is dict:
        yield from _models(arguments[1], f"{path}.NAME")
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from _models(argument, path)


def _render(section: _Section, title: str, level: int, sections: dict[type[BaseModel], _Section]) -> str:
    choice = _choice(section.model)
    heading = f"`{section.path}`" if section.path else title
    if section.path and choice:
        heading += f", `{choice}`"
    lines = [
        f"{'#' * (level + (section.path.count('.') > 0))} {heading} {{ #{section.anchor} }}",
        "",
        _text(section.model.__doc__ or ""),
        "",
        "| key | type | default | description |",
        "|---|---|---|---|",
        *(_row(name, field, sections) for name, field in section.model.model_fields.items()),
    ]
    return "\n".join([*lines, ""])


def _choice(model: type[BaseModel]) -> str:
    """Return `key: value` of the field that tells this model from its alternatives, such as `kind: focal`."""
    for name in ("kind", "objective"):
        field = model.model_fields.get(name)
        if field is not None and get_origin(field.annotation) is Literal:
            values = get_args(field.annotation)
            if len(values) == 1:
                return f"{name}: {values[0]}"
    return ""


def _row(name: str, field: FieldInfo, sections: dict[type[BaseModel], _Section]) -> str:
    inner = [model for _, model in _models(field.annotation, "")]
    kind = _cell(_type(field))
    if inner:
        kind = re.sub("mappings?", rf"[\g<0>](#{sections[inner[0]].anchor})", kind, count=1)
    description = field.description or (inner[0].__doc__ if inner else "") or ""
    return f"| {' | '.join((f'`{name}`', kind, _cell(_default(field)), _text(description)))} |"


def _type(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {value:g}"
        for metadata in field.metadata
        for name, sign in _BOUNDS.items()
        if (value := getattr(metadata, name, None)) is not None
    ]
    return ", ".join([_spell(field.annotation), *bounds])


def _spell(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is Annotated:
        return _spell(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{_yaml(value)}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_spell(argument) for argument in arguments))
    if origin in (list, tuple):
        inner = dict.fromkeys(_spell(argument) for argument in arguments if argument is not Ellipsis)
        return f"list of {' or '.join(_PLURALS.get(name, name) for name in inner)}"
    if origin is dict:
        return "mapping"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        changed = default.model_dump(mode="json", exclude_defaults=True)
        choice = _choice(type(default)) if not changed else ""
        return f"`{{{choice}}}`" if choice else f"`{_yaml(changed)}`" if changed else "its own defaults"
    return f"`{_yaml(default)}`"


def _yaml(value: Any) -> str:
    """Return a value on one line, as YAML writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_yaml(each) for each in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(each)}' for key, each in value.items())}}}"
    text = str(value)
    return f'"{text}"' if not text or text in ("|", ",") else text


def _cell(text: str) -> str:
    """Return a text that does not end a table's cell."""
    return text.replace("|", "\\|")


def _text(text: str) -> str:
    """Return the first paragraph of a text on one line, with what Markdown and HTML would interpret escaped."""
    line = " ".join(text.strip().split("\n\n")[0].split())
    for character in "<>*_|[]":
        line = line.replace(character, f"\\{character}")
    return line


if __name__ == "__main__":
    sys.stdout.write(reference())
