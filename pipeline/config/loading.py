"""Loading of a configuration: a YAML file, whose keys the command line may replace, checked as a whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.checkpoints.find import is_path
from components.common.secrets import without_secret_value
from components.common.validation import explain
from components.common.yaml_text import InvalidYamlError, parse_yaml
from pipeline.config.configuration import Configuration
from schema.errors import Refused
from schema.visible import in_one_line

# Keys whose value is a path. It is relative to the file's folder or, given with --set, to the current folder.
_PATH_KEYS = (
    *("work_dir", "schema_file", "registry", "examples.input_base", "checkpoint", "behaviour"),
    *("scoring.input_base", "scoring.output", "watch.log", "watch.scores"),
    "tracking.mlflow.uri",
    *("beam.flink.job_server_jar", "beam.spark.job_server_jar"),
)


def load_configuration(path: Path, overrides: Sequence[str] = ()) -> Configuration:
    """Read and check a configuration.

    Args:
        path: The YAML file.
        overrides: Keys with the values that replace those of the file, each as `a.b=value`, the value in YAML.

    Returns:
        The configuration, with absolute paths.

    Raises:
        Refused: The file cannot be read, or a key is unknown, missing or wrong.
    """
    content = _read_yaml(path)
    _make_absolute(content, path.resolve().parent, _PATH_KEYS)
    for override in overrides:
        replace_key(content, override)
    try:
        return _of_pipeline(Configuration.model_validate(content))
    except ValidationError as error:
        problem = explain(error, Configuration)
        more = f" (and {problem.others} more)" if problem.others else ""
        raise Refused(f"{path}: {problem.message}{more}") from None


def _of_pipeline(config: Configuration) -> Configuration:
    """Give the scoring pipeline a name and a working directory of its own, so that it is scheduled beside training."""
    if config.pipeline == "train":
        return config
    return config.model_copy(update={"name": f"{config.name}-score", "work_dir": f"{config.work_dir}/score"})


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Refused(f"{path}: no such configuration") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: cannot be read: {error}") from None
    except InvalidYamlError as error:
        raise Refused(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise Refused(f"{path}: a configuration is a mapping of keys; bert-multilabel init writes one from your data")
    return content


def replace_key(content: dict[str, Any], override: str) -> None:
    """Replace a key of a configuration that is not checked yet.

    Args:
        content: The configuration.
        override: `a.b=value`, the value in YAML.

    Raises:
        Refused: It is no such assignment.
    """
    shown = in_one_line(without_secret_value(override))
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise Refused(f"--set {shown}: write it as key=value, for example --set training.epochs=1")
    try:
        value = parse_yaml(text)
    except InvalidYamlError:
        raise Refused(
            f"--set {shown}: the value is not YAML; quote texts with special characters, for example"
            """ --set 'evaluation.gates=["f1[*] >= 0.3"]'"""
        ) from None
    *parents, last = key.split(".")
    target = content
    for parent in parents:
        target = target.setdefault(parent, {})
        if not isinstance(target, dict):
            raise Refused(f"--set {shown}: {parent} has no keys below it")
    target[last] = value
    if key in _PATH_KEYS:
        _make_absolute(content, Path.cwd(), (key,))


def _make_absolute(content: dict[str, Any], base: Path, keys: Sequence[str]) -> None:
    """Replace relative paths of these keys by absolute ones; addresses and names of checkpoints stay."""
    for key in keys:
        *parents, last = key.split(".")
        target: Any = content
        for parent in parents:
            target = target.get(parent) if isinstance(target, dict) else None
        value = target.get(last) if isinstance(target, dict) else None
        if isinstance(value, str) and (is_path(value) if key == "checkpoint" else "://" not in value):
            target[last] = str((base / Path(value).expanduser()).resolve())
