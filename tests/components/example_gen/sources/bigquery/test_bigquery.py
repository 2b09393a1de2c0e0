"""Queries, read by TFX's, Beam's and Google's own code from a local server."""

import datetime as dt
import math
import re
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from pydantic import ValidationError
from tfx.components.example_gen.utils import get_query_for_span
from tfx.extensions.google_cloud_big_query.utils import parse_gcp_project

from components.example_gen.formats.rows import Reason, Rejected, Row
from components.example_gen.parsing.columns import find_columns
from components.example_gen.parsing.labels import make_label_parser
from components.example_gen.parsing.row_parser import LabelledText, RowParser
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.bigquery import check as bigquery_check
from components.example_gen.sources.bigquery.check import check_queries, fingerprint
from components.example_gen.sources.bigquery.queries import (
    Query,
    billed_project,
    find_queries,
    has_span,
    substitute,
    to_row,
)
from components.example_gen.sources.bigquery.read import ReadRows
from schema.errors import Refused
from tests.support.bigquery.clients import point_clients_at
from tests.support.bigquery.read_api import ReadApi
from tests.support.bigquery.server import BigQueryServer, Table

_PROJECT = "shop-1"
_ARGS = ["--runner=FnApiRunner", f"--project={_PROJECT}", "--temp_location=gs://bucket/temp"]
_COMMENTS = "shop-1.texts.comments"
_ALL = f"SELECT * FROM `{_COMMENTS}`"
_METHODS = ("EXPORT", "DIRECT_READ")


def _field(name: str, kind: str = "STRING", mode: str = "NULLABLE", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "mode": mode} | more


def _comments(count: int = 5) -> Table:
    """Return a table with labels in every form that BigQuery can hold."""
    fields = [
        _field("id", "INTEGER", "REQUIRED"), _field("text"), _field("labels"), _field("tags", mode="REPEATED"),
        _field("joy", "BOOLEAN"), _field("anger", "INTEGER"), _field("indices", "INTEGER", "REPEATED"), _field("day"),
    ]  # fmt: skip
    rows = [
        {"id": number, "text": f"text {number}", "labels": "joy|anger", "tags": ["joy", "anger"], "joy": True,
         "anger": number % 2, "indices": [0, 1], "day": f"2026010{1 + number % 2}"}
        for number in range(count)
    ]  # fmt: skip
    return Table(fields, rows)


def _settings(*queries: str, **changes: Any) -> ExamplesSettings:
    splits = {"train": 2, "eval": 1, "test": 1}
    values: dict[str, Any] = {
        "format": "bigquery",
        "id": "id",
        "labels": {"kind": "delimited", "column": "labels"},
        "inputs": [{"query": query, "split": splits} for query in queries or (_ALL,)],
    }
    return ExamplesSettings.model_validate(values | changes)


@pytest.fixture
def server() -> Iterator[BigQueryServer]:
    with BigQueryServer() as server:
        server.tables[_COMMENTS] = _comments()
        yield server


@pytest.fixture
def read_api(server: BigQueryServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ReadApi]:
    with ReadApi(server) as read_api:
        point_clients_at(server, read_api, monkeypatch, tmp_path)
        yield read_api


def _find_queries(settings: ExamplesSettings, spans: Sequence[int] = ()) -> tuple[Query, ...]:
    return find_queries([entry.source for entry in settings.inputs], spans)


pytestmark = pytest.mark.usefixtures("read_api")


class _Collected:
    """Rows of a pipeline that runs in this process."""

    rows: ClassVar[list[tuple[int, dict[str, Any]]]] = []


def _collect(row: tuple[int, dict[str, Any]]) -> None:
    _Collected.rows.append(row)


def _read(settings: ExamplesSettings, queries: Sequence[Query] | None = None) -> list[tuple[int, dict[str, Any]]]:
    _Collected.rows.clear()
    with beam.Pipeline(options=PipelineOptions(_ARGS)) as pipeline:
        _ = pipeline | ReadRows(queries or _find_queries(settings), settings) | beam.Map(_collect)
    return sorted(_Collected.rows, key=lambda row: (row[0], str(row[1]["id"])))


def _parse(settings: ExamplesSettings, label_names: Sequence[str] = ()) -> list[LabelledText | Rejected]:
    columns = settings.used_columns
    layout = find_columns(columns, settings, "inputs[0]")
    parser = RowParser("inputs[0]", layout, make_label_parser(settings.labels, label_names))
    rows = [to_row(0, fields, columns) for _, fields in _read(settings)]
    return [row if isinstance(row, Rejected) else parser.parse(row) for row in rows]


