"""Queries as inputs: which are run, and what their rows are read into.

`bigquery_check` asks BigQuery about them beforehand, `bigquery_read` has Beam run them. Nothing here asks anybody.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from components.example_gen.formats.rows import Reason, Rejected, Row, Value, readable
from components.example_gen.formats.values import as_text
from components.example_gen.settings import ExamplesSettings
from schema.errors import Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPAN_BEGIN, _SPAN_END, _SPAN_DAY = "@span_begin_timestamp", "@span_end_timestamp", "@span_yyyymmdd_utc"


@dataclass(frozen=True, slots=True)
class Query:
    """One query to run.

    Attributes:
        order: Its position among all queries.
        input: The index of its entry in `settings.inputs`.
        name: What reports and messages call it: "inputs[0]", of a span "inputs[0]@20260131".
        sql: Without placeholders.
        span: The span that it reads, None if it has no placeholders.
    """

    order: int
    input: int
    name: str
    sql: str
    span: int | None = None


def find_queries(settings: ExamplesSettings, spans: Sequence[int] = ()) -> tuple[Query, ...]:
    """The queries of the inputs; one that comes in spans once per span.

    Raises:
        Refused: An input comes in spans, but there is none to read.
    """
    return tuple(
        Query(order, index, name, sql, span)
        for order, (index, name, sql, span) in enumerate(
            found for index, entry in enumerate(settings.inputs) for found in _of_input(index, entry.source, spans)
        )
    )


def _of_input(index: int, query: str, spans: Sequence[int]) -> Iterator[tuple[int, str, str, int | None]]:
    if not has_span(query):
        yield index, f"inputs[{index}]", query, None
        return
    if not spans:
        raise Refused(f"examples.inputs[{index}].query comes in spans, but none is left to read; set examples.spans")
    for span in spans:
        yield index, f"inputs[{index}]@{_day(span):%Y%m%d}", substitute(query, span), span


def has_span(query: str) -> bool:
    """Whether the query says which part of a span it wants."""
    return any(placeholder in query for placeholder in (_SPAN_BEGIN, _SPAN_END, _SPAN_DAY))


def substitute(query: str, span: int) -> str:
    """The query of one span, a UTC day counted from 1970-01-01.

    What `tfx.components.example_gen.utils.get_query_for_span` does, without the TensorFlow that comes with it.
    """
    begin = _day(span)
    query = query.replace(_SPAN_BEGIN, str(int(begin.timestamp())))
    query = query.replace(_SPAN_END, str(int((begin + timedelta(days=1)).timestamp())))
    return query.replace(_SPAN_DAY, f"'{begin:%Y%m%d}'")


def _day(span: int) -> datetime:
    return _EPOCH + timedelta(days=span)


def project_of(settings: ExamplesSettings, beam_pipeline_args: Sequence[str]) -> str:
    """The project that the queries are billed to: Beam's own --project, as TFX's BigQueryExampleGen takes it.

    Raises:
        Refused: Beam's arguments lack it, or the bucket that an export goes through.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--project")
    parser.add_argument("--temp_location")
    try:
        given, _ = parser.parse_known_args(list(beam_pipeline_args))
    except argparse.ArgumentError as error:
        raise Refused(f"beam.pipeline_args: {error}; give it one") from None
    if not given.project:
        raise Refused(
            "examples.format is bigquery; add --project=PROJECT to beam.pipeline_args: it pays for the queries"
        )
    if settings.read_method == "EXPORT" and not (given.temp_location or "").startswith("gs://"):
        raise Refused(
            "BigQuery exports to Cloud Storage; add --temp_location=gs://BUCKET/FOLDER to beam.pipeline_args, or set"
            " examples.read_method: DIRECT_READ"
        )
    return str(given.project)


def to_row(number: int, fields: Mapping[str, Any], columns: Sequence[str]) -> Row | Rejected:
    """What Beam reads a row of a result as, as a row.

    Args:
        number: Of the row; results have no order, so 0 serves where none was made up.
        fields: Its values by column: those that Beam's Avro reader makes.
        columns: Names of the columns that are wanted, in the order of the row's values.
    """
    values: list[Value] = []
    for column in columns:
        try:
            values.append(_value(fields[column]) if column in fields else None)
        except UnicodeDecodeError:
            return Rejected(number, Reason.INVALID_UTF8, f"in column '{column}'", readable(fields))
        except TypeError:
            return Rejected(number, Reason.NOT_A_STRING, f"column '{column}' is a RECORD", readable(fields))
    return Row(number, values, fields)


def _value(value: Any) -> Value:
    return [_text(item) for item in value] if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    match value:
        case None | str() | bool() | int() | float() | bytes():
            return as_text(value)
        case Decimal():
            # Avro gives every NUMERIC nine decimals. normalize() would round a BIGNUMERIC to 28 digits.
            digits = f"{value:f}"
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
        case date() | time():  # TIMESTAMPs are datetimes, which are dates
            return value.isoformat()
        case _:
            raise TypeError(type(value).__name__)
