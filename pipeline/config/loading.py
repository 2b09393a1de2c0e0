"""From a YAML file and `--set` to a checked configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from components.checkpoints.find import is_path
from pipeline.config.configuration import Configuration
from schema.errors import Refused
from schema.nearest import nearest

# Keys whose value is a path: relative to the configuration's file, or to the current folder where --set gives them.
_PATH_KEYS = (
    *("work_dir", "schema_file", "registry", "examples.input_base", "checkpoint", "behaviour"),
    *("beam.flink.job_server_jar", "beam.spark.job_server_jar"),
)


def load_configuration(path: Path, overrides: Sequence[str] = ()) -> Configuration:
    """Reads and checks a configuration.

    Args:
        path: The YAML file.
        overrides: `a.b=value` each, the value in YAML; they replace what the file says.

    Raises:
        Refused: The file cannot be read, or a key is unknown, missing or wrong.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"{path}: no such configuration") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise Refused(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise Refused(f"{path}: a configuration is a mapping of keys, see configs/template.yaml")
    _make_absolute(raw, path.resolve().parent)
    for override in overrides:
        _apply(raw, override)
    try:
        return Configuration.model_validate(raw)
    except ValidationError as error:
        raise Refused(f"{path}: {_in_words(error)}") from None


def _apply(raw: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise Refused(f"--set {override}: write it as key=value, for example --set training.epochs=1")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise Refused(f"--set {override}: the value is not YAML") from None
    nested: dict[str, Any] = value
    *parents, last = key.split(".")
    target = raw
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise Refused(f"--set {override}: {parent} has no keys below it")
    target[last] = nested
    if key in _PATH_KEYS:
        _make_absolute(raw, Path.cwd(), keys=(key,))


def _make_absolute(raw: dict[str, Any], base: Path, keys: Sequence[str] = _PATH_KEYS) -> None:
    for key in keys:
        *parents, last = key.split(".")
        target: Any = raw
        for parent in parents:
            target = target.get(parent) if isinstance(target, dict) else None
        value = target.get(last) if isinstance(target, dict) else None
        if isinstance(value, str) and (is_path(value) if key == "checkpoint" else "://" not in value):
            target[last] = str((base / Path(value).expanduser()).resolve())


def _in_words(error: ValidationError) -> str:
    """The first thing that is wrong, in one line: the key, what is wrong with it, and the nearest known key."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _keys_beside(first["loc"])
        return f"unknown key '{key}'; {nearest(str(first['loc'][-1]), known)}{more}"
    if first["type"] == "missing":
        return f"key '{key}' is missing{more}"
    message = first["msg"].removeprefix("Value error, ")
    got = "" if first["type"] == "value_error" else f", got {first['input']!r}"
    return f"key '{key}': {message}{got}{more}" if key else f"{message}{more}"


def _keys_beside(location: Sequence[int | str]) -> list[str]:
    """The keys that the model holding `location` knows; none where the location runs through a union."""
    model: type[BaseModel] | None = Configuration
    names_entry = False
    for part in location[:-1]:
        if names_entry:  # a position in a list, a name in a mapping of the person's own
            names_entry = False
            continue
        field = None if model is None else model.model_fields.get(str(part))
        model = None if field is None else _model_of(field.annotation)
        names_entry = field is not None and get_origin(field.annotation) in (list, dict)
    return [] if model is None else sorted(model.model_fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The settings that a field holds, or may hold (`NotifySettings | None`); None if it is of another kind."""
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    models = [kind for kind in kinds if issubclass(kind, BaseModel)]
    return models[0] if len(models) == 1 else None