class TestReading:
    @pytest.mark.parametrize("method", _METHODS)
    def test_reads_every_row_with_the_order_of_its_query(
        self, server: BigQueryServer, read_api: ReadApi, method: str
    ) -> None:
        server.tables["shop-1.texts.more"] = _comments(3)
        settings = _settings(_ALL, "SELECT id, tags FROM `shop-1.texts.more`", read_method=method)
        rows = _read(settings)
        assert [(order, fields["id"]) for order, fields in rows] == [
            *((0, number) for number in range(5)),
            *((1, number) for number in range(3)),
        ]
        assert rows[5][1] == {"id": 0, "tags": ["joy", "anger"]}
        assert bool(read_api.sessions) == (method == "DIRECT_READ")

    @pytest.mark.parametrize("method", _METHODS)
    def test_leaves_no_tables_or_files(self, server: BigQueryServer, method: str) -> None:
        _read(_settings(read_method=method))
        assert set(server.tables) == {_COMMENTS}
        assert not server.datasets
        assert not server.objects
        # TFX's own transform was used: it labels its jobs.
        assert all("tfx_version" in job["configuration"]["labels"] for job in server.jobs.values())

    @pytest.mark.parametrize("method", _METHODS)
    def test_reads_an_empty_result(self, server: BigQueryServer, method: str) -> None:
        server.tables[_COMMENTS].rows.clear()
        assert _read(_settings(read_method=method)) == []

    def test_queries_that_start_together_do_not_share_a_job(
        self, server: BigQueryServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Beam names direct reads after the second and this number only.
        monkeypatch.setattr("random.randint", lambda *_: 1)
        stopped = SimpleNamespace(time=lambda: 1_700_000_000, sleep=time.sleep)
        monkeypatch.setattr("apache_beam.io.gcp.bigquery.time", stopped)
        rows = _read(_settings(_ALL, f"SELECT id, text FROM `{_COMMENTS}`", read_method="DIRECT_READ"))
        assert len(rows) == 10
        assert len(server.jobs) == 2

    @pytest.mark.parametrize("method", _METHODS)
    def test_converts_values_as_other_formats_do(self, server: BigQueryServer, method: str) -> None:
        values: dict[str, tuple[str, Any, Any]] = {
            "string": ("STRING", "na\u00efve", "na\u00efve"),
            "null": ("STRING", None, ""),
            "integer": ("INTEGER", -(2**62), str(-(2**62))),
            "whole": ("FLOAT", 1.0, "1"),
            "float": ("FLOAT", 0.25, "0.25"),
            "yes": ("BOOLEAN", True, "1"),
            "no": ("BOOLEAN", False, "0"),
            "numeric": ("NUMERIC", Decimal("12.50"), "12.5"),
            "one": ("NUMERIC", Decimal(100), "100"),
            "date": ("DATE", dt.date(2026, 1, 31), "2026-01-31"),
            "datetime": ("DATETIME", "2026-01-31T12:00:00", "2026-01-31T12:00:00"),
            "time": ("TIME", dt.time(12, 30), "12:30:00"),
            "timestamp": ("TIMESTAMP", dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), "2026-01-31T12:00:00+00:00"),
            "bytes": ("BYTES", "\u00e9".encode(), "\u00e9"),
        }
        fields = [_field(name, kind) for name, (kind, _, _) in values.items()]
        fields += [_field("many", mode="REPEATED"), _field("numbers", "INTEGER", "REPEATED"), _field("id")]
        row = {name: value for name, (_, value, _) in values.items()} | {"many": ["a", ""], "numbers": [4, 27]}
        server.tables["shop-1.texts.types"] = Table(fields, [row, {}])
        settings = _settings("SELECT * FROM `shop-1.texts.types`", read_method=method)
        columns = [*values, "many", "numbers"]
        read = {str(fields["string"]): to_row(7, fields, [*columns, "absent"]) for _, fields in _read(settings)}
        full, empty = read["na\u00efve"], read["None"]
        assert isinstance(full, Row)
        assert full.line == 7
        assert full.cells == [*(wanted for _, _, wanted in values.values()), ["a", ""], ["4", "27"], None]
        assert isinstance(empty, Row)
        assert empty.cells == [*[""] * len(values), [], [], None]

    def test_rejects_values_that_are_not_strings_and_names_the_column(self, server: BigQueryServer) -> None:
        point = [_field("x", "INTEGER")]
        fields = [
            _field("id"), _field("where", "RECORD", fields=point), _field("raw", "BYTES"),
            _field("points", "RECORD", "REPEATED", fields=point),
        ]  # fmt: skip
        row = {"id": "a", "where": {"x": 1}, "raw": b"\xff", "points": [{"x": 2}]}
        server.tables["shop-1.texts.odd"] = Table(fields, [row])
        ((_, read),) = _read(_settings("SELECT * FROM `shop-1.texts.odd`"))
        rejected = [to_row(0, read, ["id", column]) for column in ("where", "raw", "points")]
        assert all(isinstance(row, Rejected) for row in rejected)
        assert [row.explanation for row in rejected if isinstance(row, Rejected)] == [
            "not a string: column 'where' is a RECORD",
            "invalid UTF-8: in column 'raw'",
            "not a string: column 'points' is a RECORD",
        ]
        assert isinstance(rejected[0], Rejected)
        assert rejected[0].raw.startswith('{"id": "a", "where": {"x": 1}, ')

    @pytest.mark.parametrize(
        ("value", "text"), [(math.nan, "NaN"), (1e300, "1e+300"), (2.0**60, "1.152921504606847e+18"), (-0.0, "0")]
    )
    def test_writes_floats_as_json_does(self, value: float, text: str) -> None:
        row = to_row(0, {"value": value}, ["value"])
        assert isinstance(row, Row)
        assert row.cells == [text]


