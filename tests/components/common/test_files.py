"""Read and write local files and files of a path with a scheme by the same functions."""

import io
import os
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.common import files
from components.common.files import (
    create_whole,
    file_size,
    list_folder,
    make_folder,
    modification_time,
    open_seekable,
    read_bytes,
    write_whole,
)


@pytest.fixture(params=["local", "remote"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    # The remote one is TensorFlow's file system in memory, whose files take bytes only.
    folder = str(tmp_path / "folder") if request.param == "local" else f"ram://{uuid.uuid4().hex}/folder"
    make_folder(folder)
    return folder


@pytest.mark.parametrize(
    "content", [b"bytes", memoryview(b"bytes"), pa.py_buffer(b"bytes")], ids=["b", "view", "arrow"]
)
def test_writes_any_buffer_of_bytes(folder: str, content: object) -> None:
    write_whole(f"{folder}/file", content)
    assert read_bytes(f"{folder}/file") == b"bytes"
    assert list_folder(folder) == ["file"]
    assert file_size(f"{folder}/file") == 5
    assert modification_time(f"{folder}/file") >= 0


def test_other_libraries_can_write_into_an_open_file(folder: str) -> None:
    numbers = np.arange(1 << 19)  # 4 MiB, more than the buffer
    with create_whole(f"{folder}/file.npz") as file:
        np.savez(file, numbers=numbers)
    with open_seekable(f"{folder}/file.npz") as file, np.load(io.BytesIO(file.read())) as read:
        assert np.array_equal(read["numbers"], numbers)


def test_an_interrupted_file_does_not_appear(folder: str) -> None:
    write_whole(f"{folder}/file", b"before")
    with pytest.raises(ZeroDivisionError), create_whole(f"{folder}/file") as file:  # noqa: PT012
        file.write(b"after")
        raise ZeroDivisionError
    assert read_bytes(f"{folder}/file") == b"before"
    assert list_folder(folder) == ["file"]


def test_a_replaced_file_keeps_its_permissions_and_links_to_it(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"before")
    file.chmod(0o640)
    link.symlink_to(file)
    write_whole(str(link), b"after")
    assert link.is_symlink()
    assert file.read_bytes() == b"after"
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("private", "umask", "mode"), [(True, 0o022, 0o600), (False, 0o022, 0o644), (True, 0o277, 0o400)]
)
def test_a_private_file_is_readable_by_its_owner_only(tmp_path: Path, private: bool, umask: int, mode: int) -> None:
    previous = os.umask(umask)
    try:
        write_whole(str(tmp_path / "file"), b"texts", private=private)
    finally:
        os.umask(previous)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_write_that_fails_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = files._create
    monkeypatch.setattr(files, "_create", lambda _, private: create("/dev/full", private=private))
    with pytest.raises(OSError, match="No space left on device") as full:
        write_whole(str(tmp_path / "record.json"), b"{}")
    assert full.value.filename == str(tmp_path / "record.json")
    assert list(tmp_path.iterdir()) == []
