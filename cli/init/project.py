"""Writing of a project: the schema and the configuration of a data file, which run as they are."""

import glob
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from cli.init.columns import NO_HINTS, Hints, find_labels, find_text
from cli.init.survey import survey
from components.example_gen.formats.formats import format_of_file
from components.example_gen.parsing.settings import DelimitedLabels
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import InputFiles
from pipeline.config.json_schema import json_schema
from schema.errors import Refused
from schema.features import FEATURES
from schema.infer import infer_schema, schema_text

_ID_NAMES = ("id", "uuid", "key", "message_id", "comment_id", "row_id")
_JSON_SCHEMA = "pipeline.schema.json"
_HEAD = f"""\
# yaml-language-server: $schema={_JSON_SCHEMA}
# Inferred from the data; please review. Paths are relative to this file. An editor with a YAML language server explains
# and completes the keys; `bert-multilabel config show --config FILE` lists all of them.
"""


@dataclass(frozen=True)
class Project:
    """Project written for a data file.

    Attributes:
        schema: Path of the schema.
        configuration: Path of the configuration.
        rows: Number of rows that could be read.
        text: Column of the texts.
        labels: The label list.
        slices: Columns to evaluate slices by.
    """

    schema: Path
    configuration: Path
    rows: int
    text: str
    labels: Sequence[str]
    slices: Sequence[str]

    def describe(self) -> str:
        """Return what was found and written, in two lines."""
        return (
            f"{self.rows} rows; text in '{self.text}'; {len(self.labels)} labels: {', '.join(self.labels[:10])}"
            f"{', ...' if len(self.labels) > 10 else ''}; slices: {', '.join(self.slices) or 'none'}\n"
            f"Wrote {self.schema} and {self.configuration}"
        )


def write_project(data: Path, output: Path, hints: Hints = NO_HINTS) -> Project:
    """Infer the columns of a data file, and write schema.pbtxt, pipeline.yaml and the JSON Schema of the latter.

    Args:
        data: File in one of the input formats, which its name tells.
        output: Folder to write to; it is created if it does not exist.
        hints: What need not be inferred.

    Raises:
        Refused: There is no such file, it cannot be read, its columns cannot be told apart, or `output` already holds
            a schema or a configuration.
    """
    schema_file, configuration = output / "schema.pbtxt", output / "pipeline.yaml"
    for path in (schema_file, configuration):
        if path.exists():
            raise Refused(f"{path}: exists already; remove it, or give another --output")
    if not data.is_file():
        raise Refused(f"{data}: {'is a folder; name a file in it' if data.is_dir() else 'no such file'}")
    provisional = _provisional_settings(data)
    surveyed = survey(data, provisional)
    labels = find_labels(surveyed.columns, hints, provisional)
    text = find_text(surveyed.columns, hints, exclude=labels.settings.label_columns)
    used = {text, *labels.settings.label_columns}
    others = [column for column in surveyed.columns if column.is_in_every_row and column.name not in used]
    identifier = next((column.name for column in others if column.name.lower() in _ID_NAMES), None)
    slices = tuple(
        column.name
        for column in others
        if column.is_slice and column.name != identifier and column.name not in FEATURES
    )
    examples = provisional.model_copy(
        update={"id": identifier, "text": text, "labels": labels.settings, "slices": slices}
    )
    output.mkdir(parents=True, exist_ok=True)
    schema_file.write_text(schema_text(infer_schema(labels.names, slices)), encoding="utf-8")
    configuration.write_text(_configuration(_pipeline_name(data), examples, slices), encoding="utf-8")
    (output / _JSON_SCHEMA).write_text(f"{json.dumps(json_schema(), indent=1)}\n", encoding="utf-8")
    return Project(schema_file, configuration, surveyed.rows, text, labels.names, slices)


def _provisional_settings(data: Path) -> ExamplesSettings:
    """Return settings to read the file with before the columns of text and labels are known."""
    return ExamplesSettings(
        input_base=str(data.resolve().parent),
        format=format_of_file(str(data)).name,
        labels=DelimitedLabels(kind="delimited", column="labels"),
        inputs=(InputFiles(pattern=glob.escape(data.name), split={"train": 8, "eval": 1, "test": 1}),),
    )


def _pipeline_name(data: Path) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", data.name.lower().split(".")[0]).strip("-")
    return stem[:40].strip("-") or "pipeline"


def _configuration(name: str, examples: ExamplesSettings, slices: Sequence[str]) -> str:
    content = {
        "name": name,
        "work_dir": f"runs/{name}",
        "schema_file": "schema.pbtxt",
        "registry": f"runs/{name}/registry",
        "examples": examples.model_dump(mode="json"),
        "evaluation": {
            "slices": list(slices),
            # Lenient at first: raise the first bound to what the first run reaches.
            "gates": ["macro_f1 >= 0.3", "macro_f1 >= baseline - 0.01"],
        },
    }
    return _HEAD + str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))
