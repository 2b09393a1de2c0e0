"""Read and write local files and files of a path with a scheme by the same functions."""

import io
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

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
