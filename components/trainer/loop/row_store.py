"""Rows of numbers, in memory up to a limit and then in a temporary file."""

import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray

from components.common.files import is_remote

# Bytes of pooled outputs above which a file is used: 1.4 million rows of 384 values fit, half as many of BERT-Base's.
MEMORY_LIMIT = 2 << 30


class RowStore:
    """Rows of one width and type, in memory up to a limit and then in a temporary file.

    Args:
        width: Values of a row.
        dtype: Their type.
        folder: Folder of the file, which vanishes with the process; a remote one stands for that of the system.
        limit: Bytes that are kept in memory.
    """

    def __init__(self, width: int, dtype: DTypeLike, folder: str, limit: int = MEMORY_LIMIT) -> None:
        self._width = width
        self._dtype = np.dtype(dtype)
        self._folder = folder
        self._limit = limit
        self._in_memory: list[NDArray[Any]] = []
        self._n_bytes = 0
        self._file: BinaryIO | None = None

    def append(self, rows: NDArray[Any]) -> None:
        """Append rows, [n, width]."""
        self._n_bytes += rows.nbytes
        self._in_memory.append(rows)
        if self._file is None and self._n_bytes > self._limit:
            self._file = _open_temporary_file(self._folder)
        if self._file is not None:
            for part in self._in_memory:
                self._file.write(np.ascontiguousarray(part, self._dtype).tobytes())
            self._in_memory.clear()

    def to_array(self) -> NDArray[Any]:
        """Return all rows, [n, width]; nothing can be appended afterwards."""
        if self._file is None:
            return np.concatenate([np.empty([0, self._width], self._dtype), *self._in_memory])
        with self._file as file:
            file.flush()
            n = os.fstat(file.fileno()).st_size // (self._width * self._dtype.itemsize)
            # The map outlives the file object. The file has no name, so nothing remains of it after a crash.
            return np.memmap(file, self._dtype, mode="r", shape=(n, self._width))


def _open_temporary_file(folder: str) -> BinaryIO:
    if is_remote(folder):
        return tempfile.TemporaryFile()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)
