"""Settings that say which columns the parts of an example are in."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from components.common.settings import Settings
from components.example_gen.formats.settings import ColumnName
from components.example_gen.formats.values import as_text
from components.example_gen.parsing.flags import parse_flag
from schema.features import FEATURES


def _texts(values: Any) -> Any:
    """Return scalars of YAML as the formats write them, so that -1 and null stand for "-1" and ""."""
    if not isinstance(values, list | tuple):
        return values
    return tuple(value if isinstance(value, list | dict) else as_text(value) for value in values)


def _are_not_flags(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        flag = parse_flag(value)
        if flag is not None:
            raise ValueError(f"'{value}' means {'yes' if flag else 'no'}; name other values")
    return values


class SoftSettings(Settings):
    """Labels that may be a share of annotators instead of yes or no."""

    soft: bool = Field(
        default=False,
        description="Values may be fractions from 0 to 1, such as the share of annotators who gave the label: training"
        " takes them as they are.",
    )
    cut: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="With soft: fraction from which on a label counts as given in metrics, thresholds, slices and"
        " counts.",
    )


UnknownMarks = Annotated[
    tuple[str, ...],
    BeforeValidator(_texts),
    AfterValidator(_are_not_flags),
    WithJsonSchema({"type": "array", "items": {"type": ["string", "number", "null"]}}),
    Field(
        default=(),
        description='Values that mean that nobody knows, such as [-1, ""]: the label then counts neither as given nor'
        ' as not given. "" is a blank cell, null or a missing field.',
    ),
]


class DelimitedLabels(Settings):
    """All labels of a row in one column: `joy|anger`."""

    kind: Literal["delimited"] = Field(description="One column holds the labels themselves, with a delimiter between.")
    column: ColumnName = Field(description="The column that holds the labels; blank means none.")
    delimiter: str = Field(default="|", min_length=1, description="Text between two labels.")

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that labels are read from."""
        return (self.column,)


class IndicatorLabels(SoftSettings):
    """One 0/1 column per label; the label is the name of the column."""

    kind: Literal["indicators"] = Field(
        description="One column per label holds 0 or 1, also written as false or true, no or yes, 0.0 or 1.0."
    )
    columns: tuple[ColumnName, ...] = Field(min_length=1, description="The columns, each named as its label.")
    unknown: UnknownMarks = ()

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that labels are read from."""
        return self.columns


class PositionalLabels(Settings):
    """Labels that a row does not name, but points to in a list that is in a file."""

    column: ColumnName
    names: str = Field(min_length=1, description="The list: a UTF-8 file below input_base, one label per line.")

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that labels are read from."""
        return (self.column,)


class IndexedLabels(PositionalLabels):
    """Indices into a list of labels, as in GoEmotions: `4,27`."""

    kind: Literal["indices"] = Field(description="One column holds 0-based indices into a list of labels.")
    column: ColumnName = Field(
        description="The column that holds the indices, with a delimiter between or as a list; blank means none."
    )
    delimiter: str = Field(default=",", min_length=1, description="Text between two indices.")


# pydantic takes the fields of the last base first.
class MultihotLabels(SoftSettings, PositionalLabels):
    """Vector of 0 and 1, with one position per label of a list: `[0, 1, 0]`."""

    kind: Literal["multihot"] = Field(description="One column holds a vector of 0 and 1, a position per label.")
    column: ColumnName = Field(description="The column that holds the vector: a list, or a printed one.")
    unknown: UnknownMarks = ()


class SeveralColumns(Settings):
    """One label, or none, in each of several columns: `label_1`, `label_2`, `label_3`."""

    kind: Literal["columns"] = Field(description="Each of some columns holds one label or is blank.")
    columns: tuple[ColumnName, ...] = Field(
        min_length=1, description="The columns; one is enough if each row has one label at most."
    )

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that labels are read from."""
        return self.columns


class ListLabels(SoftSettings):
    """List of the labels themselves, also a printed one, or an object that names labels: `["joy", "anger"]`."""

    kind: Literal["list"] = Field(description="One column holds a list of the labels themselves.")
    column: ColumnName = Field(
        description="The column that holds the list, also one printed as text, such as ['joy', 'anger'], or an object"
        ' such as {"joy": 1, "anger": 0}; null or empty means none, a single string is a list of one.'
    )
    unknown: UnknownMarks = ()

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that labels are read from."""
        return (self.column,)


LabelSettings = Annotated[
    DelimitedLabels | IndicatorLabels | IndexedLabels | MultihotLabels | SeveralColumns | ListLabels,
    Field(discriminator="kind"),
]


# Labels that may have values that mean that nobody knows.
UNCERTAIN = (IndicatorLabels, MultihotLabels, ListLabels)


class TextColumns(Settings):
    """Columns that a text is read from, whether it has labels or not."""

    id: ColumnName | None = Field(
        default=None, description='The column that identifies a row; null: rows are named "<file>:<line>".'
    )
    text: ColumnName = Field(default="text", description="The column to classify.")
    text_pair: ColumnName | None = Field(
        default=None, description="The second text, where pairs are classified (BERT's sentence pair); may be blank."
    )
    slices: tuple[ColumnName, ...] = Field(
        default=(), description="Columns carried along as string features, to evaluate slices of the data by."
    )

    @field_validator("slices")
    @classmethod
    def _spare_features(cls, slices: tuple[str, ...]) -> tuple[str, ...]:
        for name in FEATURES:
            if name in slices:
                raise ValueError(
                    f"slices cannot have a column named '{name}': every example has a feature of that name"
                )
        return slices

    @model_validator(mode="after")
    def _use_each_column_once(self) -> Self:
        used = self.used_columns
        repeated = next((name for name in used if used.count(name) > 1), None)
        if repeated is not None:
            raise ValueError(
                f"column '{repeated}' is used twice; id, texts, labels and slices each need columns of their own"
            )
        return self

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that labels are read from."""
        return ()

    @property
    def object_columns(self) -> tuple[str, ...]:
        """Columns whose cells may be objects."""
        return ()

    @property
    def used_columns(self) -> tuple[str, ...]:
        """Every column that is read, once: id, text and its pair, labels and slices."""
        used = (self.id, self.text, self.text_pair, *self.label_columns, *self.slices)
        return tuple(name for name in used if name is not None)


class ColumnSettings(TextColumns):
    """Columns that the parts of an example are read from."""

    labels: LabelSettings = Field(description="The columns that hold the labels; `kind` says in which form.")
    group: ColumnName | None = Field(
        default=None,
        description="A column, such as the user or the thread; rows with the same value in it stay in one split.",
    )
    merge_by: ColumnName | None = Field(
        default=None,
        description="With copies: merge, a column, such as the ticket, whose value the rows of one example have in"
        " common. Rows with another text than the first of them go to the quarantine. null: the text itself.",
    )

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns that labels are read from."""
        return self.labels.label_columns

    @property
    def object_columns(self) -> tuple[str, ...]:
        """Columns whose cells may be objects."""
        return self.label_columns if isinstance(self.labels, ListLabels) else ()

    @property
    def used_columns(self) -> tuple[str, ...]:
        """Every column that is read, once: those of the text, labels and slices, the group and the key of merging."""
        used = super().used_columns
        shared = {self.id, *self.slices}
        more = (column for column in (self.group, self.merge_by) if column is not None and column not in shared)
        return (*used, *dict.fromkeys(more))
