"""Settings that say how files are read."""

from typing import Annotated

from pydantic import AfterValidator, Field

from components.common.settings import Settings
from components.example_gen.formats.formats import FORMATS, format_names
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
                f"{BIGQUERY}: rows of queries. Text is UTF-8.",
            ]
        ),
        json_schema_extra={"enum": [*format_names(), BIGQUERY]},
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
