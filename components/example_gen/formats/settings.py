"""Settings that say how files are read."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from components.common.settings import Settings
from components.example_gen.formats.encoding import UTF_8, check_encoding
from components.example_gen.formats.formats import FORMATS, format_named, format_names
from schema.nearest import nearest

BIGQUERY = "bigquery"  # rows of queries instead of files

ColumnName = Annotated[str, Field(min_length=1)]


def _check_name(name: str) -> str:
    known = [*format_names(), BIGQUERY]
    if name not in known:
        raise ValueError(f"no format '{name}'; {nearest(name, known)}")
    return name


class FormatSettings(Settings):
    """Format of the input files."""

    format: Annotated[str, AfterValidator(_check_name)] = Field(
        default="csv",
        description="; ".join(
            [
                *(f"{entry.name}: {entry.description}" for entry in FORMATS),
                f"{BIGQUERY}: rows of queries.",
            ]
        ),
        json_schema_extra={"enum": [*format_names(), BIGQUERY]},
    )
    encoding: Annotated[str, AfterValidator(check_encoding)] = Field(
        default=UTF_8, description="csv, tsv and jsonl. The encoding of the files: utf-8, utf-16, windows-1252, ..."
    )
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        default=None,
        description="csv and tsv. The character between two fields; null: a comma in csv, a tab in tsv. A first line"
        " such as sep=; (Excel's) is not a row.",
    )
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        default=None,
        description="csv and tsv. A character, usually a backslash, that makes the one after it an ordinary one, as in"
        ' "a \\"quoted\\" word"; null: a quote within quotes is doubled.',
    )
    quoting: bool = Field(
        default=True,
        description='csv and tsv. true: a field in "double quotes" may hold delimiters and newlines; false: a quote is'
        " an ordinary character and a newline always ends the row.",
    )
    columns: tuple[ColumnName, ...] | None = Field(
        default=None,
        description="csv and tsv. null: the first row is the header; a list: the column names of files without one.",
    )

    @model_validator(mode="after")
    def _fit_the_format(self) -> Self:
        file_format = None if self.format == BIGQUERY else format_named(self.format)
        if self.encoding != UTF_8 and not (file_format and file_format.is_text):
            raise ValueError(f"encoding is {self.encoding}, but {self.format} is no text; leave it out")
        for key in ("separator", "escape"):
            value = getattr(self, key)
            if value is not None and not (file_format and file_format.separator):
                raise ValueError(f"{key} is set, but {self.format} has no fields between separators; leave it out")
            if value is not None and value in '"\r\n':
                raise ValueError(f"{key} cannot be a quote or a line end")
        if self.escape is not None and not self.quoting:
            raise ValueError("escape needs quoting; set quoting to true, or leave escape out")
        if self.escape is not None and self.escape == self.separator:
            raise ValueError("escape and separator are the same character")
        return self
