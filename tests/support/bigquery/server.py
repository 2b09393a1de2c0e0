"""Local server that implements as much of BigQuery and Cloud Storage as reading a query needs.

The clients under test are Google's and Beam's own: the responses follow the REST references of the BigQuery v2 and
Cloud Storage v1 JSON APIs. There is no SQL engine: the server understands `SELECT columns FROM table WHERE column =
literal`, and answers anything else with BigQuery's error.
"""

import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from urllib.parse import unquote

from tests.support.bigquery import avro as bigquery_avro
from tests.support.http_server import HttpServer, Json, Reply, Request

_SELECT = re.compile(r"SELECT (?P<columns>.+?) FROM `(?P<table>[^`]+)`(?: WHERE (?P<column>\w+) = (?P<value>.+))?")


@dataclass
class Table:
    """Rows with a schema.

    Attributes:
        fields: Fields as in the API: {name, type, mode, fields}.
        rows: Values by field.
        kind: Type of the table.
        of: Table that a VIEW reads.
        streaming: Whether the table has a streaming buffer.
        modified: Time of modification, in ms since 1970.
        etag: Hash of the metadata.
    """

    fields: list[Json]
    rows: list[Json]
    kind: str = "TABLE"
    of: str = ""
    streaming: bool = False
    modified: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    etag: str = field(default_factory=lambda: uuid.uuid4().hex)

    def append(self, *rows: Json) -> None:
        """Add rows, as a load job would."""
        self.rows.extend(rows)
        self.modified += 1
        self.etag = uuid.uuid4().hex


