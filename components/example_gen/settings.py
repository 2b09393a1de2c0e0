"""The `examples` block of the configuration: which files are read, how, and into which split each row goes."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, StrictInt, Tag, field_validator, model_validator

from components.settings import Settings
from schema.features import ID, LABELS, TEXT

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
    column: ColumnName = Field(description="The column that holds the positions; blank means none.")
    delimiter: str = Field(default=",", min_length=1, description="What stands between two positions.")
    names: str = Field(min_length=1, description="The list: a UTF-8 file below input_base, one label a line.")

    @property
    def label_columns(self) -> tuple[str, ...]:
        return (self.column,)


LabelSettings = Annotated[DelimitedLabels | IndicatorLabels | IndexedLabels, Field(discriminator="kind")]


class InputFiles(Settings):
    """Some of the files, and the split or splits that their rows go to."""

    pattern: str = Field(
        min_length=1,
        description="Glob of files below input_base (*.gz is decompressed); no file may match two patterns.",
    )
    # Told apart by hand: a plain union answers a mistake in one form with a complaint about the other as well.
    split: Annotated[
        Annotated[Split, Tag("name")] | Annotated[Weights, Tag("weights")],
        Discriminator(lambda value: "name" if isinstance(value, str) else "weights"),
    ] = Field(
        description="Where the rows go: one split, or a weight per split ({train: 9, eval: 1}) to share them by hash."
    )

    @property
    def weights(self) -> tuple[tuple[Split, int], ...]:
        """(split, weight) in the order of SPLITS, whatever the order in the file: the order decides who gets what."""
        if isinstance(self.split, str):
            return ((self.split, 1),)
        return tuple((split, self.split[split]) for split in SPLITS if split in self.split)


class ExamplesSettings(Settings):
    """What the ExampleGen reads and how."""

    input_base: str = Field(min_length=1, description="The folder, local or remote (gs://), that holds the data.")
    format: Literal["csv", "tsv"] = Field(
        default="csv", description="csv: fields are separated by commas; tsv: by tabs. Both are UTF-8."
    )
    quoting: bool = Field(
        default=True,
        description='true: a field in "double quotes" may hold delimiters and newlines; false: a quote is an ordinary'
        " character and a newline always ends the row.",
    )
    columns: tuple[ColumnName, ...] | None = Field(
        default=None, description="null: the first row is the header; a list: the column names of headerless files."
    )
    id: ColumnName | None = Field(
        default=None, description='The column that identifies a row; null: "<file>:<line>" does.'
    )
    text: ColumnName = Field(default="text", description="The column to classify.")
    labels: LabelSettings = Field(description="Where the labels are; its `kind` is delimited, indicators or indices.")
    slices: tuple[ColumnName, ...] = Field(
        default=(), description="Columns carried along as string features, to evaluate slices of the data by."
    )
    split_by: Literal["id", "text"] = Field(
        default="text",
        description="What a row's hash is taken of: the id, or the text without regard to case and white space (so"
        " that copies of a text never meet in two splits).",
    )
    inputs: tuple[InputFiles, ...] = Field(description="The files, and the splits that they fill.")

    @field_validator("slices")
    @classmethod
    def _leaves_own_features_alone(cls, slices: tuple[str, ...]) -> tuple[str, ...]:
        for name in (ID, TEXT, LABELS):
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
                f"column '{twice}' is used twice; id, text, labels and slices each need columns of their own"
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
    def _can_split_by_id(self) -> Self:
        if self.split_by == "id" and self.id is None:
            raise ValueError("split_by is 'id', but id is null; name the id column or split by text")
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
        """Every column that an example is made of: id (if any), text, labels, slices."""
        own_id = () if self.id is None else (self.id,)
        return (*own_id, self.text, *self.labels.label_columns, *self.slices)

    @property
    def delimiter(self) -> str:
        return "," if self.format == "csv" else "\t"
