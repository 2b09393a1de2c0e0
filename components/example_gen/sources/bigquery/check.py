"""What BigQuery says about the queries before they run: whether they can, and whether they would read something new.

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
from components.example_gen.columns import find_columns
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.bigquery.queries import Query
from schema.errors import Refused

if TYPE_CHECKING:  # 1.6 s to import: only who has queries pays
    from google.api_core.retry import Retry
    from google.cloud.bigquery import Client, QueryJob, SchemaField, Table, TableReference

_SECONDS = 30.0  # to try for, where a service or the network is out
_MOST_TABLES_LISTED = 50  # "queries that reference more than 50 tables will not have a complete list"
# What gives another result on the same tables.
_UNSTEADY = re.compile(
    r"\b(CURRENT_DATE|CURRENT_DATETIME|CURRENT_TIME|CURRENT_TIMESTAMP|RAND|GENERATE_UUID|TABLESAMPLE|EXTERNAL_QUERY)\b",
    re.IGNORECASE,
)


def check_queries(queries: Sequence[Query], settings: ExamplesSettings, project: str) -> list[int]:
    """Has BigQuery check every query, and looks for the configured columns in what they return.

    Returns:
        The bytes that each query will read.

    Raises:
        Refused: A query is wrong, or may not be run; there are no credentials, or there is no BigQuery; a column is
            missing, or is of a type that nothing can be made of.
    """
    client = _connect(project)
    sizes = []
    for query in queries:
        where = _where(query)
        job = _dry_run(client, query)
        if job.statement_type != "SELECT":
            raise Refused(f"{where}: is no SELECT but a {job.statement_type}; make it a single SELECT")
        fields = job.schema or []
        find_columns([field.name for field in fields], settings, where)
        _refuse_types(fields, settings, where)
        sizes.append(int(job.total_bytes_processed or 0))
    return sizes


def fingerprint(queries: Sequence[Query], project: str) -> str:
    """What changes whenever the queries, or the tables that they read, have changed.

    TFX's own BigQueryExampleGen has none (`QueryBasedInputProcessor.get_input_fingerprint` returns None): its cache
    knows the query's text alone, and serves yesterday's rows for as long as that stays the same. Where nothing tells
    whether a table has changed, this is another value each time: the rows are then read again, never taken stale.

    Raises:
        Refused: A query is wrong, or may not be run; there are no credentials, or there is no BigQuery.
    """
    client = _connect(project)
    states: list[object] = []
    for query in queries:
        job = _dry_run(client, query)
        schema = [field.to_api_repr() for field in job.schema or []]
        states.append([query.name, query.sql, schema, job.total_bytes_processed])
        try:
            states.extend(_states(client, query, job))
        except _CannotTell as reason:
            PROGRESS.info("%s: cannot tell whether its rows have changed (%s); reading them again", query.name, reason)
            states.append(uuid.uuid4().hex)
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()


class _CannotTell(Exception):  # noqa: N818 - it says what is the case
    pass


def _states(client: "Client", query: Query, job: "QueryJob") -> Iterator[list[object]]:
    if found := _UNSTEADY.search(query.sql):
        raise _CannotTell(f"it has {found[0].upper()}")
    # The client has no property for them, nor any other way to what the server said.
    if job._properties["statistics"].get("query", {}).get("referencedRoutines"):
        raise _CannotTell("it calls routines")
    if len(job.referenced_tables) >= _MOST_TABLES_LISTED:
        raise _CannotTell(f"it refers to {len(job.referenced_tables)} tables or more")
    tables = [_metadata(client, reference) for reference in job.referenced_tables]
    # BigQuery does not promise to list the view beside the tables behind it, and a view is as good as a query.
    behind = next((table.table_id for table in tables if table.table_id not in query.sql), None)
    if behind and not any(table.table_type == "VIEW" for table in tables):
        raise _CannotTell(f"{behind} stands behind a view")
    for table in tables:
        # No etag: it is a hash of all metadata, of which some change by themselves, as what is in long-term storage.
        yield [str(table.reference), str(table.created), str(table.modified), table.num_rows, table.num_bytes]


def _metadata(client: "Client", reference: "TableReference") -> "Table":
    from google.api_core.exceptions import BadRequest, Forbidden, NotFound

    name = str(reference)
    with _refusing(name):
        try:
            table = client.get_table(reference, retry=_retry(), timeout=_SECONDS)
        except (BadRequest, Forbidden, NotFound) as error:  # a wildcard, behind an authorized view, INFORMATION_SCHEMA
            raise _CannotTell(f"{name} has no metadata: {_message(error)}") from None
    if table.table_type not in ("TABLE", "SNAPSHOT", "CLONE", "VIEW"):
        raise _CannotTell(f"{name} is of type {table.table_type}")  # the files of an EXTERNAL one change by themselves
    if table.streaming_buffer is not None:
        raise _CannotTell(f"{name} has a streaming buffer")
    return table


def _refuse_types(fields: Sequence["SchemaField"], settings: ExamplesSettings, where: str) -> None:
    for field in fields:
        if field.name not in settings.used_columns:
            continue
        if field.field_type in ("RECORD", "STRUCT"):
            raise Refused(f"{where}: column '{field.name}' is a {field.field_type}; select one of its fields")
        if field.mode == "REPEATED" and field.name not in settings.labels.label_columns:
            raise Refused(f"{where}: column '{field.name}' is REPEATED; only labels can be, select one string")


def _dry_run(client: "Client", query: Query) -> "QueryJob":
    from google.cloud.bigquery import QueryJobConfig

    with _refusing(_where(query)):
        # No job_retry: the client would go on about a table whose name has " job" in it as if a job were missing.
        return client.query(
            query.sql,
            job_config=QueryJobConfig(dry_run=True, use_query_cache=False),
            retry=_retry(),
            timeout=_SECONDS,
            job_retry=None,
        )


def _connect(project: str) -> "Client":
    from google.cloud.bigquery import Client

    with _refusing("examples.inputs"):
        return Client(project=project)


def _retry() -> "Retry":
    from google.cloud.bigquery import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(_SECONDS)


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    """What goes wrong within, as one line that says what to do."""
    from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPIError, NotFound, RetryError, Unauthorized
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException

    try:
        yield
    except BadRequest as error:
        raise Refused(f"{where}: BigQuery refuses it ({_message(error)}); correct the query") from None
    except NotFound as error:
        raise Refused(f"{where}: {_message(error)}; correct the name, or --project in beam.pipeline_args") from None
    except Forbidden as error:
        raise Refused(
            f"{where}: no access ({_message(error)}); grant the account BigQuery Job User on the project and BigQuery"
            " Data Viewer on the tables"
        ) from None
    except (GoogleAPIError, GoogleAuthError, RequestException) as error:
        cause = error.cause if isinstance(error, RetryError) and error.cause else error
        if isinstance(cause, (Unauthorized, GoogleAuthError)) and not isinstance(cause, TransportError):
            raise Refused(
                f"{where}: no valid Google Cloud credentials ({_message(cause)}); run 'gcloud auth application-default"
                " login', or have GOOGLE_APPLICATION_CREDENTIALS name a key file"
            ) from None
        raise Refused(f"{where}: BigQuery does not answer ({_message(cause)}); try again later") from None


def _message(error: Exception) -> str:
    """BigQuery's own sentence where there is one, without the URL that the client puts before it; always one line."""
    errors = getattr(error, "errors", None) or [{}]
    return " ".join(str(errors[0].get("message") or getattr(error, "message", None) or error).split()).rstrip(".")


def _where(query: Query) -> str:
    name, _, span = query.name.partition("@")
    return f"examples.{name}.query" + (f" of {span}" if span else "")
