"""Queries as inputs, and the conversion of their rows. Nothing here contacts BigQuery.

`check.py` asks BigQuery about the queries before they run; `read.py` has Beam run them.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from components.example_gen.formats.rows import Cell, Reason, Rejected, Row, readable
from components.example_gen.formats.values import as_text
from components.example_gen.sources.bigquery.settings import BigQuerySettings
from schema.errors import Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN_BEGIN, _SPAN_END, _SPAN_DAY = "@span_begin_timestamp", "@span_end_timestamp", "@span_yyyymmdd_utc"


@dataclass(frozen=True, slots=True)
class Query:
    """Query to run.

    Attributes:
        order: Index of the query among all queries.
        input: Index of its entry in `settings.inputs`.
        name: Name in reports and messages: "inputs[0]", or "inputs[0]@20260131" for one span.
        sql: SQL without placeholders.
        span: Span that the query reads; None if it has no placeholders.
    """

    order: int
    input: int
    name: str
    sql: str
    span: int | None = None


def find_queries(templates: Sequence[str], spans: Sequence[int] = ()) -> tuple[Query, ...]:
    """Return the queries to run; a template with placeholders becomes one query per span.

    Args:
        templates: SQL of each input, in the order of `settings.inputs`.
        spans: Days since 1970-01-01 to read.

    Raises:
        Refused: A template has placeholders, but `spans` is empty.
    """
    return tuple(
        Query(order, index, name, sql, span)
        for order, (index, name, sql, span) in enumerate(
            found for index, template in enumerate(templates) for found in _fill(index, template, spans)
        )
    )


def _fill(index: int, template: str, spans: Sequence[int]) -> Iterator[tuple[int, str, str, int | None]]:
    if not has_span(template):
        yield index, f"inputs[{index}]", template, None
        return
    if not spans:
        raise Refused(f"examples.inputs[{index}].query comes in spans, but none is left to read; set examples.spans")
    for span in spans:
        yield index, f"inputs[{index}]@{_day(span):%Y%m%d}", substitute(template, span), span


def has_span(query: str) -> bool:
    """Return whether a query has a placeholder for a span."""
    return any(placeholder in query for placeholder in (_SPAN_BEGIN, _SPAN_END, _SPAN_DAY))


def substitute(query: str, span: int) -> str:
    """Return the query of one span, a UTC day counted from 1970-01-01.

    Does the same as `tfx.components.example_gen.utils.get_query_for_span`, without importing TensorFlow.

    Example:
        >>> substitute("SELECT * FROM t WHERE day = @span_yyyymmdd_utc", 1)
        "SELECT * FROM t WHERE day = '19700102'"
    """
    begin = _day(span)
    query = query.replace(_SPAN_BEGIN, str(int(begin.timestamp())))
    query = query.replace(_SPAN_END, str(int((begin + timedelta(days=1)).timestamp())))
    return query.replace(_SPAN_DAY, f"'{begin:%Y%m%d}'")


def _day(span: int) -> datetime:
    return _EPOCH + timedelta(days=span)


def billed_project(settings: BigQuerySettings, beam_pipeline_args: Sequence[str]) -> str:
    """Return the project that queries are billed to: Beam's own --project, as TFX's BigQueryExampleGen takes it.

    Raises:
        Refused: Beam's arguments lack the project, or the bucket that an export needs.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--project")
    parser.add_argument("--temp_location")
    try:
        options, _ = parser.parse_known_args(list(beam_pipeline_args))
    except argparse.ArgumentError as error:
        raise Refused(f"beam.pipeline_args: {error}; give it one") from None
    if not options.project:
        raise Refused(
            "examples.format is bigquery; add --project=PROJECT to beam.pipeline_args: it pays for the queries"
        )
    if settings.read_method == "EXPORT" and not (options.temp_location or "").startswith("gs://"):
        raise Refused(
            "BigQuery exports to Cloud Storage; add --temp_location=gs://BUCKET/FOLDER to beam.pipeline_args, or set"
            " examples.read_method: DIRECT_READ"
        )
    return str(options.project)


def to_row(number: int, fields: Mapping[str, Any], columns: Sequence[str]) -> Row | Rejected:
    """Convert a row of a result, as Beam reads it.

    Args:
        number: Number of the row; 0 if it has none, since results have no order.
        fields: Values by column, of the types that Beam's Avro reader returns.
        columns: Columns to read, in the order of the row's cells.
    """
    cells: list[Cell] = []
    for column in columns:
        try:
            cells.append(_to_cell(fields[column]) if column in fields else None)
        except UnicodeDecodeError:
            return Rejected(number, Reason.INVALID_UTF8, f"in column '{column}'", readable(fields))
        except TypeError:
            return Rejected(number, Reason.NOT_A_STRING, f"column '{column}' is a RECORD", readable(fields))
    return Row(number, cells, fields)


def _to_cell(value: Any) -> Cell:
    return [_text(item) for item in value] if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    match value:
        case None | str() | bool() | int() | float() | bytes():
            return as_text(value)
        case Decimal():
            # Avro gives every NUMERIC nine decimals. normalize() would round a BIGNUMERIC to 28 digits.
            digits = f"{value:f}"
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
        case date() | time():  # a TIMESTAMP is a datetime, which is a date
            return value.isoformat()
        case _:
            raise TypeError(type(value).__name__)