class ApiError(Exception):
    """Error response of the API."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message

    def body(self) -> Json:
        """Return the body of the response."""
        errors = [{"message": self.message, "domain": "global", "reason": self.reason}]
        return {"error": {"code": self.status, "message": self.message, "errors": errors}}


@dataclass
class _Outage:
    path: str
    error: ApiError
    times: int


class BigQueryServer(HttpServer):
    """HTTP server of tables in memory.

    Attributes:
        tables: Tables by "project.dataset.table".
        forbidden: Names of tables that the caller may not read.
        hidden: Names of tables that the caller may read, but whose metadata it may not get.
        routines: Routines that every query is reported to call.
        lists_views: Whether a dry run lists a view beside the table that it reads.
        datasets: Data sets by "project.dataset".
        objects: Contents of Cloud Storage by (bucket, name).
        requests: "METHOD path" of every request, in order.
        jobs: Inserted jobs by id, without dry runs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, Table] = {}
        self.forbidden: set[str] = set()
        self.hidden: set[str] = set()
        self.routines: list[Json] = []
        self.lists_views = True
        self.datasets: dict[str, Json] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        self.requests: list[str] = []
        self.jobs: dict[str, Json] = {}
        self._outages: list[_Outage] = []
        self._lock = threading.RLock()

    def fail(self, path: str, times: int, status: int = 503, reason: str = "backendError") -> None:
        """Make the next `times` requests fail whose "METHOD path" matches the expression `path`."""
        self._outages.append(_Outage(path, ApiError(status, reason, "The service is currently unavailable."), times))

    def answer(self, request: Request) -> Reply:
        """Return the response to a request."""
        target = f"{request.method} {request.path}"
        with self._lock:
            self.requests.append(target)
            try:
                for outage in self._outages:
                    if outage.times and re.search(outage.path, target):
                        outage.times -= 1
                        raise outage.error
                for pattern, route in _ROUTES:
                    if match := re.fullmatch(pattern, target):
                        return route(self, request, *map(unquote, match.groups()))
                raise ApiError(404, "notFound", f"no such method: {target}")
            except ApiError as error:
                return Reply(error.status, error.body())

    # Jobs

    def insert_job(self, request: Request, project: str) -> Reply:
        job = request.json()
        configuration = job["configuration"]
        reference = {"projectId": project, "jobId": uuid.uuid4().hex, "location": "EU"} | job.get("jobReference", {})
        reference["projectId"] = project
        if reference["jobId"] in self.jobs:
            raise ApiError(409, "duplicate", f"Already Exists: Job {project}:EU.{reference['jobId']}")
        job |= {"kind": "bigquery#job", "id": f"{project}:EU.{reference['jobId']}", "jobReference": reference}
        job |= {"status": {"state": "DONE"}, "statistics": {"creationTime": "1", "startTime": "1", "endTime": "2"}}
        if "query" in configuration:
            self._query(job, configuration)
        else:
            self._extract(configuration["extract"])
        if not configuration.get("dryRun"):
            self.jobs[reference["jobId"]] = job
        return Reply(body=job)

    def get_job(self, _: Request, __: str, job_id: str) -> Reply:
        return Reply(body=self.jobs[job_id])

    def _query(self, job: Json, configuration: Json) -> None:
        query = configuration["query"]["query"]
        if query.startswith("DELETE "):
            job["statistics"] |= {"query": {"statementType": "DELETE"}}
            return
        names, result = self._run(query)
        size = str(10 * len(self.tables[names[0]].rows))
        job["statistics"] |= {
            "totalBytesProcessed": size,
            "query": {
                "statementType": "SELECT",
                "totalBytesProcessed": size,
                "referencedTables": [_reference(name) for name in names],
                "referencedRoutines": self.routines,
                "schema": {"fields": result.fields},
            },
        }
        if not configuration.get("dryRun"):
            target = configuration["query"]["destinationTable"]
            self.tables[f"{target['projectId']}.{target['datasetId']}.{target['tableId']}"] = result

    def _run(self, query: str) -> tuple[list[str], Table]:
        """Return the tables that a query reads, and its result."""
        select = _SELECT.fullmatch(" ".join(query.split()))
        if select is None:
            raise ApiError(400, "invalidQuery", f'Syntax error: Unexpected identifier "{query.split()[0]}" at [1:1]')
        name = select["table"]
        legacy_name = name.replace(".", ":", 1)
        if name in self.forbidden:
            raise ApiError(
                403, "accessDenied", f"Access Denied: Table {legacy_name}: User does not have permission to query table"
                f" {legacy_name}, or perhaps it does not exist.",
            )  # fmt: skip
        if name not in self.tables:
            raise ApiError(404, "notFound", f"Not found: Table {legacy_name} was not found in location EU")
        names = [name]
        if view := self.tables[name].of:
            names = [view, name] if self.lists_views else [view]
        source = self.tables[names[0]]
        by_name = {entry["name"]: entry for entry in source.fields}
        wanted = list(by_name) if select["columns"] == "*" else select["columns"].split(", ")
        for column in [*wanted, *filter(None, [select["column"]])]:
            if column not in by_name:
                raise ApiError(400, "invalidQuery", f"Unrecognized name: {column} at [1:8]")
        rows = [row for row in source.rows if _matches(row, select["column"], select["value"])]
        # As in BigQuery, a repeated field that is NULL is stored as an empty list.
        empty: Json = {column: [] if by_name[column].get("mode") == "REPEATED" else None for column in wanted}
        results = [
            {column: empty[column] if row.get(column) is None else row[column] for column in wanted} for row in rows
        ]
        return names, Table([by_name[column] for column in wanted], results)

    def _extract(self, extract: Json) -> None:
        source = extract["sourceTable"]
        table = self.tables[f"{source['projectId']}.{source['datasetId']}.{source['tableId']}"]
        (uri,) = extract["destinationUris"]
        bucket, _, pattern = uri.removeprefix("gs://").partition("/")
        # In two files, so that the reader has to find both.
        middle = (len(table.rows) + 1) // 2
        for number, rows in enumerate((table.rows[:middle], table.rows[middle:])):
            content = bigquery_avro.write_file(table.fields, rows)
            self.objects[bucket, pattern.replace("*", f"{number:012d}")] = content

    # Tables and data sets

    def get_table(self, _: Request, project: str, dataset: str, name: str) -> Reply:
        full = f"{project}.{dataset}.{name}"
        if full in self.forbidden | self.hidden:
            raise ApiError(403, "accessDenied", f"Access Denied: Table {full}: Permission bigquery.tables.get denied")
        if full not in self.tables:
            raise ApiError(404, "notFound", f"Not found: Table {project}:{dataset}.{name}")
        table = self.tables[full]
        body: Json = {
            "kind": "bigquery#table", "id": f"{project}:{dataset}.{name}", "tableReference": _reference(full),
            "schema": {"fields": table.fields}, "numRows": str(len(table.rows)), "numBytes": str(10 * len(table.rows)),
            "creationTime": "1", "lastModifiedTime": str(table.modified), "etag": table.etag, "type": table.kind,
            "location": "EU",
        }  # fmt: skip
        if table.streaming:
            body["streamingBuffer"] = {"estimatedRows": "1", "estimatedBytes": "10", "oldestEntryTime": "1700000000000"}
        return Reply(body=body)

    def delete_table(self, _: Request, project: str, dataset: str, name: str) -> Reply:
        del self.tables[f"{project}.{dataset}.{name}"]
        return Reply(204, b"")

    def insert_dataset(self, request: Request, project: str) -> Reply:
        body = request.json()
        self.datasets[f"{project}.{body['datasetReference']['datasetId']}"] = body
        return Reply(body=body)

    def get_dataset(self, _: Request, project: str, dataset: str) -> Reply:
        if f"{project}.{dataset}" not in self.datasets:
            raise ApiError(404, "notFound", f"Not found: Dataset {project}:{dataset}")
        return Reply(body=self.datasets[f"{project}.{dataset}"])

    def list_datasets(self, request: Request, project: str) -> Reply:
        """List the data sets of a project with every label of a filter "labels.key:value labels.key:value"."""
        labels = [term.removeprefix("labels.").split(":") for term in request.query.get("filter", "").split()]
        found = [
            body
            for name, body in self.datasets.items()
            if name.startswith(f"{project}.") and all(body.get("labels", {}).get(key) == value for key, value in labels)
        ]
        return Reply(body={"kind": "bigquery#datasetList", "datasets": found})

    def delete_dataset(self, _: Request, project: str, dataset: str) -> Reply:
        del self.datasets[f"{project}.{dataset}"]
        self.tables = {
            name: table for name, table in self.tables.items() if not name.startswith(f"{project}.{dataset}.")
        }
        return Reply(204, b"")

    # Cloud Storage

    def get_bucket(self, _: Request, bucket: str) -> Reply:
        return Reply(body={"kind": "storage#bucket", "id": bucket, "name": bucket, "location": "EU"})

    def list_objects(self, request: Request, bucket: str) -> Reply:
        prefix = request.query.get("prefix", "")
        names = sorted(name for owner, name in self.objects if owner == bucket and name.startswith(prefix))
        return Reply(body={"kind": "storage#objects", "items": [self._object(bucket, name) for name in names]})

    def get_object(self, request: Request, bucket: str, name: str) -> Reply:
        if (bucket, name) not in self.objects:
            raise ApiError(404, "notFound", f"No such object: {bucket}/{name}")
        if request.query.get("alt") != "media":
            return Reply(body=self._object(bucket, name))
        content = self.objects[bucket, name]
        if not (wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))):
            return Reply(body=content)
        start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        if start >= len(content):
            raise ApiError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
        return Reply(206, content[start : end + 1], {"Content-Range": f"bytes {start}-{end}/{len(content)}"})

    def delete_object(self, _: Request, bucket: str, name: str) -> Reply:
        if self.objects.pop((bucket, name), None) is None:
            raise ApiError(404, "notFound", f"No such object: {bucket}/{name}")
        return Reply(204, b"")

    def batch(self, request: Request) -> Reply:
        """Answer the HTTP requests within a multipart body."""
        head = f"Content-Type: {request.headers['Content-Type']}\n\n"
        message = message_from_bytes(head.encode() + request.body)
        parts = []
        for part in message.get_payload():
            assert isinstance(part, Message)
            request_line = (
                str(part.get_payload(0) if part.is_multipart() else part.get_payload()).lstrip().partition("\n")[0]
            )
            method, target, *_ = request_line.split()
            reply = self.answer(Request.parse(method, target, Message(), b""))
            head = f"Content-Type: application/http\r\nContent-ID: {part['Content-ID']}\r\n\r\n"
            answer = f"HTTP/1.1 {reply.status} x\r\nContent-Type: application/json\r\n\r\n"
            parts.append((head + answer).encode() + reply.content)
        content = b"".join(b"--part\r\n" + part + b"\r\n" for part in parts) + b"--part--"
        return Reply(200, content, {"Content-Type": "multipart/mixed; boundary=part"})

    def _object(self, bucket: str, name: str) -> Json:
        return {
            "kind": "storage#object", "bucket": bucket, "name": name, "id": f"{bucket}/{name}/1", "generation": "1",
            "size": str(len(self.objects[bucket, name])), "updated": "2026-01-01T00:00:00.000Z",
            "contentType": "application/octet-stream",
        }  # fmt: skip

    def token(self, _: Request) -> Reply:
        """Return an access token, as an identity provider does for a service account."""
        return Reply(body={"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"})


