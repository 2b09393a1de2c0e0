"""The `examples` block of the configuration: which files are read, how, and into which split each row goes."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveInt,
    StrictInt,
    Tag,
    field_validator,
    model_validator,
)

from components.common.settings import Settings
from schema.features import FEATURES

Format = Literal["csv", "tsv", "jsonl", "parquet", "tfrecord", "bigquery"]
Split = Literal["train", "eval", "test"]
SPLITS: tuple[Split, ...] = ("train", "eval", "test")

ColumnName = Annotated[str, Field(min_length=1)]
Weights = Annotated[dict[Split, Annotated[StrictInt, Field(gt=0)]], Field(min_length=1)]


class DelimitedLabels(Settings):
    """All labels of a row in one column: `joy|anger`."""

    kind: Literal["delimited"] = Field(description="One column holds the labels themselves, with a delimiter between.")
    column: ColumnName = Field(description="The column that holds the labels; blank means none.")
    delimiter: str = Field(default="|", min_length=1, description="What stands between two labels.")

    @property
    def label_columns(self) -> tuple[str, ...]:
        return (self.column,)


class IndicatorLabels(Settings):
    """One 0/1 column per label; the label is the column's name."""

    kind: Literal["indicators"] = Field(description="One column per label holds 0 or 1.")
    columns: tuple[ColumnName, ...] = Field(min_length=1, description="The columns, each the name of its label.")

    @property
    def label_columns(self) -> tuple[str, ...]:
        return self.columns


class IndexedLabels(Settings):
    """Positions in a list of labels, as GoEmotions has them: `4,27`."""

    kind: Literal["indices"] = Field(description="One column holds 0-based positions in a list of labels.")
    column: ColumnName = Field(
        description="The column that holds the positions, with a delimiter between or as a list; blank means none."
    )
    delimiter: str = Field(default=",", min_length=1, description="What stands between two positions.")
    names: str = Field(min_length=1, description="The list: a UTF-8 file below input_base, one label a line.")

    @property
    def label_columns(self) -> tuple[str, ...]:
        return (self.column,)


class ListLabels(Settings):
    """A list of the labels themselves, in formats that have lists: `["joy", "anger"]`."""

    kind: Literal["list"] = Field(description="One column holds a list of the labels themselves.")
    column: ColumnName = Field(description="The column that holds the list; null or empty means none.")

    @property
    def label_columns(self) -> tuple[str, ...]:
        return (self.column,)


LabelSettings = Annotated[DelimitedLabels | IndicatorLabels | IndexedLabels | ListLabels, Field(discriminator="kind")]


class InputFiles(Settings):
    """Some of the files or rows, and the split or splits that they go to."""

    pattern: str | None = Field(
        default=None,
        min_length=1,
        description="Glob of files below input_base (*.gz is decompressed); no file may match two patterns. With"
        " {SPAN}, {VERSION} or {YYYY}-{MM}-{DD} in it, as TFX has them, the files come in spans.",
    )
    query: str | None = Field(
        default=None,
        min_length=1,
        description="bigquery, instead of a pattern: a SELECT. @span_begin_timestamp, @span_end_timestamp and"
        " @span_yyyymmdd_utc, as TFX has them, make each UTC day a span.",
    )
    # Told apart by hand: a plain union answers a mistake in one form with a complaint about the other as well.
    split: Annotated[
        Annotated[Split, Tag("name")] | Annotated[Weights, Tag("weights")],
        Discriminator(lambda value: "name" if isinstance(value, str) else "weights"),
    ] = Field(
        description="Where the rows go: one split, or a weight per split ({train: 9, eval: 1}) to share them by hash."
    )

    @property
    def source(self) -> str:
        """The pattern or the query."""
        return self.pattern or self.query or ""

    @property
    def weights(self) -> tuple[tuple[Split, int], ...]:
        """(split, weight) in the order of SPLITS, whatever the order in the file: the order decides who gets what."""
        if isinstance(self.split, str):
            return ((self.split, 1),)
        return tuple((split, self.split[split]) for split in SPLITS if split in self.split)


class SpanRange(Settings):
    """Which spans are read, where inputs come in spans. A date in the inputs is a span: days since 1970-01-01."""

    last: PositiveInt | None = Field(default=1, description="So many of the newest spans; null: all.")
    skip_newest: NonNegativeInt = Field(default=0, description="So many of the newest are left out beforehand.")
    not_before: int | date | None = Field(default=None, description="Spans before this number or date are left out.")
    not_after: int | date | None = Field(default=None, description="Spans after this number or date are left out.")


