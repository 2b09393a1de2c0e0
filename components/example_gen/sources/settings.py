"""Settings that say which files or queries are read, and which splits their rows go to."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveInt,
    StrictInt,
    Tag,
    model_validator,
)

from components.common.settings import Settings
from components.example_gen.formats.settings import ColumnName

Split = Literal["train", "eval", "test"]
SPLITS: tuple[Split, ...] = ("train", "eval", "test")

Weights = Annotated[dict[Split, Annotated[StrictInt, Field(gt=0)]], Field(min_length=1)]


class Input(Settings):
    """Files or rows."""

    pattern: str | None = Field(
        default=None,
        min_length=1,
        description="Glob of files below input_base (*.gz is decompressed); no file may match two patterns. With"
        " {SPAN}, {VERSION} or {YYYY}-{MM}-{DD} in it, as TFX defines them, the files come in spans.",
    )
    query: str | None = Field(
        default=None,
        min_length=1,
        description="bigquery, instead of a pattern: a SELECT. @span_begin_timestamp, @span_end_timestamp and"
        " @span_yyyymmdd_utc, as TFX defines them, make each UTC day a span.",
    )

    @property
    def source(self) -> str:
        """The pattern or the query."""
        return self.pattern or self.query or ""


class InputFiles(Input):
    """Files or rows, and the split or splits that they go to."""

    # Discriminated by a function: a plain union would report a mistake in one form as an error in both.
    split: Annotated[
        Annotated[Split, Tag("name")] | Annotated[Weights, Tag("weights")],
        Discriminator(lambda value: "name" if isinstance(value, str) else "weights"),
    ] = Field(
        description="The split that all rows go to, or a weight per split ({train: 9, eval: 1}) to divide them by hash."
    )

    # Discriminated by a function, like `split`.
    asked: Annotated[
        Annotated[None, Tag("all")]
        | Annotated[ColumnName, Tag("column")]
        | Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Tag("labels")],
        Discriminator(lambda value: "all" if value is None else "column" if isinstance(value, str) else "labels"),
    ] = Field(
        default=None,
        description="Labels that the rows were labelled for: a list of labels ([toxic, insult]; [] for none), or the"
        " name of a column that lists them in each row, written as the labels are where one column holds them, else as"
        " a list or with | between. Other labels are unknown, unless the row has them. null: all labels.",
    )
    asked_delimiter: str | None = Field(
        default=None,
        min_length=1,
        description="Text between two labels in the column that asked names; null: the delimiter of the labels, or |.",
    )

    @model_validator(mode="after")
    def _delimit_a_column(self) -> Self:
        if self.asked_delimiter is not None and self.asked_column is None:
            raise ValueError("asked_delimiter is set, but asked names no column; leave it out")
        return self

    @property
    def asked_column(self) -> str | None:
        """Column that lists what a row was labelled for; None if there is none."""
        return self.asked if isinstance(self.asked, str) else None

    @property
    def asked_labels(self) -> tuple[str, ...] | None:
        """Labels that all rows were labelled for; None for all labels, or if a column lists them."""
        return None if self.asked is None or isinstance(self.asked, str) else self.asked

    @property
    def weights(self) -> tuple[tuple[Split, int], ...]:
        """(split, weight) in the order of SPLITS, not of the file, since the order decides which rows a split gets."""
        if isinstance(self.split, str):
            return ((self.split, 1),)
        return tuple((split, self.split[split]) for split in SPLITS if split in self.split)


class SpanRange(Settings):
    """Spans to read, if inputs come in spans. A date in a pattern is a span: days since 1970-01-01."""

    last: PositiveInt | None = Field(default=1, description="Number of the newest spans to read; null: all.")
    skip_newest: NonNegativeInt = Field(
        default=0, description="Number of the newest spans to leave out before `last` is applied."
    )
    not_before: int | date | None = Field(default=None, description="Number or date of the first span to read.")
    not_after: int | date | None = Field(default=None, description="Number or date of the last span to read.")


class InputSettings(Settings):
    """Files or queries that are read."""

    input_base: str = Field(
        default="", description="The folder, local or remote (gs://), that holds the data; bigquery needs none."
    )
    inputs: tuple[Input, ...] = Field(description="The files or queries.")
    spans: SpanRange = Field(default=SpanRange(), description="Spans to read, if inputs come in spans.")

    @property
    def has_queries(self) -> bool:
        """Return whether the inputs are queries instead of files."""
        return any(entry.query is not None for entry in self.inputs)


class SourceSettings(InputSettings):
    """Files or queries that fill the splits."""

    inputs: tuple[InputFiles, ...] = Field(description="The files or queries, and the splits that they fill.")

    @model_validator(mode="after")
    def _fill_every_split(self) -> Self:
        filled = {split for entry in self.inputs for split, _ in entry.weights}
        for split in SPLITS:
            if split not in filled:
                raise ValueError(f"inputs fill no '{split}' split; train, eval and test are all needed")
        return self