class TestLabels:
    def test_reads_delimited_labels(self) -> None:
        records = _parse(_settings())
        assert [(record.id, record.labels) for record in records if isinstance(record, LabelledText)] == [
            (str(number), ["joy", "anger"]) for number in range(5)
        ]

    def test_reads_a_repeated_column_as_a_list(self) -> None:
        settings = _settings(labels={"kind": "list", "column": "tags"})
        row = to_row(0, _read(settings)[0][1], settings.used_columns)
        assert isinstance(row, Row)
        assert row.cells == ["0", "text 0", ["joy", "anger"]]

    def test_reads_indicators_of_bool_and_int64(self) -> None:
        records = _parse(_settings(labels={"kind": "indicators", "columns": ["joy", "anger"]}))
        labels = [record.labels for record in records if isinstance(record, LabelledText)]
        assert labels == [["joy"], ["joy", "anger"]] * 2 + [["joy"]]

    def test_reads_indices_from_repeated_integers(self) -> None:
        settings = _settings(
            input_base="d", labels={"kind": "indices", "column": "indices", "names": "labels.txt"}, slices=["day"]
        )
        row = to_row(0, _read(settings)[0][1], settings.used_columns)
        assert isinstance(row, Row)
        assert row.cells == ["0", "text 0", ["0", "1"], "20260101"]

    def test_null_and_invalid_values_cost_only_their_row(self, server: BigQueryServer) -> None:
        rows = server.tables[_COMMENTS].rows
        rows[1]["text"] = None
        rows[2]["anger"] = 2
        rows[3]["joy"] = None
        parsed = _parse(_settings(labels={"kind": "indicators", "columns": ["joy", "anger"]}))
        assert [row.reason if isinstance(row, Rejected) else None for row in parsed] == [
            None, Reason.BLANK_TEXT, Reason.NOT_0_OR_1, Reason.NOT_0_OR_1, None,
        ]  # fmt: skip


class TestOutages:
    @pytest.mark.parametrize(
        "path", ["POST .*/jobs", "GET .*/jobs/", "GET /download/", "GET /storage/v1/b/bucket/o$", "POST .*/datasets"]
    )
    def test_retries_until_a_server_recovers(self, server: BigQueryServer, path: str) -> None:
        server.fail(path, times=2)
        assert len(_read(_settings())) == 5
        assert len([request for request in server.requests if re.search(path, request)]) >= 3

    def test_retries_a_dry_run(self, server: BigQueryServer) -> None:
        server.fail("POST .*/jobs", times=1)
        check_queries(_find_queries(_settings()), _settings(), _PROJECT)

    def test_gives_up_on_a_server_that_stays_unavailable(
        self, server: BigQueryServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bigquery_check, "_RETRY_SECONDS", 0.5)
        server.fail("POST .*/jobs", times=1_000)
        with pytest.raises(Refused, match=r"BigQuery does not answer \(The service is currently unavailable\); try"):
            check_queries(_find_queries(_settings()), _settings(), _PROJECT)

    def test_a_failing_query_fails_the_pipeline(self, server: BigQueryServer) -> None:
        server.forbidden.add(_COMMENTS)
        with pytest.raises(Exception, match="Access Denied"):
            _read(_settings())


