"""Server of the Storage Read API for the tables of a `BigQueryServer`: gRPC, without TLS."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import grpc
from google.cloud.bigquery_storage_v1 import types

from tests.support.bigquery import avro as bigquery_avro
from tests.support.bigquery.server import BigQueryServer, Table

_SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
_ROWS_A_RESPONSE = 2


class ReadApi:
    """Server that returns the rows of every table in two streams; runs as a context manager.

    Attributes:
        address: "host:port".
        sessions: Tables that read sessions were created for.
    """

    def __init__(self, server: BigQueryServer) -> None:
        self.sessions: list[str] = []
        self._server = server
        self._grpc = grpc.server(ThreadPoolExecutor(4))
        handlers = {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                self._create_session,
                types.CreateReadSessionRequest.deserialize,
                types.ReadSession.serialize,
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                self._read_rows, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
            ),
        }
        self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
        self.address = f"127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Self:
        self._grpc.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._grpc.stop(None)

    def _create_session(self, request: types.CreateReadSessionRequest, _: Any) -> types.ReadSession:
        session = request.read_session
        self.sessions.append(session.table)
        return types.ReadSession(
            name=f"{request.parent}/locations/EU/sessions/s",
            table=session.table,
            data_format=session.data_format,
            avro_schema=types.AvroSchema(schema=_schema(self._table(session.table))),
            streams=[types.ReadStream(name=f"{session.table}/streams/{number}") for number in range(2)],
        )

    def _read_rows(self, request: types.ReadRowsRequest, _: Any) -> Iterator[types.ReadRowsResponse]:
        name, _, stream = request.read_stream.partition("/streams/")
        table = self._table(name)
        rows = table.rows[int(stream) :: 2][request.offset :]
        for start in range(0, len(rows), _ROWS_A_RESPONSE):
            part = rows[start : start + _ROWS_A_RESPONSE]
            yield types.ReadRowsResponse(
                avro_rows=types.AvroRows(serialized_binary_rows=bigquery_avro.write_rows(table.fields, part)),
                row_count=len(part),
                avro_schema=types.AvroSchema(schema=_schema(table)) if not start else None,
            )

    def _table(self, path: str) -> Table:
        _, project, _, dataset, _, name = path.split("/")
        return self._server.tables[f"{project}.{dataset}.{name}"]


def _schema(table: Table) -> str:
    return json.dumps(bigquery_avro.schema_of(table.fields))
