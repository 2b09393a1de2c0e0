"""`bert-multilabel init`: from a data file to a schema and a configuration that runs as it stands."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from components.example_gen.inputs import read_table
from components.example_gen.rows import Row
from components.example_gen.settings import DelimitedLabels, ExamplesSettings, IndicatorLabels, InputFiles
from components.files import open_input
from schema.errors import Refused
from schema.infer import infer_schema, schema_text

_TEXT_NAMES = ("text", "message", "comment", "comment_text", "body", "content", "sentence", "review", "description")
_LABEL_NAMES = ("labels", "label", "tags", "tag", "categories", "category", "topics", "classes", "genres", "emotions")
_ID_NAMES = ("id", "uuid", "key", "message_id", "comment_id", "row_id")
_DELIMITERS = ("|", ";", ",", " ")
# A column of more distinct values than this is no label column and no slice.
_MOST_VALUES = 5_000
_MOST_SLICE_VALUES = 20


@dataclass(frozen=True)
class Written:
    """What `write_project` wrote and what it found in the data."""

    schema: Path
    configuration: Path
    rows: int
    text: str
    labels: Sequence[str]
    slices: Sequence[str]

    def in_words(self) -> str:
        return (
            f"{self.rows} rows; text in '{self.text}'; {len(self.labels)} labels: {', '.join(self.labels[:10])}"
            f"{', ...' if len(self.labels) > 10 else ''}; slices: {', '.join(self.slices) or 'none'}\n"
            f"Wrote {self.schema} and {self.configuration}"
        )


@dataclass
class _Column:
    """What is seen of a column: its distinct values up to a limit, and how long they are."""

    name: str
    values: Counter[str] = field(default_factory=Counter)
    characters: int = 0
    rows: int = 0

    def see(self, value: str) -> None:
        self.rows += 1
        self.characters += len(value)
        if len(self.values) <= _MOST_VALUES or value in self.values:
            self.values[value] += 1

    @property
    def is_indicator(self) -> bool:
        return set(self.values) <= {"0", "1"}

    @property
    def is_slice(self) -> bool:
        return 1 < len(self.values) <= _MOST_SLICE_VALUES


def write_project(
    data: Path, output: Path, *, text: str | None = None, labels: str | None = None, delimiter: str | None = None
) -> Written:
    """Infers where text and labels are, and writes schema.pbtxt and pipeline.yaml.

    Args:
        data: CSV or TSV (also .gz) with a header.
        output: The folder to write to.
        text: The text column; None infers it.
        labels: The column of delimited labels; None infers it, or columns of 0 and 1.
        delimiter: Between two labels; None infers it.

    Raises:
        Refused: There is no such file, it cannot be read, its columns cannot be told apart, or `output` already holds
            one of the files.
    """
    written = [output / "schema.pbtxt", output / "pipeline.yaml"]
    for path in written:
        if path.exists():
            raise Refused(f"{path}: already there; remove it, or give another --output")
    file_format: Literal["csv", "tsv"] = "tsv" if re.search(r"\.tsv(\.gz)?$", data.name) else "csv"
    columns = _survey(data, file_format)
    label_settings, names = _find_labels(columns, labels, delimiter, text)
    text_column = _find_text(columns, text, exclude=label_settings.label_columns)
    used = {text_column, *label_settings.label_columns}
    identifier = next((c.name for c in columns if c.name.lower() in _ID_NAMES and c.name not in used), None)
    slices = [c.name for c in columns if c.is_slice and c.name not in used and c.name != identifier]
    examples = ExamplesSettings(
        input_base=str(data.resolve().parent),
        format=file_format,
        id=identifier,
        text=text_column,
        labels=label_settings,
        slices=tuple(slices),
        inputs=(InputFiles(pattern=data.name, split={"train": 8, "eval": 1, "test": 1}),),
    )
    output.mkdir(parents=True, exist_ok=True)
    written[0].write_text(schema_text(infer_schema(names, slices)), encoding="utf-8")
    written[1].write_text(_configuration(_pipeline_name(data), examples, slices), encoding="utf-8")
    return Written(written[0], written[1], columns[0].rows, text_column, names, slices)


def _survey(data: Path, file_format: str) -> list[_Column]:
    if not data.is_file():
        raise Refused(f"{data}: no such file")
    # What a table is read with; where its text and labels are is still to be found.
    provisional = ExamplesSettings.model_validate({
        "input_base": str(data.parent), "format": file_format, "labels": {"kind": "delimited", "column": "labels"},
        "inputs": [{"pattern": data.name, "split": {"train": 1, "eval": 1, "test": 1}}],
    })  # fmt: skip
    with open_input(str(data)) as stream:
        table = read_table(stream, provisional, str(data))
        columns = [_Column(name) for name in table.columns]
        for row in table.rows:
            if isinstance(row, Row):
                for column, value in zip(columns, row.values, strict=True):
                    column.see(value)
    if not columns or not columns[0].rows:
        raise Refused(f"{data}: no row could be read; is it {file_format.upper()} in UTF-8 with a header?")
    return columns


def _find_labels(
    columns: Sequence[_Column], labels: str | None, delimiter: str | None, text: str | None
) -> tuple[DelimitedLabels | IndicatorLabels, list[str]]:
    indicators = tuple(column.name for column in columns if column.is_indicator)
    if labels is None and len(indicators) > 1:
        return IndicatorLabels(kind="indicators", columns=indicators), list(indicators)
    candidates = [c for c in columns if c.name != text]
    column = _named(candidates, labels, "--labels") if labels else _first_named(candidates, _LABEL_NAMES)
    if column is None:
        raise Refused(f"the columns are {', '.join(c.name for c in columns)}: name the one with the labels by --labels")
    if len(column.values) > _MOST_VALUES:
        raise Refused(
            f"column '{column.name}' has over {_MOST_VALUES} different values; is it the labels? see --labels"
        )
    mark = delimiter or _likeliest_delimiter(column)
    names = sorted({name for value in column.values for name in _split(value, mark)})
    if not names:
        raise Refused(f"column '{column.name}' holds no label; name another by --labels")
    return DelimitedLabels(kind="delimited", column=column.name, delimiter=mark), names


def _likeliest_delimiter(column: _Column) -> str:
    """The delimiter that leaves the fewest distinct labels, in the order of preference where that is equal."""
    used = [mark for mark in _DELIMITERS if any(mark in value for value in column.values)]
    distinct = {mark: len({name for value in column.values for name in _split(value, mark)}) for mark in used}
    # A blank within a label ("account access") is commoner than labels with blanks between them.
    preferred = [mark for mark in used if mark != " "] or used
    return min(preferred, key=lambda mark: distinct[mark]) if preferred else "|"


def _split(value: str, delimiter: str) -> Iterator[str]:
    return (name.strip() for name in value.split(delimiter) if name.strip())


def _find_text(columns: Sequence[_Column], text: str | None, exclude: Sequence[str]) -> str:
    candidates = [c for c in columns if c.name not in exclude]
    column = _named(candidates, text, "--text") if text else _first_named(candidates, _TEXT_NAMES)
    if column is None:
        if not candidates:
            raise Refused("no column is left for the text; name it by --text")
        column = max(candidates, key=lambda c: c.characters)
    return column.name


def _first_named(columns: Sequence[_Column], names: Sequence[str]) -> _Column | None:
    by_name = {column.name.lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def _named(columns: Sequence[_Column], name: str, option: str) -> _Column:
    for column in columns:
        if column.name == name:
            return column
    raise Refused(f"{option} {name}: no such column (there are: {', '.join(column.name for column in columns)})")


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