class TestCheck:
    def _refused(self, query: str = _ALL, **changes: Any) -> str:
        settings = _settings(query, **changes)
        with pytest.raises(Refused) as refused:
            check_queries(_find_queries(settings, [20_484]), settings, _PROJECT)
        message = str(refused.value)
        assert "\n" not in message
        return message

    def test_accepts_a_valid_query_without_running_it(self, server: BigQueryServer) -> None:
        check_queries(_find_queries(_settings()), _settings(), _PROJECT)
        assert not server.jobs

    def test_refuses_wrong_sql_with_bigquerys_message(self) -> None:
        assert self._refused("SELEC 1") == (
            "examples.inputs[0].query: BigQuery refuses it (Syntax error: Unexpected identifier \"SELEC\" at [1:1]);"
            " correct the query"
        )  # fmt: skip
        assert "Unrecognized name: txt at [1:8]" in self._refused(f"SELECT txt FROM `{_COMMENTS}`")

    def test_names_the_day_of_a_span(self) -> None:
        message = self._refused(f"SELECT * FROM `{_COMMENTS}` WHERE dya = @span_yyyymmdd_utc")
        assert message.startswith("examples.inputs[0].query of 20260131: BigQuery refuses it (Unrecognized name: dya")

    def test_refuses_a_missing_table(self) -> None:
        assert self._refused("SELECT * FROM `shop-1.texts.gone`") == (
            "examples.inputs[0].query: Not found: Table shop-1:texts.gone was not found in location EU; correct the"
            " name, or --project in beam.pipeline_args"
        )

    def test_refuses_a_forbidden_table(self, server: BigQueryServer) -> None:
        server.forbidden.add(_COMMENTS)
        message = self._refused()
        assert "no access (Access Denied: Table shop-1:texts.comments: User does not have permission" in message
        assert "BigQuery Data Viewer" in message

    def test_refuses_statements_other_than_select(self) -> None:
        assert "is not a SELECT but a DELETE" in self._refused(f"DELETE FROM `{_COMMENTS}` WHERE true")

    def test_finds_columns_in_the_result(self) -> None:
        message = self._refused(text="txet")
        assert message.startswith("examples.inputs[0].query: no column 'txet' (it has: id, text, labels, ")
        assert "did you mean 'text'?" in message

    def test_refuses_types_that_cannot_be_read(self, server: BigQueryServer) -> None:
        assert "column 'tags' is REPEATED; only labels can be" in self._refused(text="tags")
        server.tables[_COMMENTS].fields[1] |= {"type": "RECORD", "fields": [_field("x")]}
        assert "column 'text' is a RECORD; select one of its fields" in self._refused()

    def test_refuses_missing_or_invalid_credentials(
        self, server: BigQueryServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.fail("POST /token", times=1_000, status=400, reason="invalid_grant")
        assert "no valid Google Cloud credentials" in self._refused()
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
        message = self._refused()
        assert message.startswith("examples.inputs: no valid Google Cloud credentials (File /nowhere/key.json was not")
        assert message.endswith("have GOOGLE_APPLICATION_CREDENTIALS name a key file")


class TestFingerprint:
    def _fingerprint(self, query: str = _ALL) -> str:
        return fingerprint(_find_queries(_settings(query)), _PROJECT)

    def test_changes_only_with_the_table(self, server: BigQueryServer) -> None:
        before = self._fingerprint()
        assert self._fingerprint() == before
        server.tables["shop-1.texts.unrelated"] = _comments()
        assert self._fingerprint() == before
        server.tables[_COMMENTS].append(_comments(1).rows[0])
        appended = self._fingerprint()
        assert appended != before
        server.tables[_COMMENTS].append()  # rewritten, with as many rows as before
        assert self._fingerprint() not in (before, appended)

    def test_changes_with_the_query(self) -> None:
        assert self._fingerprint() != self._fingerprint(f"SELECT * FROM `{_COMMENTS}` WHERE id = 1")

    def test_ignores_metadata_that_changes_by_itself(self, server: BigQueryServer) -> None:
        before = self._fingerprint()
        server.tables[_COMMENTS].etag = "another"
        assert self._fingerprint() == before

    @pytest.mark.parametrize("change", [{"kind": "EXTERNAL"}, {"kind": "MATERIALIZED_VIEW"}, {"streaming": True}])
    def test_reads_a_table_again_if_its_state_is_unknown(self, server: BigQueryServer, change: dict[str, Any]) -> None:
        for name, value in change.items():
            setattr(server.tables[_COMMENTS], name, value)
        assert self._fingerprint() != self._fingerprint()

    def test_reads_a_table_without_metadata_again(self, server: BigQueryServer) -> None:
        server.hidden.add(_COMMENTS)
        assert self._fingerprint() != self._fingerprint()

    def test_reads_a_query_again_if_it_depends_on_more_than_its_tables(self) -> None:
        query = f"SELECT * FROM `{_COMMENTS}` WHERE day = 'current_date()'"
        assert self._fingerprint(query) != self._fingerprint(query)

    def test_reads_a_query_again_if_it_calls_a_routine(self, server: BigQueryServer) -> None:
        server.routines = [{"projectId": _PROJECT, "datasetId": "texts", "routineId": "clean"}]
        assert self._fingerprint() != self._fingerprint()

    @pytest.mark.parametrize("listed", [True, False])
    def test_a_view_counts_as_a_table_if_it_is_listed(self, server: BigQueryServer, listed: bool) -> None:
        server.tables["shop-1.texts.view"] = Table([], [], kind="VIEW", of=_COMMENTS)
        server.lists_views = listed
        before = self._fingerprint("SELECT * FROM `shop-1.texts.view`")
        assert (self._fingerprint("SELECT * FROM `shop-1.texts.view`") == before) == listed
        server.tables["shop-1.texts.view"].append()  # redefined
        assert self._fingerprint("SELECT * FROM `shop-1.texts.view`") != before

    def test_refuses_a_query_that_cannot_run(self) -> None:
        with pytest.raises(Refused, match="Not found"):
            self._fingerprint("SELECT * FROM `shop-1.texts.gone`")


class TestSpans:
    _PLACEHOLDERS = (
        "SELECT a FROM t WHERE ts >= TIMESTAMP_SECONDS(@span_begin_timestamp) AND ts < "
        "TIMESTAMP_SECONDS(@span_end_timestamp) AND day = @span_yyyymmdd_utc OR day = @span_yyyymmdd_utc"
    )

    @pytest.mark.parametrize("span", [0, 1, 11_016, 20_484, 47_540])
    def test_fills_placeholders_as_tfx_does(self, span: int) -> None:
        assert substitute(self._PLACEHOLDERS, span) == get_query_for_span(self._PLACEHOLDERS, span)

    def test_a_query_without_placeholder_has_no_span(self) -> None:
        assert has_span(self._PLACEHOLDERS)
        assert not has_span(_ALL)
        assert substitute(_ALL, 1) == _ALL

    def test_runs_one_query_per_span(self) -> None:
        settings = _settings(f"{_ALL} WHERE day = @span_yyyymmdd_utc", f"{_ALL} WHERE id = 4")
        queries = _find_queries(settings, [20_454, 20_455])
        assert [(query.order, query.input, query.name) for query in queries] == [
            (0, 0, "inputs[0]@20260101"), (1, 0, "inputs[0]@20260102"), (2, 1, "inputs[1]"),
        ]  # fmt: skip
        rows = _read(settings, queries)
        assert [(order, fields["id"]) for order, fields in rows] == [(0, 0), (0, 2), (0, 4), (1, 1), (1, 3), (2, 4)]

    def test_refuses_a_query_of_spans_if_there_are_none(self) -> None:
        with pytest.raises(Refused, match=r"examples\.inputs\[0\]\.query comes in spans, but none is left"):
            _find_queries(_settings(self._PLACEHOLDERS))


class TestConfiguration:
    @pytest.mark.parametrize(
        "project", [["--project=a"], ["--project", "a"], ["--project=a", "--runner=X"], ["--project=a", "--project=b"]]
    )
    def test_finds_the_same_project_as_tfx(self, project: list[str]) -> None:
        args = [*project, "--temp_location=gs://b/t", "--labels", "x=y"]
        assert billed_project(_settings(), args) == parse_gcp_project(args)

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["--projects=a"], "add --project=PROJECT to beam.pipeline_args"),
            (["--project"], "argument --project: expected one argument"),
            (["--project=a"], "add --temp_location=gs://BUCKET/FOLDER"),
            (["--project=a", "--temp_location=/tmp"], "add --temp_location=gs://BUCKET/FOLDER"),
        ],
    )
    def test_refuses_arguments_that_beam_would_fail_on(self, args: list[str], message: str) -> None:
        with pytest.raises(Refused, match=message):
            billed_project(_settings(), args)

    def test_needs_no_bucket_for_a_direct_read(self) -> None:
        assert billed_project(_settings(read_method="DIRECT_READ"), ["--project=a"]) == "a"

    def test_requires_an_id_column(self) -> None:
        with pytest.raises(ValidationError, match="id is null; name a column that identifies rows"):
            _settings(id=None)
