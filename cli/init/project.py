"""`bert-multilabel init`: from a data file to a schema and a configuration that runs as it stands."""

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from cli.init.survey import MOST_VALUES, Column, survey
from components.example_gen.formats.format import Format
from components.example_gen.formats.formats import format_named, format_of_file
from components.example_gen.formats.values import printable
from components.example_gen.parsing.labels import read_label_names, split_labels
from components.example_gen.parsing.settings import (
    DelimitedLabels,
    IndexedLabels,
    IndicatorLabels,
    LabelSettings,
    ListLabels,
)
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import InputFiles
from schema.errors import Refused
from schema.features import FEATURES
from schema.infer import infer_schema, schema_text

_TEXT_NAMES = ("text", "message", "comment", "comment_text", "body", "content", "sentence", "review", "description")
_LABEL_NAMES = ("labels", "label", "tags", "tag", "categories", "category", "topics", "classes", "genres", "emotions")
_ID_NAMES = ("id", "uuid", "key", "message_id", "comment_id", "row_id")
_DELIMITERS = ("|", ";", ",", " ")
_MOST_COLUMNS_NAMED = 40


@dataclass(frozen=True)
class Written:
    """What `write_project` wrote and what it found in the data."""

    schema: Path
    configuration: Path
    rows: int
    text: str
    labels: Sequence[str]
    slices: Sequence[str]

    def describe(self) -> str:
        return (
            f"{self.rows} rows; text in '{self.text}'; {len(self.labels)} labels: {', '.join(self.labels[:10])}"
            f"{', ...' if len(self.labels) > 10 else ''}; slices: {', '.join(self.slices) or 'none'}\n"
            f"Wrote {self.schema} and {self.configuration}"
        )


@dataclass(frozen=True)
class Hints:
    """What a person says about the data; None is inferred.

    Attributes:
        text: The text column.
        labels: The column of labels.
        delimiter: Between two labels.
        label_names: The file that labels given as positions point into, one label a line.
    """

    text: str | None = None
    labels: str | None = None
    delimiter: str | None = None
    label_names: Path | None = None


def write_project(data: Path, output: Path, hints: Hints = Hints()) -> Written:
    """Infers where text and labels are, and writes schema.pbtxt and pipeline.yaml.

    Args:
        data: CSV or TSV with a header, JSON Lines, TFRecord of tf.Examples (each also .gz) or Parquet, by its name.
        output: The folder to write to.
        hints: What is not to be inferred.

    Raises:
        Refused: There is no such file, it cannot be read, its columns cannot be told apart, or `output` already holds
            one of the files.
    """
    written = [output / "schema.pbtxt", output / "pipeline.yaml"]
    for path in written:
        if path.exists():
            raise Refused(f"{path}: already there; remove it, or give another --output")
    if not data.is_file():
        raise Refused(f"{data}: {'is a folder; name a file in it' if data.is_dir() else 'no such file'}")
    provisional = _provisional(data)
    columns, rows = survey(data, provisional)
    label_settings, names = _find_labels(columns, hints, provisional)
    text = _find_text(columns, hints.text, exclude=label_settings.label_columns)
    used = {text, *label_settings.label_columns}
    free = [c for c in columns if c.is_in_every_row and c.name not in used]
    identifier = next((c.name for c in free if c.name.lower() in _ID_NAMES), None)
    slices = tuple(c.name for c in free if c.is_slice and c.name != identifier and c.name not in FEATURES)
    examples = provisional.model_copy(
        update={"id": identifier, "text": text, "labels": label_settings, "slices": slices}
    )
    output.mkdir(parents=True, exist_ok=True)
    written[0].write_text(schema_text(infer_schema(names, slices)), encoding="utf-8")
    written[1].write_text(_configuration(_pipeline_name(data), examples, slices), encoding="utf-8")
    return Written(written[0], written[1], rows, text, names, slices)


def _provisional(data: Path) -> ExamplesSettings:
    """What a table is read with; where its text and labels are is still to be found."""
    return ExamplesSettings(
        input_base=str(data.resolve().parent),
        format=format_of_file(str(data)).name,
        labels=DelimitedLabels(kind="delimited", column="labels"),
        inputs=(InputFiles(pattern=glob.escape(data.name), split={"train": 8, "eval": 1, "test": 1}),),
    )


def _find_labels(
    columns: Sequence[Column], hints: Hints, settings: ExamplesSettings
) -> tuple[LabelSettings, Sequence[str]]:
    candidates = [c for c in columns if c.name != hints.text]
    named = _named(candidates, hints.labels, "--labels") if hints.labels else None
    if hints.label_names is not None:
        return _indexed_labels(named, candidates, hints, settings)
    named = named or _first_named([c for c in candidates if c.is_list], _LABEL_NAMES)
    indicators = tuple(column.name for column in candidates if column.is_indicator)
    if named is None and len(indicators) > 1:
        return IndicatorLabels(kind="indicators", columns=indicators), list(indicators)
    column = named or _first_named(candidates, _LABEL_NAMES) or _only([c for c in candidates if c.is_list])
    if column is None:
        raise Refused(f"the columns are {_list_of(columns)}: name the one with the labels by --labels")
    return _labels_themselves(column, hints.delimiter, format_named(settings.format))


