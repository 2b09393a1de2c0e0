"""The `examples` block of the configuration: which files are read, how, and into which split each row goes."""

from typing import Literal, Self

from pydantic import Field, model_validator

from components.example_gen.formats.settings import BIGQUERY, FormatSettings
from components.example_gen.parsing.settings import ColumnSettings, PositionalLabels, TextColumns
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
        " and label.",
    )

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
