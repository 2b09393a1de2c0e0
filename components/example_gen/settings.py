"""The `examples` block of the configuration: which files are read, how, and into which split each row goes."""

from typing import Literal, Self

from pydantic import Field, model_validator

from components.example_gen.formats.settings import BIGQUERY, FormatSettings
from components.example_gen.parsing.settings import (
    UNCERTAIN,
    ColumnSettings,
    PositionalLabels,
    SoftSettings,
    TextColumns,
)
from components.example_gen.sources.bigquery.settings import BigQuerySettings
from components.example_gen.sources.settings import InputSettings, SourceSettings


# pydantic takes the fields of the last base first.
class RowsSettings(TextColumns, BigQuerySettings, FormatSettings, InputSettings):
    """Settings of reading rows of texts, with labels or without."""

    @model_validator(mode="after")
    def _name_columns_that_exist(self) -> Self:
        if self.columns is None:
            return self
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns names the same column twice")
        for name in self.used_columns:
            if name not in self.columns:
                raise ValueError(f"columns has no '{name}' (it has: {', '.join(self.columns)})")
        return self

    @model_validator(mode="after")
    def _name_sources_of_the_format(self) -> Self:
        is_bigquery = self.format == BIGQUERY
        wanted, other = ("query", "pattern") if is_bigquery else ("pattern", "query")
        for index, entry in enumerate(self.inputs):
            if getattr(entry, wanted) is None or getattr(entry, other) is not None:
                raise ValueError(f"inputs[{index}] needs a {wanted} and no {other}, since format is {self.format}")
        if is_bigquery and self.id is None:
            raise ValueError("id is null; name a column that identifies rows: rows of a query have no file and line")
        if not self.input_base and not is_bigquery:
            raise ValueError("input_base is missing; name the folder that holds the files")
        return self

    def asked_of(self, entry: int) -> str | tuple[str, ...] | None:  # noqa: ARG002 - texts have no labels here
        """Return what the rows of an entry of the inputs were labelled for: a column that lists it, labels, or None."""
        return None

    def asked_column_of(self, entry: int) -> str | None:
        """Return the column that lists what the rows of an entry of the inputs were labelled for, if there is one."""
        asked = self.asked_of(entry)
        return asked if isinstance(asked, str) else None

    def columns_of(self, entry: int) -> tuple[str, ...]:
        """Return every column that is read from the files of an entry of the inputs, once."""
        column = self.asked_column_of(entry)
        return self.used_columns if column is None else (*self.used_columns, column)

    def objects_of(self, entry: int) -> tuple[str, ...]:
        """Return the columns of an entry of the inputs whose cells may be objects."""
        column = self.asked_column_of(entry)
        return self.object_columns if column is None or not self.object_columns else (*self.object_columns, column)


class ExamplesSettings(ColumnSettings, SourceSettings, RowsSettings):
    """Settings of TextExampleGen."""

    split_by: Literal["id", "text", "group", "stratified"] = Field(
        default="text",
        description="What a row's hash is computed from: the id, the group, or the text without regard to case and"
        " white space; or stratified: every split gets its share of each label, groups stay whole, and the registry"
        " remembers which split a row was dealt to. In every case, copies of a text are never in two splits.",
    )

    copies: Literal["keep", "merge"] = Field(
        default="keep",
        description="keep: each row is an example; merge: rows of one entry of inputs with the same text, without"
        " regard to case and white space, are one example with the labels of all, as where there is a row per text"
        " and label; rows with the same key, if merge_by names its column.",
    )

    implied: Literal["complete", "refuse"] = Field(
        default="complete",
        description="What becomes of a row that has a label but not one that it implies in the schema (see labels"
        " imply). complete: it gets the other one; refuse: it goes to the quarantine.",
    )

    @model_validator(mode="after")
    def _complete_merged_rows(self) -> Self:
        if self.copies == "merge" and self.implied == "refuse":
            raise ValueError("implied is refuse, but copies are merged, of which each has a part of the labels")
        return self

    @model_validator(mode="after")
    def _merge_by_a_column(self) -> Self:
        if self.merge_by is not None and self.copies != "merge":
            raise ValueError(
                f"merge_by is '{self.merge_by}', but copies are kept; set copies to merge, or leave it out"
            )
        return self

    @model_validator(mode="after")
    def _keep_soft_rows(self) -> Self:
        if self.copies == "merge" and self.has_soft_labels:
            raise ValueError("labels.soft is true, but copies are merged, whose shares nobody can add up")
        return self

    @model_validator(mode="after")
    def _can_ask(self) -> Self:
        for index, entry in enumerate(self.inputs):
            column = entry.asked_column
            if column is None:
                continue
            if column in self.used_columns:
                raise ValueError(f"inputs[{index}].asked names the column '{column}', which has another use")
            if self.columns is not None and column not in self.columns:
                raise ValueError(
                    f"columns has no '{column}', which inputs[{index}].asked names (it has: {', '.join(self.columns)})"
                )
        return self

    @model_validator(mode="after")
    def _can_split(self) -> Self:
        if self.split_by in ("id", "group") and getattr(self, self.split_by) is None:
            raise ValueError(
                f"split_by is '{self.split_by}', but {self.split_by} is null; name the column or split by text"
            )
        return self

    @model_validator(mode="after")
    def _find_the_list_of_labels(self) -> Self:
        if not self.input_base and isinstance(self.labels, PositionalLabels):
            raise ValueError("input_base is missing; name the folder that holds the files")
        return self

    @property
    def has_unknown_labels(self) -> bool:
        """Whether rows may leave it open whether they have a label."""
        if any(entry.asked is not None for entry in self.inputs):
            return True
        return isinstance(self.labels, UNCERTAIN) and bool(self.labels.unknown)

    @property
    def has_soft_labels(self) -> bool:
        """Whether labels may be a share of annotators instead of yes or no."""
        return self.soft_cut is not None

    @property
    def soft_cut(self) -> float | None:
        """Share of annotators from which on a label counts as given; None if labels are yes or no."""
        labels = self.labels
        return labels.cut if isinstance(labels, SoftSettings) and labels.soft else None

    def asked_of(self, entry: int) -> str | tuple[str, ...] | None:
        """Return what the rows of an entry of the inputs were labelled for: a column that lists it, labels, or None."""
        return self.inputs[entry].asked