def _labels_themselves(
    column: Column, delimiter: str | None, file_format: Format
) -> tuple[LabelSettings, Sequence[str]]:
    if len(column.values) > MOST_VALUES:
        raise Refused(f"column '{column.name}' has over {MOST_VALUES} different values; is it the labels? see --labels")
    mark = delimiter or _likeliest_delimiter(column)
    # Lists of one in every tf.Example may stand for delimited strings, but not for words between blanks.
    is_list = column.is_list or (file_format.wraps_in_lists and not delimiter and mark == " ")
    parts = (part for value in column.values for part in ([value] if is_list else value.split(mark)))
    names = sorted({name for part in parts if (name := part.strip())})
    if not names:
        raise Refused(f"column '{column.name}' holds no label; name another by --labels")
    if is_list:
        return ListLabels(kind="list", column=column.name), names
    return DelimitedLabels(kind="delimited", column=column.name, delimiter=mark), names


def _indexed_labels(
    named: Column | None, candidates: Sequence[Column], hints: Hints, settings: ExamplesSettings
) -> tuple[LabelSettings, Sequence[str]]:
    """Labels as positions in a file, which must lie where the configuration can name it: beside the data or below."""
    file, base = Path(str(hints.label_names)), Path(settings.input_base)
    if not file.resolve().is_relative_to(base):
        raise Refused(f"--label-names {file}: it must lie in {base}, beside the data, or below; move it there")
    column = named or _first_named(candidates, _LABEL_NAMES) or _only([c for c in candidates if _holds_positions(c)])
    if column is None:
        raise Refused(f"the columns are {_list_of(candidates)}: name the one with the positions by --labels")
    marks = [hints.delimiter] if hints.delimiter else [",", *_DELIMITERS]
    mark = next((mark for mark in marks if _holds_positions(column, mark)), marks[0])
    labels = IndexedLabels(
        kind="indices", column=column.name, delimiter=mark, names=file.resolve().relative_to(base).as_posix()
    )
    names = read_label_names(labels, settings.input_base)
    for index in (index for value in column.values for index in split_labels(value, mark)):
        if not (_is_position(index) and int(index) < len(names)):
            raise Refused(f"column '{column.name}' holds '{printable(index)}', no position in {file}; see --labels")
    return labels, names


def _holds_positions(column: Column, delimiter: str = ",") -> bool:
    indices = [index for value in column.values for index in split_labels(value, delimiter)]
    return bool(indices) and all(map(_is_position, indices))


def _is_position(index: str) -> bool:
    return index.isascii() and index.isdigit() and len(index) < 10


def _likeliest_delimiter(column: Column) -> str:
    """The delimiter that leaves the fewest distinct labels, in the order of preference where that is equal."""
    used = [mark for mark in _DELIMITERS if any(mark in value for value in column.values)]
    distinct = {mark: len({name for value in column.values for name in split_labels(value, mark)}) for mark in used}
    # A blank within a label ("account access") is commoner than labels with blanks between them.
    preferred = [mark for mark in used if mark != " "] or used
    return min(preferred, key=lambda mark: distinct[mark]) if preferred else "|"


def _find_text(columns: Sequence[Column], text: str | None, exclude: Sequence[str]) -> str:
    candidates = [c for c in columns if c.name not in exclude and not c.is_list]
    column = _named(candidates, text, "--text") if text else _first_named(candidates, _TEXT_NAMES)
    if column is None:
        if not candidates:
            raise Refused("no column is left for the text; name it by --text")
        column = max(candidates, key=lambda c: c.characters)
    return column.name


def _first_named(columns: Sequence[Column], names: Sequence[str]) -> Column | None:
    by_name = {column.name.lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _only(columns: Sequence[Column]) -> Column | None:
    return columns[0] if len(columns) == 1 else None


def _named(columns: Sequence[Column], name: str, option: str) -> Column:
    for column in columns:
        if column.name == name:
            return column
    raise Refused(f"{option} {name}: no such column (there are: {_list_of(columns)})")


def _list_of(columns: Sequence[Column]) -> str:
    more = ", ..." if len(columns) > _MOST_COLUMNS_NAMED else ""
    return ", ".join(printable(column.name) for column in columns[:_MOST_COLUMNS_NAMED]) + more


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
            # Lenient to begin with: raise the first bound to what the first run reaches.
            "gates": ["macro_f1 >= 0.3", "macro_f1 >= baseline - 0.01"],
        },
    }
    head = (
        "# Inferred from the data: look through it. Paths are relative to this file; configs/template.yaml in the\n"
        "# project explains every key.\n"
    )
    return head + str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))