_BIGQUERY = "/bigquery/v2/projects/([^/]+)"
_OBJECT = "/storage/v1/b/([^/]+)/o/([^/]+)"
_ROUTES: list[tuple[str, Callable[..., Reply]]] = [
    ("POST /token", BigQueryServer.token),
    (f"POST {_BIGQUERY}/jobs", BigQueryServer.insert_job),
    (f"GET {_BIGQUERY}/jobs/([^/]+)", BigQueryServer.get_job),
    (f"GET {_BIGQUERY}/datasets/([^/]+)/tables/([^/]+)", BigQueryServer.get_table),
    (f"DELETE {_BIGQUERY}/datasets/([^/]+)/tables/([^/]+)", BigQueryServer.delete_table),
    (f"POST {_BIGQUERY}/datasets", BigQueryServer.insert_dataset),
    (f"GET {_BIGQUERY}/datasets", BigQueryServer.list_datasets),
    (f"GET {_BIGQUERY}/datasets/([^/]+)", BigQueryServer.get_dataset),
    (f"DELETE {_BIGQUERY}/datasets/([^/]+)", BigQueryServer.delete_dataset),
    ("GET /storage/v1/b/([^/]+)", BigQueryServer.get_bucket),
    ("GET /storage/v1/b/([^/]+)/o", BigQueryServer.list_objects),
    (f"GET (?:/download)?{_OBJECT}", BigQueryServer.get_object),
    (f"DELETE {_OBJECT}", BigQueryServer.delete_object),
    ("POST /batch/storage/v1", BigQueryServer.batch),
]


def _reference(name: str) -> Json:
    project, dataset, table = name.split(".")
    return {"projectId": project, "datasetId": dataset, "tableId": table}


def _matches(row: Json, column: str | None, value: str | None) -> bool:
    return column is None or value is None or repr(row[column]) == value
