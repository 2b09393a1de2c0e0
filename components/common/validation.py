"""Explanations of pydantic's validation errors: one line, with the key, the value and the nearest known name."""

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from schema.nearest import close_match, nearest

Location = Sequence[str | int]


@dataclass(frozen=True)
class Problem:
    """The first error of a validation.

    Attributes:
        location: Keys and indexes that lead to the value; empty for the whole.
        message: One line: the key, what is wrong with it, and what to do.
        others: Number of further errors.
    """

    location: Location
    message: str
    others: int


def explain(error: ValidationError, model: type[BaseModel]) -> Problem:
    """Explain the first error of a validation.

    A misspelt key comes before the key that is missing because of it.

    Args:
        error: Raised by `model`'s validation.
        model: The validated model, whose keys are suggested for unknown ones.

    Example:
        >>> from components.common.settings import Settings
        >>> class Training(Settings):
        ...     epochs: int = 3
        >>> try:
        ...     Training.model_validate({"epoch": 4})
        ... except ValidationError as error:
        ...     print(explain(error, Training).message)
        unknown key 'epoch'; did you mean 'epochs'?
    """
    errors = error.errors()
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    location, known = _resolve(first["loc"], model)
    if first["type"] == "extra_forbidden":
        message = f"unknown key '{key_path(location)}'; {nearest(str(location[-1]), known)}"
    elif first["type"] == "missing":
        message = f"key '{key_path(location)}' is missing"
    else:
        message = at_key(location, _explain_value(first))
    return Problem(location, message, len(errors) - 1)


def at_key(location: Location, message: str) -> str:
    """Return a message that begins with the key that it is about, if it is about one."""
    return f"key '{key_path(location)}': {message}" if location else message


def key_path(location: Location) -> str:
    """Return a location as a person writes it.

    Example:
        >>> key_path(("texts", 0, "cases", 2, "given"))
        'texts[0].cases[2].given'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _explain_value(error: Any) -> str:
    """Return what is wrong with a value, and the value where pydantic's message leaves it out."""
    value, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "value_error":  # raised by a validator of ours: its message is whole, and may hold back a secret
            return str(context["error"])
        case "too_short" if context["min_length"] == 1:
            return "is empty; give at least one, or take it out"
        case "model_type" | "model_attributes_type":
            return f"must be a mapping of keys, got {value!r}"
        case "literal_error":
            allowed = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
            match = close_match(str(value), allowed)
            return f"{error['msg']}, got {value!r}" + (f"; did you mean '{match}'?" if match else "")
    return f"{error['msg']}, got {value!r}"


# === The models behind a location ===


def _resolve(location: Location, model: type[BaseModel]) -> tuple[Location, list[str]]:
    """Return a location without the tags that pydantic puts into it for unions, and the keys known beside its end."""
    annotation: Any = model
    keys: list[str] = []
    path: list[str | int] = []
    for part in location:
        if _is_tag(part, annotation):
            annotation = next((each for each in _models(annotation) if _is_tag_of(part, each)), annotation)
            continue
        path.append(part)
        keys = sorted({key for each in _models(annotation) for key in each.model_fields})
        annotation = _below(annotation, part)
    return tuple(path), keys


def _is_tag(part: str | int, annotation: Any) -> bool:
    """Return whether a part of a location names a member of a union, and is not a key or an index."""
    if isinstance(part, int) or annotation is None:
        return False
    models = _models(annotation)
    is_key = any(part in each.model_fields for each in models)
    if is_key or any(get_origin(each) is dict for each in _members(annotation)):
        return False
    return not models or any(_is_tag_of(part, each) for each in models)


def _is_tag_of(part: str | int, model: type[BaseModel]) -> bool:
    """Return whether pydantic calls a model `part` in a union: by its name, or by the value of its discriminator."""
    annotations = (field.annotation for field in model.model_fields.values())
    literals = {value for each in annotations if get_origin(each) is Literal for value in get_args(each)}
    return part == model.__name__ or part in literals


def _below(annotation: Any, part: str | int) -> Any:
    """Return the annotation of a key or an entry; None if the annotation has no such part."""
    for each in _members(annotation):
        if get_origin(each) in (list, dict):
            return get_args(each)[-1]
    fields = [each.model_fields[str(part)] for each in _models(annotation) if part in each.model_fields]
    return fields[0].annotation if fields else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [each for each in _members(annotation) if isinstance(each, type) and issubclass(each, BaseModel)]


def _members(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows, out of unions and `Annotated`."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for each in get_args(annotation):
            yield from _members(each)
    else:
        yield annotation
