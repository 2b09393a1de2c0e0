"""Redirection of Google's and Beam's clients to a server of the tests."""

from pathlib import Path

import grpc
import pytest
from apache_beam.internal.gcp import auth
from apache_beam.io.gcp.internal.clients.bigquery import BigqueryV2
from google.cloud.bigquery_storage_v1.services.big_query_read.transports.grpc import BigQueryReadGrpcTransport

from tests.support.bigquery.read_api import ReadApi
from tests.support.bigquery.server import BigQueryServer
from tests.support.google_account import log_in


def point_clients_at(server: BigQueryServer, read_api: ReadApi, patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Redirect the clients to the servers, by their own settings where there are any, else by patching an address."""
    # Read by google-cloud-bigquery and google-cloud-storage, which Beam's gcsio uses.
    patch.setenv("BIGQUERY_EMULATOR_HOST", server.url)
    patch.setenv("STORAGE_EMULATOR_HOST", server.url)
    # An ordinary service account, whose identity provider is the server.
    log_in(folder, patch, project="other", email="tests@other.iam.gserviceaccount.com", token_uri=f"{server.url}/token")
    # Beam's generated client has no other setting for its address, and Beam keeps the first credentials it finds.
    patch.setattr(BigqueryV2, "BASE_URL", f"{server.url}/bigquery/v2/")
    patch.setattr(auth._Credentials, "_credentials_init", False)
    patch.setattr(auth._Credentials, "_credentials", None)
    # Beam constructs the client of the Storage Read API without options; unpatched, it would connect to Google.
    patch.setattr(
        BigQueryReadGrpcTransport,
        "create_channel",
        classmethod(lambda *_, **__: grpc.insecure_channel(read_api.address)),
    )
