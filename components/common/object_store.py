"""Folders in object stores: how much is in them, and their removal.

TensorFlow opens gs:// alone of the object stores. For the S3 API, which Kubeflow's own store has too (minio://), this
module takes pyarrow's client. It finds credentials where every client of Amazon's does; AWS_ENDPOINT_URL names another
store than Amazon's.
"""

import os
from typing import Any
from urllib.parse import urlsplit

from components.common.files import remove_folder, url_scheme
from components.common.tree import walk
from schema.errors import Refused

_OF_S3 = ("s3", "minio")
_SUPPORTED = (*_OF_S3, "gs", "")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_CONNECT_S, _REQUEST_S = 10, 60


def check_store(address: str) -> None:
    """Check that this process knows how to reach the store of an address.

    Raises:
        Refused: It does not; the message says what to set.
    """
    scheme = url_scheme(address)
    if scheme not in _SUPPORTED:
        raise Refused(f"{address}: only gs://, s3:// and minio:// can be looked at")
    if scheme == "minio" and _first_of(_ENDPOINTS) is None:
        raise Refused(
            f"{address}: minio:// does not say where the store is; set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY (docs/kubeflow.md)"
        )


def stored_size(address: str) -> int:
    """Return the bytes in a folder; 0 if there is none.

    Raises:
        Refused: The store cannot be reached, or does not allow it.
    """
    check_store(address)
    if url_scheme(address) not in _OF_S3:
        from components.common.files import exists, file_size

        return sum(file_size(f"{address}/{name}") for name in walk(address).files) if exists(address) else 0
    from pyarrow.fs import FileSelector

    path = _path(address)
    try:
        found = _client().get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
    except OSError as error:
        raise _refused(address, error) from None
    return sum(each.size or 0 for each in found)


def remove_stored(address: str) -> None:
    """Remove a folder with its contents; do nothing if there is none.

    Raises:
        Refused: The store cannot be reached, or does not allow it.
    """
    check_store(address)
    if url_scheme(address) not in _OF_S3:
        remove_folder(address)
        return
    try:
        _client().delete_dir(_path(address))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(address, error) from None


def _client() -> Any:
    from pyarrow.fs import S3FileSystem

    options: dict[str, Any] = {"connect_timeout": _CONNECT_S, "request_timeout": _REQUEST_S}
    endpoint = _first_of(_ENDPOINTS)
    if endpoint is not None:
        url = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
        # Without a region, the client would ask Amazon for that of the bucket.
        options |= {"endpoint_override": url.netloc, "scheme": url.scheme, "region": _first_of(_REGIONS) or "us-east-1"}
    elif (region := _first_of(_REGIONS)) is not None:
        options["region"] = region
    return S3FileSystem(**options)


def _path(address: str) -> str:
    return address.partition("://")[2].rstrip("/")


def _first_of(variables: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)


def _refused(address: str, error: OSError) -> Refused:
    return Refused(f"{address}: {' '.join(str(error).split())[:300]}")
