"""From a YAML file and `--set` to a checked configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from components.checkpoints.find import is_path
from components.common.validation import explain
from pipeline.config.configuration import Configuration
from schema.errors import Refused

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
        problem = explain(error, Configuration)
        more = f" (and {problem.others} more)" if problem.others else ""
        raise Refused(f"{path}: {problem.message}{more}") from None


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
