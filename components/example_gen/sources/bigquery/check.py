"""Dry runs of queries: whether they can run, and whether they would read anything new.

A dry run costs nothing, reads nothing, and returns the columns and the tables that the query refers to.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.common.progress import PROGRESS
from components.example_gen.parsing.columns import find_columns
from components.example_gen.parsing.settings import TextColumns
from components.example_gen.sources.bigquery.queries import Query
from schema.errors import Refused

if TYPE_CHECKING:  # takes 1.6 s to import, which only runs with queries should pay for
    from google.api_core.retry import Retry
    from google.cloud.bigquery import Client, QueryJob, SchemaField, Table, TableReference

_RETRY_SECONDS = 30.0  # time to keep trying while a service or the network is unavailable
# "Queries that reference more than 50 tables will not have a complete list", as the REST reference says.
_MOST_TABLES_LISTED = 50
# Functions whose result may differ although the tables are the same.
_UNSTEADY = re.compile(
    r"\b(CURRENT_DATE|CURRENT_DATETIME|CURRENT_TIME|CURRENT_TIMESTAMP|RAND|GENERATE_UUID|TABLESAMPLE|EXTERNAL_QUERY)\b",
    re.IGNORECASE,
)


def check_queries(
    queries: Sequence[Query], settings: TextColumns, project: str, asked: Sequence[str | Sequence[str] | None] = ()
) -> list[int]:
    """Have BigQuery check every query, and find the configured columns in the results.

    Args:
        queries: Queries to check.
        settings: Columns that every result must have.
        project: Google Cloud project that pays for the queries.
        asked: Column that lists what a row was labelled for, or labels, by entry of the inputs; empty for all labels.

    Returns:
        Number of bytes that each query will read.

    Raises:
        Refused: A query is wrong or not permitted; credentials are missing; BigQuery does not answer; a column is
            missing, or is of a type that cannot be read.
    """
    client = _connect(project)
    sizes = []
    for query in queries:
        key = _key_of(query)
        job = _dry_run(client, query)
        if job.statement_type != "SELECT":
            raise Refused(f"{key}: is not a SELECT but a {job.statement_type}; make it a single SELECT")
        fields = job.schema or []
        of_entry = asked[query.input] if asked else None
        find_columns([field.name for field in fields], settings, key, asked=of_entry)
        _refuse_types(fields, settings, key, of_entry if isinstance(of_entry, str) else None)
        sizes.append(int(job.total_bytes_processed or 0))
    return sizes


def fingerprint(queries: Sequence[Query], project: str) -> str:
    """Return a hash that changes whenever the queries, or the tables that they read, have changed.

    TFX's own BigQueryExampleGen has none (`QueryBasedInputProcessor.get_input_fingerprint` returns None): its cache
    depends on the query's text alone, and returns yesterday's rows for as long as that stays the same. Where BigQuery
    cannot tell whether a table has changed, the hash is different each time: the rows are read again, never stale.

    Raises:
        Refused: A query is wrong or not permitted; credentials are missing; BigQuery does not answer.
    """
    client = _connect(project)
    states: list[object] = []
    for query in queries:
        job = _dry_run(client, query)
        schema = [field.to_api_repr() for field in job.schema or []]
        states.append([query.name, query.sql, schema, job.total_bytes_processed])
        try:
            states.extend(_table_states(client, query, job))
        except _UnknownStateError as reason:
            PROGRESS.info("%s: cannot tell whether its rows have changed (%s); reading them again", query.name, reason)
            states.append(uuid.uuid4().hex)
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()


class _UnknownStateError(Exception):
    """BigQuery cannot tell whether the result of a query has changed."""


def _table_states(client: "Client", query: Query, job: "QueryJob") -> Iterator[list[object]]:
    if found := _UNSTEADY.search(query.sql):
        raise _UnknownStateError(f"it has {found[0].upper()}")
    # The client has no public access to the routines in the server's answer.
    if job._properties["statistics"].get("query", {}).get("referencedRoutines"):
        raise _UnknownStateError("it calls routines")
    if len(job.referenced_tables) >= _MOST_TABLES_LISTED:
        raise _UnknownStateError(f"it refers to {len(job.referenced_tables)} tables or more")
    tables = [_get_table(client, reference) for reference in job.referenced_tables]
    # BigQuery does not guarantee to list a view beside its tables, and a view can change like a query.
    behind = next((table.table_id for table in tables if table.table_id not in query.sql), None)
    if behind and not any(table.table_type == "VIEW" for table in tables):
        raise _UnknownStateError(f"{behind} is read through a view")
    for table in tables:
        # Without the etag: it is a hash of all metadata, and some of it changes although no row does, such as the
        # number of bytes in long-term storage.
        yield [str(table.reference), str(table.created), str(table.modified), table.num_rows, table.num_bytes]


def _get_table(client: "Client", reference: "TableReference") -> "Table":
    from google.api_core.exceptions import BadRequest, Forbidden, NotFound

    name = str(reference)
    with _refuse_errors(name):
        try:
            table = client.get_table(reference, retry=_retry(), timeout=_RETRY_SECONDS)
        except (BadRequest, Forbidden, NotFound) as error:  # wildcards, INFORMATION_SCHEMA, behind an authorized view
            raise _UnknownStateError(f"{name} has no metadata: {_message(error)}") from None
    if table.table_type not in ("TABLE", "SNAPSHOT", "CLONE", "VIEW"):
        # The files of an EXTERNAL table change without a trace in its metadata.
        raise _UnknownStateError(f"{name} is of type {table.table_type}")
    if table.streaming_buffer is not None:
        raise _UnknownStateError(f"{name} has a streaming buffer")
    return table


def _refuse_types(fields: Sequence["SchemaField"], settings: TextColumns, key: str, asked: str | None) -> None:
    for field in fields:
        if field.name not in (*settings.used_columns, asked):
            continue
        if field.field_type in ("RECORD", "STRUCT"):
            raise Refused(f"{key}: column '{field.name}' is a {field.field_type}; select one of its fields")
        if field.mode == "REPEATED" and field.name not in (*settings.label_columns, asked):
            raise Refused(f"{key}: column '{field.name}' is REPEATED; only labels can be, select one string")


def _dry_run(client: "Client", query: Query) -> "QueryJob":
    from google.cloud.bigquery import QueryJobConfig

    with _refuse_errors(_key_of(query)):
        # Without job_retry: the client would take a missing table whose name contains " job" for a missing job, and
        # keep trying.
        return client.query(
            query.sql,
            job_config=QueryJobConfig(dry_run=True, use_query_cache=False),
            retry=_retry(),
            timeout=_RETRY_SECONDS,
            job_retry=None,
        )


def _connect(project: str) -> "Client":
    from google.cloud.bigquery import Client

    with _refuse_errors("examples.inputs"):
        return Client(project=project)


def _retry() -> "Retry":
    from google.cloud.bigquery import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(_RETRY_SECONDS)


@contextmanager
def _refuse_errors(subject: str) -> Iterator[None]:
    """Turn errors of Google's clients into one line that begins with `subject` and says what to do."""
    from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPIError, NotFound, RetryError, Unauthorized
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except BadRequest as error:
        raise Refused(f"{subject}: BigQuery refuses it ({_message(error)}); correct the query") from None
    except NotFound as error:
        raise Refused(f"{subject}: {_message(error)}; correct the name, or --project in beam.pipeline_args") from None
    except Forbidden as error:
        raise Refused(
            f"{subject}: no access ({_message(error)}); grant the account BigQuery Job User on the project and BigQuery"
            " Data Viewer on the tables"
        ) from None
    except (GoogleAPIError, GoogleAuthError, RequestException) as error:
        cause = error.cause if isinstance(error, RetryError) and error.cause else error
        if isinstance(cause, (Unauthorized, GoogleAuthError)) and not isinstance(cause, TransportError):
            raise Refused(
                f"{subject}: no valid Google Cloud credentials ({_message(cause)}); run 'gcloud auth"
                " application-default login', or have GOOGLE_APPLICATION_CREDENTIALS name a key file"
            ) from None
        raise Refused(f"{subject}: BigQuery does not answer ({_message(cause)}); try again later") from None


def _message(error: Exception) -> str:
    """Return BigQuery's own sentence if there is one, without the URL that the client prepends; always one line."""
    errors = getattr(error, "errors", None) or [{}]
    return " ".join(str(errors[0].get("message") or getattr(error, "message", None) or error).split()).rstrip(".")


def _key_of(query: Query) -> str:
    """Return the configuration key of a query, and its day if it reads a span."""
    name, _, day = query.name.partition("@")
    return f"examples.{name}.query" + (f" of {day}" if day else "")
