"""The download of GoEmotions."""

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fetch_goemotions import LABELS, FetchError, fetch
from schema.label_list import label_list, read_schema

_CONTENT = b"I love it\t18\tabc\n"
_CHECKSUMS = {"train.tsv": hashlib.sha256(_CONTENT).hexdigest()}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[str]:
    published = tmp_path / "published"
    published.mkdir()
    (published / "train.tsv").write_bytes(_CONTENT)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(published))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_downloads_the_files_and_writes_the_labels(home: str, tmp_path: Path) -> None:
    fetch(tmp_path / "data", home, _CHECKSUMS)
    assert (tmp_path / "data" / "train.tsv").read_bytes() == _CONTENT
    assert (tmp_path / "data" / "labels.txt").read_text().split() == LABELS


def test_does_not_download_an_existing_file_again(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(_CONTENT)
    fetch(tmp_path, "http://127.0.0.1:9", _CHECKSUMS)


def test_refuses_another_version_and_does_not_keep_it(home: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="SHA-256 is"):
        fetch(tmp_path / "data", home, {"train.tsv": "0" * 64})
    assert not list((tmp_path / "data").iterdir())


def test_reports_a_missing_network(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="cannot be downloaded"):
        fetch(tmp_path, "http://127.0.0.1:9", _CHECKSUMS)


def test_schema_lists_the_same_labels() -> None:
    path = Path(__file__).parents[2] / "schema" / "goemotions.pbtxt"
    assert list(label_list(read_schema(str(path))).names) == LABELS
