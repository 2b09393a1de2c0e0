"""The object store of Kubeflow Pipelines: moto's server, used as the launcher uses an S3 API.

The launcher is that of kubeflow/pipelines 2.16.1, backend/src/v2, cited below by file and line.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

DEFAULT_ROOT = "minio://mlpipeline/v2/artifacts"
"""Where artifacts are unless a run says otherwise (config/env.go:38)."""
BUCKETS = ("mlpipeline", "bucket")
"""Buckets of the store; Kubeflow's installation has the first."""
_KEY, _SECRET = "minio", "minio123"
# component/launcher_v2.go:1208-1222, LocalPathForURI.
_FOLDERS = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}


class Objects:
    """Client of an S3 API.

    Args:
        client: A client of boto3.
        endpoint: Address of the API.
    """

    def __init__(self, client: Any, endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables by which clients of Amazon's find the store."""
        return {
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }

    def upload(self, path: Path, address: str) -> None:
        """Upload a file, or the files of a folder; nothing if there is neither (objectstore/object_store.go:92-125)."""
        bucket, key = _split(address)
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                relative = file.relative_to(path).as_posix()
                with file.open("rb") as content:
                    self._client.put_object(Bucket=bucket, Key=os.path.normpath(f"{key}/{relative}"), Body=content)

    def download(self, address: str, path: Path) -> None:
        """Download what has the address as a bare prefix (objectstore/object_store.go:127-154)."""
        bucket, prefix = _split(address)
        for key in self._keys(bucket, prefix):
            # Of `model_run/x` below `model`, which has that prefix, `../model_run/x`.
            file = Path(os.path.normpath(path / os.path.relpath(key, prefix)))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def digests(self, address: str) -> dict[str, str]:
        """Return a digest of each object whose name has an address as a prefix, by what follows the prefix."""
        bucket, prefix = _split(address)
        return {key.removeprefix(prefix): tag for key, tag in self._keys(bucket, prefix).items()}

    def _keys(self, bucket: str, prefix: str) -> dict[str, str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {each["Key"]: each["ETag"] for page in pages for each in page.get("Contents", ())}


def local_path(address: str) -> str | None:
    """Return the path of an address in a container; None for addresses that the launcher leaves alone."""
    scheme = next((scheme for scheme in _FOLDERS if address.startswith(scheme)), None)
    return None if scheme is None else _FOLDERS[scheme] + address.removeprefix(scheme)


def session_info(root: str) -> str:
    """Return how the launcher opens the bucket of a pipeline root, as JSON, where nothing is configured.

    Of config/env.go:177-192 for minio://, config/s3.go:72-95 for s3://.
    """
    secret = {"accessKeyKey": "accesskey", "secretKeyKey": "secretkey", "secretName": "mlpipeline-minio-artifact"}
    minio = {"disableSSL": "true", "endpoint": "seaweedfs.kubeflow:9000", "fromEnv": "false", "maxRetries": "5"}
    if root.startswith("minio://"):
        return json.dumps({"Provider": "minio", "Params": minio | secret | {"region": "minio"}})
    return json.dumps({"Provider": root.partition("://")[0], "Params": {"fromEnv": "true"}})


@contextmanager
def serve_objects() -> Iterator[Objects]:
    """Start a store with empty buckets."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line a request otherwise
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        client = boto3.client(
            "s3", endpoint_url=f"http://{host}:{port}", aws_access_key_id=_KEY, aws_secret_access_key=_SECRET,
            region_name="us-east-1",
        )  # fmt: skip
        for bucket in BUCKETS:
            client.create_bucket(Bucket=bucket)
        yield Objects(client, f"http://{host}:{port}")
    finally:
        server.stop()


def _split(address: str) -> tuple[str, str]:
    """Return bucket and key of an address."""
    _, bucket, *key = PurePosixPath(address).parts
    return bucket, "/".join(key)