class ExamplesSettings(Settings):
    """What the ExampleGen reads and how."""

    input_base: str = Field(
        default="", description="The folder, local or remote (gs://), that holds the data; bigquery needs none."
    )
    format: Format = Field(
        default="csv",
        description="csv: fields are separated by commas; tsv: by tabs; jsonl: a JSON object a line; parquet;"
        " tfrecord: of tf.Examples; bigquery: rows of queries. Text is UTF-8.",
    )
    read_method: Literal["EXPORT", "DIRECT_READ"] = Field(
        default="EXPORT",
        description="bigquery. EXPORT: through files below Beam's --temp_location, as TFX does by default; DIRECT_READ:"
        " from BigQuery's Storage Read API, without a bucket.",
    )
    quoting: bool = Field(
        default=True,
        description='csv and tsv. true: a field in "double quotes" may hold delimiters and newlines; false: a quote is'
        " an ordinary character and a newline always ends the row.",
    )
    columns: tuple[ColumnName, ...] | None = Field(
        default=None,
        description="csv and tsv. null: the first row is the header; a list: the column names of headerless files.",
    )
    id: ColumnName | None = Field(
        default=None, description='The column that identifies a row; null: "<file>:<line>" does.'
    )
    text: ColumnName = Field(default="text", description="The column to classify.")
    text_pair: ColumnName | None = Field(
        default=None, description="The second text, where pairs are classified (BERT's sentence pair); may be blank."
    )
    labels: LabelSettings = Field(description="Where the labels are; its `kind` says how.")
    slices: tuple[ColumnName, ...] = Field(
        default=(), description="Columns carried along as string features, to evaluate slices of the data by."
    )
    group: ColumnName | None = Field(
        default=None, description="The column whose rows of one value stay in one split, such as a user or a thread."
    )
    split_by: Literal["id", "text", "group"] = Field(
        default="text",
        description="What a row's hash is taken of: the id, the group, or the text without regard to case and white"
        " space. Whatever it is, copies of a text never land in two splits.",
    )
    inputs: tuple[InputFiles, ...] = Field(description="The files or queries, and the splits that they fill.")
    spans: SpanRange = Field(default=SpanRange(), description="Which spans are read, where inputs come in spans.")

    @field_validator("slices")
    @classmethod
    def _leaves_own_features_alone(cls, slices: tuple[str, ...]) -> tuple[str, ...]:
        for name in FEATURES:
            if name in slices:
                raise ValueError(
                    f"slices cannot have a column named '{name}': every example has a feature of that name"
                )
        return slices

    @model_validator(mode="after")
    def _uses_each_column_once(self) -> Self:
        used = self.used_columns
        twice = next((name for name in used if used.count(name) > 1), None)
        if twice is not None:
            raise ValueError(
                f"column '{twice}' is used twice; id, texts, labels and slices each need columns of their own"
            )
        return self

    @model_validator(mode="after")
    def _names_columns_that_exist(self) -> Self:
        if self.columns is None:
            return self
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns names the same column twice")
        for name in self.used_columns:
            if name not in self.columns:
                raise ValueError(f"columns has no '{name}' (it has: {', '.join(self.columns)})")
        return self

    @model_validator(mode="after")
    def _can_split(self) -> Self:
        if self.split_by in ("id", "group") and getattr(self, self.split_by) is None:
            raise ValueError(
                f"split_by is '{self.split_by}', but {self.split_by} is null; name the column or split by text"
            )
        return self

    @model_validator(mode="after")
    def _has_sources(self) -> Self:
        wanted, other = ("query", "pattern") if self.format == "bigquery" else ("pattern", "query")
        for index, entry in enumerate(self.inputs):
            if getattr(entry, wanted) is None or getattr(entry, other) is not None:
                raise ValueError(f"inputs[{index}] needs a {wanted} and no {other}, since format is {self.format}")
        if self.format == "bigquery" and self.id is None:
            raise ValueError("id is null; name a column that identifies rows: those of a query have no file and line")
        if not self.input_base and (self.format != "bigquery" or isinstance(self.labels, IndexedLabels)):
            raise ValueError("input_base is missing; name the folder that holds the files")
        return self

    @model_validator(mode="after")
    def _has_lists(self) -> Self:
        if isinstance(self.labels, ListLabels) and self.format in ("csv", "tsv"):
            raise ValueError(f"labels cannot be of kind 'list' in {self.format}, which has no lists; use 'delimited'")
        return self

    @model_validator(mode="after")
    def _fills_every_split(self) -> Self:
        filled = {split for files in self.inputs for split, _ in files.weights}
        for split in SPLITS:
            if split not in filled:
                raise ValueError(f"inputs fill no '{split}' split; train, eval and test are all needed")
        return self

    @property
    def used_columns(self) -> tuple[str, ...]:
        """Every column that is read, once: id, text and its pair, labels, slices, a group that is no slice or id."""
        used = (self.id, self.text, self.text_pair, *self.labels.label_columns, *self.slices)
        group = None if self.group in (self.id, *self.slices) else self.group
        return tuple(name for name in (*used, group) if name is not None)

    @property
    def delimiter(self) -> str:
        return "," if self.format == "csv" else "\t"
