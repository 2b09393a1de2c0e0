"""Configuration of one scoring: from a pipeline's configuration, options of the command line, or both."""

import glob
import os
import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from components.common.files import is_remote
from components.common.settings import Settings
from components.common.validation import explain
from components.example_gen.formats.formats import format_named, format_of_file
from components.example_gen.formats.settings import FormatSettings
from pipeline.config.beam import BeamSettings
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration, replace_key
from schema.errors import Refused
from serving.scoring.settings import ScoringSettings

# Keys of `examples` that hold for rows to score as well, where a configuration has no `scoring`.
_OF_EXAMPLES = (*FormatSettings.model_fields, "read_method", "id", "text", "text_pair", "slices")


class ScoreConfiguration(Settings):
    """Configuration of one scoring."""

    name: str = Field("score", description="Name of Beam's jobs.")
    scoring: ScoringSettings = Field(description="The rows, and what is written of them.")
    beam: BeamSettings = Field(BeamSettings(), description="Where Beam does the work.")


def score_configuration(
    path: Path | None,
    overrides: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    inputs: Sequence[str] = (),
    beam: Mapping[str, Any] | None = None,
) -> ScoreConfiguration:
    """Return the configuration of a scoring.

    Args:
        path: Configuration of a pipeline, whose `scoring` is used or, if it has none, the columns of its `examples`;
            None: everything comes from the other arguments.
        overrides: Keys with values that replace those of the file: `scoring.KEY=VALUE`, and others if there is a file.
        options: Values that replace keys of `scoring`; None stands for an option that was not given.
        inputs: Files or glob patterns, which replace `scoring.inputs`.
        beam: Values that replace keys of `beam`, as for `options`.

    Raises:
        Refused: A key or a value is wrong, or files and formats do not fit each other.
    """
    own = [override for override in overrides if override.startswith("scoring.")]
    others = [override for override in overrides if override not in own]
    config = None if path is None else load_configuration(path, others)
    content: dict[str, Any] = {"scoring": {}, "beam": {}}
    if config is None:
        for override in others:
            if not override.startswith("beam."):
                raise Refused(f"--set {override.partition('=')[0]}: without --config, set scoring.* and beam.* only")
            replace_key(content, override)
    else:
        content = {"name": config.name, "scoring": _scoring_of(config), "beam": config.beam.model_dump(mode="json")}
    content["beam"] |= _given(beam)
    scoring = content["scoring"]
    scoring |= _given(options)
    if inputs:
        _set_inputs(scoring, inputs)
    for override in own:
        replace_key(content, override)
    try:
        return ScoreConfiguration.model_validate(content)
    except ValidationError as error:
        raise Refused(f"{path or 'score'}: {explain(error, ScoreConfiguration).message}") from None


def _given(options: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (options or {}).items() if value is not None}


def _scoring_of(config: Configuration) -> dict[str, Any]:
    settings = config.scoring or config.examples
    content = {**settings.model_dump(mode="json", exclude_unset=True), "format": settings.format}
    return content if config.scoring else {key: value for key, value in content.items() if key in _OF_EXAMPLES}


def _set_inputs(scoring: dict[str, Any], inputs: Sequence[str]) -> None:
    """Set base, patterns and format of files that were named one by one."""
    if len({is_remote(name) for name in inputs}) > 1:
        raise Refused("--input: some files are local and some are remote; score them one after the other")
    remote = is_remote(inputs[0])
    paths = [name if remote else os.path.abspath(Path(name).expanduser()) for name in inputs]  # noqa: PTH100
    base = posixpath.commonpath([_folder(path) for path in paths])
    if remote:  # commonpath has made one slash of two
        base = base.replace(":/", "://", 1)
    patterns = [path.removeprefix(base).lstrip("/") for path in paths]
    patterns = [
        glob.escape(pattern) if not remote and Path(path).is_file() else pattern
        for path, pattern in zip(paths, patterns, strict=True)
    ]
    scoring |= {"input_base": base, "inputs": [{"pattern": pattern} for pattern in dict.fromkeys(patterns)]}
    scoring.pop("spans", None)
    _set_format(scoring, inputs)


def _folder(path: str) -> str:
    """Return the folder of a file or of a pattern, above its first wildcard."""
    if not is_remote(path) and Path(path).exists():
        return posixpath.dirname(path)
    parts = path.split("/")
    plain = next((index for index, part in enumerate(parts) if glob.has_magic(part) or "{" in part), len(parts) - 1)
    return "/".join(parts[: min(plain, len(parts) - 1)]) or "/"


def _set_format(scoring: dict[str, Any], inputs: Sequence[str]) -> None:
    configured = scoring.get("format")
    formats = dict.fromkeys(_format_of(name, configured) for name in inputs)
    if len(formats) > 1:
        raise Refused(f"--input: files of several formats ({', '.join(formats)}); score them one after the other")
    (found,) = formats
    if found != (configured or found):
        for key in FormatSettings.model_fields:  # of files in another format
            scoring.pop(key, None)
    scoring["format"] = found


def _format_of(name: str, configured: str | None) -> str:
    try:
        found = format_of_file(name)
    except Refused:
        if configured is None:
            raise
        return configured
    # Delimited files of one format often have the suffix of another: the separator says what they are.
    is_delimited = configured is not None and configured != "bigquery" and bool(format_named(configured).separator)
    return configured if configured is not None and is_delimited and found.separator else found.name
